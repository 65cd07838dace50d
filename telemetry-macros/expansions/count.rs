fn work() {
    {
        ::telemetry_layer::__private::count(
            {
                #[cfg_attr(
                    target_os = "linux",
                    used,
                    unsafe(link_section = "telemetry_sites_0")
                )]
                static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::counted(
                    ::core::module_path!(),
                    "work",
                );
                #[cfg(not(target_os = "linux"))]
                ::telemetry_layer::__private::list!(::core::slice::from_ref(& SITE));
                &SITE
            },
            1,
        );
    }
    #[allow(unused_braces)]
    {
        act();
    }
}
