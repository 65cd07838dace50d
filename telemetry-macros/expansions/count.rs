fn work() {
    {
        ::telemetry_layer::__private::count(
            ::telemetry_layer::__private::site!(counted, "work"),
            1,
        );
    }
    #[allow(unused_braces)]
    {
        act();
    }
}
