pub async fn fetch(&self, url: &str) -> io::Result<Vec<u8>> {
    let mut __timer = ::telemetry_layer::__private::FutureOutcomeTimer::start(
        ::telemetry_layer::__private::outcome_sites!(timed, "fetch"),
    );
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
