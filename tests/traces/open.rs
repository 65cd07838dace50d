//! Spans that are open: lists, heartbeats, how long threads were in them.

use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::clock::ManualClock;
use telemetry_layer::model::{Status, Value};
use telemetry_layer::prelude::*;
use telemetry_tests::{SOON, collector};
use tracing::field::Empty;
use tracing::info_span;
use tracing_subscriber::registry;

#[test]
fn open_spans_are_listed_oldest_first() {
    let clock = ManualClock::new(0);
    let (collector, memory) = collector(|b| b.clock(Clock::manual(&clock)));
    let layer = TelemetryLayer::new(&collector);
    let open = layer.open_spans();
    tracing::subscriber::with_default(registry().with(layer), || {
        let connection = info_span!("connection", peer = "10.0.0.1", requests = Empty);
        clock.advance(Duration::from_mins(1));
        let request = info_span!(parent: &connection, "request");
        clock.advance(Duration::from_secs(1));
        connection.record("requests", 5);
        info_span!("done").in_scope(|| ());
        let list = open.list();
        let seen: Vec<(&str, u64)> = list.iter().map(|span| (&*span.name, span.age.as_secs())).collect();
        assert_eq!(seen, [("connection", 61), ("request", 1)]);
        assert_eq!(list[0].fields, [("peer".into(), "10.0.0.1".into()), ("requests".into(), Value::I64(5))]);
        assert_eq!(list[1].parent_span_id, Some(list[0].context.span_id));
        drop((connection, request));
        assert!(open.list().is_empty());
    });
    collector.shutdown(SOON);
    assert_eq!(memory.kept().spans.len(), 3);
    assert!(open.list().is_empty());
}

#[test]
fn a_span_says_how_long_threads_were_in_it_where_that_is_wanted() {
    let clock = ManualClock::new(0);
    let (collector, memory) = collector(|b| b.clock(Clock::manual(&clock)));
    let layer = TelemetryLayer::new(&collector).with_busy_times();
    let pass = |nanos| clock.advance(Duration::from_nanos(nanos));
    tracing::subscriber::with_default(registry().with(layer), || {
        let span = info_span!("work", n = 1);
        pass(1);
        // Entered again it is entered once; others in between take nothing from it.
        span.in_scope(|| (pass(10), span.in_scope(|| pass(20)), info_span!("inner").in_scope(|| pass(30))));
        pass(2);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            span.in_scope(|| {
                pass(100);
                panic!("in it");
            });
        }))
        .unwrap_err();
        pass(4);
        drop((span, info_span!("never entered")));
    });
    assert!(collector.shutdown(SOON).is_complete());
    let kept = memory.kept();
    let times = |name: &str| {
        let span = kept.span(name);
        let of =
            |key: &str| span.fields.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone()).unwrap();
        (of("busy_ns"), of("idle_ns"), span.fields.len())
    };
    assert_eq!(times("work"), (Value::U64(160), Value::U64(7), 3));
    assert_eq!(times("inner"), (Value::U64(30), Value::U64(0), 2));
    assert_eq!(times("never entered"), (Value::U64(0), Value::U64(0), 2));
    assert!(matches!(kept.span("work").status, Status::Error(_)));
}

#[test]
fn a_span_that_is_open_for_long_says_so() {
    let clock = ManualClock::new(0);
    let (collector, memory) = collector(|b| b.clock(Clock::manual(&clock)));
    let layer = TelemetryLayer::new(&collector).with_heartbeats(Duration::from_millis(20));
    let said = || {
        collector.flush(SOON);
        memory.kept().events.iter().filter(|event| event.message == "span is open").count()
    };
    let until = std::time::Instant::now() + SOON;
    tracing::subscriber::with_default(registry().with(layer), || {
        let _job = info_span!("job");
        for times in 1..=2 {
            clock.advance(Duration::from_millis(20));
            while said() < times {
                assert!(std::time::Instant::now() < until, "nothing was said");
                std::thread::yield_now();
            }
        }
        assert_eq!(said(), 2, "once each time");
    });
    collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!(kept.events[0].span_id, Some(kept.span("job").span_id));
    assert_eq!(kept.events[1].fields[1], ("span.age".into(), Value::F64(0.04)));
}

#[test]
fn a_handle_for_open_spans_outlives_further_settings_of_its_layer() {
    let (collector, _) = collector(|b| b);
    let layer = TelemetryLayer::new(&collector);
    let open = layer.open_spans();
    let layer = layer.with_redacted_fields(["p"]);
    tracing::subscriber::with_default(registry().with(layer), || {
        let _span = info_span!("work", p = 1);
        assert_eq!(open.list()[0].fields, [("p".into(), Value::from("[redacted]"))]);
    });
}
