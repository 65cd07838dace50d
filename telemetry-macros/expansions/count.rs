fn work() {
    {
        ::telemetry_layer::__private::count(
            {
                static SITE: [::telemetry_layer::__private::Site; 1] = [
                    ::telemetry_layer::__private::Site::new(
                            ::telemetry_layer::__private::CellKind::Counter,
                            "function.calls",
                            &[
                                (
                                    "code.function.name",
                                    ::core::concat!(::core::module_path!(), "::", "work"),
                                ),
                            ],
                        )
                        .at(::core::file!(), ::core::line!()),
                ];
                ::telemetry_layer::__private::inventory::submit! {
                    ::telemetry_layer::__private::Listed::new(& SITE, false)
                }
                &SITE[0]
            },
            1,
        );
    }
    act();
}
