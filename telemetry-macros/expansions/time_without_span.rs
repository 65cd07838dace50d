fn hot(n: u64) -> u64 {
    let __timer = ::telemetry_layer::__private::CallTimer::start({
        static SITE: [::telemetry_layer::__private::Site; 1] = [
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "function.duration",
                    &[
                        (
                            "code.function.name",
                            ::core::concat!(::core::module_path!(), "::", "hot"),
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
    n + 1
}
