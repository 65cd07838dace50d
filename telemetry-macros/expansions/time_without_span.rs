fn hot(n: u64) -> u64 {
    let __timer = ::telemetry_layer::__private::CallTimer::start({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_functions_0")
        )]
        static SITE: ::telemetry_layer::__private::FunctionSite = ::telemetry_layer::__private::FunctionSite::timed(
            ::core::module_path!(),
            "hot",
        );
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list_function!(& SITE);
        SITE.site()
    });
    #[allow(unused_braces)] { n + 1 }
}
