fn work() {
    {
        ::telemetry_layer::__private::count(
            {
                static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::here(
                    ::telemetry_layer::__private::CellKind::Counter,
                    "function.calls",
                    &[
                        (
                            "code.function.name",
                            ::core::concat!(::core::module_path!(), "::", "work"),
                        ),
                    ],
                );
                ::telemetry_layer::__private::inventory::submit! {
                    ::telemetry_layer::__private::Listed::one(& SITE, false)
                }
                &SITE
            },
            1,
        );
    }
    #[allow(unused_braces)]
    {
        act();
    }
}
