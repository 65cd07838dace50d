fn work() {
    let __over = ::telemetry_layer::__private::Over;
    let __timer = ::telemetry_layer::__private::SpanTimer::start({
        static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::timer(
            "function.duration",
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
    });
    ::telemetry_layer::__private::announce(&__timer);
    let __span = {
        static META: ::telemetry_layer::__private::Metadata<'static> = ::telemetry_layer::__private::span_metadata(
            "work",
            ::core::module_path!(),
            ::telemetry_layer::__private::Level::INFO,
            &["telemetry.timed"],
            &SPAN,
        );
        static SPAN: ::telemetry_layer::__private::DefaultCallsite = ::telemetry_layer::__private::DefaultCallsite::new(
            &META,
        );
        ::telemetry_layer::__private::open(&SPAN)
    }
        .entered();
    let __end = ::telemetry_layer::__private::End::of(&__timer);
    #[allow(unused_braces)]
    {
        act();
    }
}
