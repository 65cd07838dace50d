fn work() {
    {
        ::telemetry_layer::__private::count(
            {
                #[cfg_attr(
                    target_os = "linux",
                    used,
                    unsafe(link_section = "telemetry_functions_0")
                )]
                static SITE: ::telemetry_layer::__private::FunctionSite = ::telemetry_layer::__private::FunctionSite::counted(
                    ::core::module_path!(),
                    "work",
                );
                #[cfg(not(target_os = "linux"))]
                ::telemetry_layer::__private::list_function!(& SITE);
                SITE.site()
            },
            1,
        );
    }
    #[allow(unused_braces)]
    {
        act();
    }
}
