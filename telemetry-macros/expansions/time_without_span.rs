fn hot(n: u64) -> u64 {
    let __timer = ::telemetry_layer::__private::CallTimer::start(
        ::telemetry_layer::__private::site!(timed, "hot"),
    );
    #[allow(unused_braces)] { n + 1 }
}
