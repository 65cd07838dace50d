async fn fetch(url: &str) -> Vec<u8> {
    let __timer = ::telemetry_layer::__private::FutureTimer::start({
        static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::timer(
            "function.duration",
            &[
                (
                    "code.function.name",
                    ::core::concat!(::core::module_path!(), "::", "fetch"),
                ),
            ],
        );
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::one(& SITE, false)
        }
        &SITE
    });
    ::telemetry_layer::__private::Instrument::instrument(
            async move {
                #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                if false {
                    let __never: Vec<u8> = loop {};
                    return __never;
                }
                #[allow(unused_braces)] { get(url).await }
            },
            {
                ::telemetry_layer::__private::announce(&__timer);
                let __span = {
                    static META: ::telemetry_layer::__private::Metadata<'static> = ::telemetry_layer::__private::span_metadata(
                        "fetch",
                        ::core::module_path!(),
                        ::telemetry_layer::__private::Level::INFO,
                        &["telemetry.timed"],
                        &SPAN,
                    );
                    static SPAN: ::telemetry_layer::__private::DefaultCallsite = ::telemetry_layer::__private::DefaultCallsite::new(
                        &META,
                    );
                    ::telemetry_layer::__private::open(&SPAN)
                };
                ::telemetry_layer::__private::opened();
                __span
            },
        )
        .await
}
