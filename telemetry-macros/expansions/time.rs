fn work() {
    let __timer = ::telemetry_layer::__private::in_span({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_functions_0")
        )]
        static SITE: ::telemetry_layer::__private::FunctionSite = ::telemetry_layer::__private::FunctionSite::timed(
            ::core::module_path!(),
            "work",
        );
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list_function!(& SITE);
        SITE.site()
    });
    #[allow(unused_braces)]
    {
        act();
    }
}
