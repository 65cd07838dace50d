pub async fn fetch(&self, url: &str) -> io::Result<Vec<u8>> {
    let mut __timer = ::telemetry_layer::__private::FutureOutcomeTimer::start({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_sites_0")
        )]
        static SITES: [::telemetry_layer::__private::Site; 4] = ::telemetry_layer::__private::Site::timed(
                ::core::module_path!(),
                "fetch",
            )
            .outcomes();
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list!(& SITES);
        &SITES
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
