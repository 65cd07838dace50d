async fn fetch(url: &str) -> Vec<u8> {
    let __timer = ::telemetry_layer::__private::CallTimer::start({
        static SITE: [::telemetry_layer::__private::Site; 1] = [
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "function.duration",
                    &[
                        (
                            "code.function.name",
                            ::core::concat!(::core::module_path!(), "::", "fetch"),
                        ),
                    ],
                )
                .at(::core::file!(), ::core::line!())
                .unit("s"),
        ];
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::new(& SITE, false)
        }
        &SITE[0]
    });
    ::telemetry_layer::__private::Instrument::instrument(
            async move {
                #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                if false {
                    let __never: Vec<u8> = loop {};
                    return __never;
                }
                get(url).await
            },
            {
                ::telemetry_layer::__private::announce(&__timer);
                let __span = ::telemetry_layer::__private::tracing::span!(
                    target : ::core::module_path!(),
                    ::telemetry_layer::__private::Level::INFO, "fetch", telemetry.timed =
                    ::telemetry_layer::__private::tracing::field::Empty
                );
                ::telemetry_layer::__private::opened();
                __span
            },
        )
        .await
}
