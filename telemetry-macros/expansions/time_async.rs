pub async fn fetch(&self, url: &str) -> io::Result<Vec<u8>> {
    let mut __timer = ::telemetry_layer::__private::FutureOutcomeTimer::start({
        static SITES: [::telemetry_layer::__private::Site; 4] = [
            ::telemetry_layer::__private::Site::timer(
                "function.duration",
                &[
                    (
                        "code.function.name",
                        ::core::concat!(::core::module_path!(), "::", "fetch"),
                    ),
                    ("outcome", "ok"),
                ],
            ),
            ::telemetry_layer::__private::Site::timer(
                "function.duration",
                &[
                    (
                        "code.function.name",
                        ::core::concat!(::core::module_path!(), "::", "fetch"),
                    ),
                    ("outcome", "error"),
                ],
            ),
            ::telemetry_layer::__private::Site::timer(
                "function.duration",
                &[
                    (
                        "code.function.name",
                        ::core::concat!(::core::module_path!(), "::", "fetch"),
                    ),
                    ("outcome", "panic"),
                ],
            ),
            ::telemetry_layer::__private::Site::timer(
                "function.duration",
                &[
                    (
                        "code.function.name",
                        ::core::concat!(::core::module_path!(), "::", "fetch"),
                    ),
                    ("outcome", "cancelled"),
                ],
            ),
        ];
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::all(& SITES, false)
        }
        &SITES
    });
    let __result = async move {
        #[allow(unreachable_code, clippy::all, clippy::pedantic)]
        if false {
            let __never: io::Result<Vec<u8>> = loop {};
            return __never;
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
