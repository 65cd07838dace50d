async fn fetch(url: &str) -> Vec<u8> {
    let __timer = ::telemetry_layer::__private::announced(
        ::telemetry_layer::__private::FutureTimer::start({
            #[cfg_attr(
                target_os = "linux",
                used,
                unsafe(link_section = "telemetry_sites_0")
            )]
            static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::function(
                ::telemetry_layer::__private::CellKind::Histogram,
                "function.duration",
                ::core::module_path!(),
                "fetch",
                &[],
            );
            #[cfg(not(target_os = "linux"))]
            ::telemetry_layer::__private::list!(::core::slice::from_ref(& SITE));
            &SITE
        }),
    );
    ::telemetry_layer::__private::Instrument::instrument(
            async move {
                #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                if false {
                    let __never: Vec<u8> = loop {};
                    return __never;
                }
                #[allow(unused_braces)] { get(url).await }
            },
            ::telemetry_layer::__private::begun({
                static SPAN: ::telemetry_layer::__private::SpanSite = ::telemetry_layer::__private::SpanSite::new(
                    &SPAN,
                    "fetch",
                    ::core::module_path!(),
                    ::telemetry_layer::__private::Level::INFO,
                    &["telemetry.timed"],
                );
                SPAN.open()
            }),
        )
        .await
}
