//! Metrics of spans.

use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::clock::ManualClock;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::assert_counter;
use telemetry_layer::{Builder, Level, SpanMetrics};
use telemetry_tests::{recorded_by, remote};
use tracing::field::Empty;
use tracing::{Span, info_span};

fn work(route: &str, end: u8) {
    let span = info_span!("work", http.route = route, user = "ada", error = Empty);
    let run = std::panic::AssertUnwindSafe(|| {
        span.in_scope(|| match end {
            0 => {}
            1 => _ = Span::current().record("error", "failed"),
            _ => panic!("on purpose"),
        });
    });
    let _ = std::panic::catch_unwind(run);
}

#[telemetry_layer::time_me]
fn timed() {}

#[test]
fn spans_are_measured_whatever_is_sampled() {
    for rate in [0.0, 1.0] {
        let metrics = SpanMetrics::new().target("traces*").max_level(Level::INFO).tag("http.route");
        recorded_by(
            |b| b.sample_rate(rate),
            |l| l.with_span_metrics(metrics),
            |collector| {
                (0..7).for_each(|_| work("/", 0));
                (0..3).for_each(|_| work("/", 1));
                work("/cart", 2);
                tracing::debug_span!("too verbose").in_scope(|| ());
                tracing::info_span!(target: "elsewhere", "not asked for").in_scope(|| ());
                let open = info_span!("work", http.route = "/open");
                let seen = collector.snapshot();
                let function = ("code.function.name", "traces::measured::work");
                let count = |outcome: &str, route: &str| {
                    let is = |m: &telemetry_layer::metrics::MetricRef<'_>| {
                        m.tag("outcome") == Some(outcome)
                            && m.tag("http.route") == Some(route)
                            && m.tag(function.0) == Some(function.1)
                    };
                    let found: Vec<u64> = seen
                        .named("function.duration")
                        .filter(is)
                        .map(|m| m.histogram().unwrap().count)
                        .collect();
                    found.iter().sum::<u64>()
                };
                assert_eq!(
                    (count("ok", "/"), count("error", "/"), count("panic", "/cart")),
                    (7, 3, 1),
                    "{seen:?}"
                );
                assert_counter(&seen, "function.active", &[function], 1);
                assert_eq!((seen.total("function.duration"), seen.total("function.active")), (11.0, 1.0));
                drop(open);
                timed();
                let seen = collector.snapshot();
                let of_timed = seen
                    .named("function.duration")
                    .filter(|m| m.tag(function.0) == Some("traces::measured::timed"));
                assert_eq!(
                    of_timed.map(|m| m.histogram().unwrap().count).sum::<u64>(),
                    1,
                    "the attribute has measured it"
                );
            },
        );
    }
}

#[test]
fn the_calls_in_flight_of_a_span_do_not_drift_when_its_fields_change() {
    let metrics = SpanMetrics::new().tag("http.route");
    let clock = ManualClock::new(0);
    let change = |b: Builder| b.sample_rate(0.0).clock(Clock::manual(&clock));
    recorded_by(
        change,
        |l| l.with_span_metrics(metrics),
        |collector| {
            let span = info_span!("request", http.route = Empty);
            span.record("http.route", "/late");
            drop(span);
            let span = info_span!("request", http.route = "/early");
            clock.advance(Duration::from_secs(5));
            span.set_parent(&remote(true)).unwrap();
            clock.advance(Duration::from_secs(1));
            drop(span);
            let seen = collector.snapshot();
            assert_eq!(seen.total("function.active"), 0.0);
            let mut routes: Vec<_> = seen
                .named("function.duration")
                .filter_map(|m| Some((m.tag("http.route")?, m.histogram()?.sum)))
                .collect();
            routes.sort_by_key(|(route, _)| *route);
            assert_eq!(routes, [("/early", 6.0), ("/late", 0.0)]);
        },
    );
}
