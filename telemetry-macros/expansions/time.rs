fn work() {
    let __timer = ::telemetry_layer::__private::in_span(
        ::telemetry_layer::__private::site!(timed, "work"),
    );
    #[allow(unused_braces)]
    {
        act();
    }
}
