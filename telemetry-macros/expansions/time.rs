fn work() {
    let __timer = ::telemetry_layer::__private::CallTimer::start({
        static SITE: [::telemetry_layer::__private::Site; 1] = [
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "function.duration",
                    &[
                        (
                            "code.function.name",
                            ::core::concat!(::core::module_path!(), "::", "work"),
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
    ::telemetry_layer::__private::announce(&__timer);
    let __span = ::telemetry_layer::__private::tracing::span!(
        target : ::core::module_path!(), ::telemetry_layer::__private::Level::INFO,
        "work", telemetry.timed = ::telemetry_layer::__private::tracing::field::Empty
    )
        .entered();
    let __end = ::telemetry_layer::__private::End::of(&__timer);
    act();
}
