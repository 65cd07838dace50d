pub async fn fetch(&self, url: &str) -> io::Result<Vec<u8>> {
    let mut __timer = ::telemetry_layer::__private::FutureOutcomeTimer::start({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_functions_0")
        )]
        static SITE: ::telemetry_layer::__private::FunctionSite = ::telemetry_layer::__private::FunctionSite::timed_by_outcome(
            ::core::module_path!(),
            "fetch",
        );
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list_function!(& SITE);
        SITE.outcomes()
    });
    let __result = async move {
        if false {
            return ::telemetry_layer::__private::never::<io::Result<Vec<u8>>>();
        }
        #[allow(unused_braces)] { self.get(url).await }
    }
        .await;
    let __outcome = {
        use ::telemetry_layer::__private::AnyOutcome as _;
        ::telemetry_layer::__private::Probe(&__result).outcome()
    };
    __timer.end(__outcome);
    __result
}
