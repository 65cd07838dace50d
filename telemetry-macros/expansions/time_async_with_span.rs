async fn fetch(url: &str) -> Vec<u8> {
    ::telemetry_layer::__private::InSpan::new(
            ::telemetry_layer::__private::timed(
                ::telemetry_layer::__private::site!(timed, "fetch"),
            ),
            async move {
                if false {
                    return ::telemetry_layer::__private::never::<Vec<u8>>();
                }
                #[allow(unused_braces)] { get(url).await }
            },
        )
        .await
}
