fn work() {
    let __timer = ::telemetry_layer::__private::in_span({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_sites_0")
        )]
        static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::timed(
            ::core::module_path!(),
            "work",
        );
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list!(::core::slice::from_ref(& SITE));
        &SITE
    });
    #[allow(unused_braces)]
    {
        act();
    }
}
