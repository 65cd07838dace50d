//! What a program that uses `tracing` can trust: parents, fields, events, measurements in events.

use std::sync::Arc;

use telemetry_layer::model::{Kind, Metric, Number, SpanKind, Status, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::{Level, suppress};
use telemetry_tests::{SOON, collector, recorded, recorded_by};
use tracing::field::Empty;
use tracing::{Span, debug_span, event, info, info_span, warn};

fn fields(span: &telemetry_layer::model::Span) -> Vec<(&str, Value)> {
    span.fields.iter().map(|(k, v)| (&**k, v.clone())).collect()
}

#[test]
fn a_span_carries_all_that_its_call_site_says() {
    let kept = recorded(|_| {
        let span = debug_span!(target: "shop::db", "query", rows = 3u64, left = -2i64, share = 0.5, cached = true,
            table = "carts", key = ?(1, "x"), shown = %'c', wide = u128::from(u64::MAX), wider = u128::MAX,
            signed = i128::from(u64::MAX), low = i128::from(i64::MIN), lower = i128::MIN);
        span.in_scope(|| ());
    });
    let span = kept.span("query");
    assert_eq!((&*span.target, span.level, span.parent_span_id), ("shop::db", Level::DEBUG, None));
    assert_eq!(
        fields(span),
        [
            ("rows", Value::U64(3)),
            ("left", Value::I64(-2)),
            ("share", Value::F64(0.5)),
            ("cached", Value::Bool(true)),
            ("table", "carts".into()),
            ("key", "(1, \"x\")".into()),
            ("shown", "c".into()),
            ("wide", Value::U64(u64::MAX)),
            ("wider", u128::MAX.to_string().into()),
            ("signed", Value::U64(u64::MAX)),
            ("low", Value::I64(i64::MIN)),
            ("lower", i128::MIN.to_string().into()),
        ]
    );
    assert_eq!(span.status, Status::Unset);
}

#[test]
fn parents_are_explicit_else_contextual_else_none() {
    let kept = recorded(|_| {
        let outer = info_span!("outer");
        let other = info_span!("other");
        outer.in_scope(|| {
            info_span!("contextual").in_scope(|| info_span!("deeper").in_scope(|| ()));
            info_span!(parent: &other, "explicit").in_scope(|| ());
            info_span!(parent: None, "root").in_scope(|| ());
        });
    });
    let (outer, other) = (kept.span("outer"), kept.span("other"));
    assert_eq!(kept.span("contextual").parent_span_id, Some(outer.span_id));
    assert_eq!(kept.span("deeper").parent_span_id, Some(kept.span("contextual").span_id));
    assert_eq!(kept.span("explicit").parent_span_id, Some(other.span_id));
    assert_eq!(kept.span("explicit").trace_id, other.trace_id);
    assert_eq!(kept.span("root").parent_span_id, None);
    let roots = [outer.trace_id, other.trace_id, kept.span("root").trace_id];
    assert!(roots[0] != roots[1] && roots[1] != roots[2] && roots[0] != roots[2]);
}

#[test]
fn a_span_entered_twice_is_left_where_the_registry_leaves_it() {
    let kept = recorded(|_| {
        let (a, b) = (info_span!("a"), info_span!("b"));
        let (in_a, in_b, again) = (a.enter(), b.enter(), a.enter());
        info_span!("in b").in_scope(|| ());
        drop(again);
        drop(in_a);
        info_span!("still in b").in_scope(|| ());
        drop(in_b);
        info_span!("in none").in_scope(|| ());
    });
    let b = Some(kept.span("b").span_id);
    assert_eq!((kept.span("in b").parent_span_id, kept.span("still in b").parent_span_id), (b, b));
    assert_eq!(kept.span("in none").parent_span_id, None);
}

#[test]
fn what_is_recorded_late_wins_and_is_there_once() {
    let kept = recorded(|_| {
        let span = info_span!("late", x = 1, y = Empty, z = Empty, n = "kept");
        span.record("x", 2);
        std::thread::scope(|s| s.spawn(|| span.record("y", "from a thread")).join().map(|_| ())).unwrap();
        span.record("x", 3);
        span.record("not declared", 4);
    });
    assert_eq!(
        fields(kept.span("late")),
        [("n", "kept".into()), ("y", "from a thread".into()), ("x", Value::I64(3))],
        "empty fields are not there"
    );
}

#[test]
fn names_of_opentelemetry_are_not_fields() {
    let kept = recorded(|_| {
        let span = info_span!(
            "site",
            otel.name = "given",
            otel.kind = "Server",
            otel.status_code = Empty,
            otel.status_description = Empty,
            other = 1
        );
        span.record("otel.status_description", "no stock");
        span.record("otel.status_code", "ERROR");
        let late = info_span!("late", otel.status_code = Empty, otel.status_description = Empty);
        late.record("otel.status_code", "error");
        late.record("otel.status_description", "at last");
        info_span!("fine", otel.status_code = "OK").in_scope(|| ());
    });
    let span = kept.span("given");
    assert_eq!((span.kind, fields(span)), (SpanKind::Server, vec![("other", Value::I64(1))]));
    assert_eq!(span.status, Status::Error("no stock".into()), "in any order");
    assert_eq!(kept.span("late").status, Status::Error("at last".into()));
    assert_eq!(kept.span("fine").status, Status::Ok);
}

#[test]
fn a_panic_leaves_its_spans_with_an_error() {
    let kept = recorded(|_| {
        let caught = std::panic::catch_unwind(|| {
            info_span!("outer").in_scope(|| {
                info_span!("before").in_scope(|| ());
                info_span!("inner").in_scope(|| panic!("in a span"));
            });
        });
        assert!(caught.is_err());
    });
    for name in ["outer", "inner"] {
        assert_eq!(kept.span(name).status, Status::Error("panicked".into()), "{name}");
    }
    assert_eq!(kept.span("before").status, Status::Unset);
}

#[test]
fn events_carry_the_ids_of_their_span_and_count_outside_of_spans() {
    let kept = recorded(|_| {
        info!("outside");
        let span = info_span!("work");
        span.in_scope(|| {
            warn!(left = 3, "inside");
            event!(parent: None, Level::ERROR, "rootless");
        });
        event!(parent: &span, Level::INFO, "explicit");
        event!(name: "stock.low", Level::INFO, product = "egg");
    });
    let work = kept.span("work");
    for (message, within) in [("outside", false), ("inside", true), ("rootless", false), ("explicit", true)] {
        let event = kept.event(message);
        let ids = (event.trace_id, event.span_id);
        assert_eq!(
            ids,
            if within { (Some(work.trace_id), Some(work.span_id)) } else { (None, None) },
            "{message}"
        );
        assert_eq!(event.name, "", "only names that were given count");
    }
    let inside = kept.event("inside");
    assert_eq!((inside.level, &*inside.target), (Level::WARN, "layer"));
    assert_eq!(inside.fields, [("left".into(), Value::I64(3))]);
    assert!(inside.time_unix_nano >= work.start_unix_nano && inside.time_unix_nano <= work.end_unix_nano());
    assert_eq!(kept.event("").name, "stock.low");
}

#[test]
fn spans_nest_in_time_and_across_threads() {
    let kept = recorded(|_| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let outer = info_span!("outer").entered();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || {
                        (0..100).for_each(|_| info_span!(parent: &*outer, "part").in_scope(|| info!("step")));
                    });
                });
            }
        });
    });
    let outer = kept.span("outer");
    assert_eq!((kept.spans.len(), kept.events.len()), (401, 400));
    for part in kept.spans.iter().filter(|s| s.name == "part") {
        assert_eq!((part.trace_id, part.parent_span_id), (outer.trace_id, Some(outer.span_id)));
        assert!(
            outer.start_unix_nano <= part.start_unix_nano && part.end_unix_nano() <= outer.end_unix_nano()
        );
    }
}

#[test]
fn a_clone_keeps_a_span_open_until_the_last_is_dropped_elsewhere() {
    let (collector, memory) = collector(|b| b);
    let dispatch =
        tracing::Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("moved"));
    let clone = span.clone();
    drop(span);
    assert!(collector.flush(SOON).is_complete() && memory.kept().spans.is_empty());
    std::thread::spawn(move || drop(clone)).join().unwrap();
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(memory.kept().spans.len(), 1);
}

fn metric<'a>(metrics: &'a [Metric], name: &str) -> &'a Metric {
    let mut found = metrics.iter().filter(|m| m.identity.name == name);
    let metric = found.next().unwrap_or_else(|| panic!("no {name} in {metrics:#?}"));
    assert!(found.next().is_none(), "{name} twice");
    metric
}

#[test]
fn fields_of_events_are_measurements() {
    let kept = recorded(|_| {
        for n in [2u64, 3] {
            info!(monotonic_counter.requests = n, route = "/", "counted");
        }
        info!(counter.open = 5, "up");
        info!(counter.open = -2i64, "down");
        info!(histogram.size = 3, "an integer");
        info!(histogram.size = 4.5, "a float");
        info!(histogram.size = 5u128, "wide");
        info!(histogram.size = ?6, "debug");
        info!(gauge.heat = 21.5, r#type = "cpu", "hot");
        info!(gauge.wide = u128::from(u64::MAX), "wide");
        info!(gauge.signed = i128::from(u64::MAX), "wide");
        info!(gauge.text = "18446744073709551615", "wide");
    });
    let requests = metric(&kept.metrics, "requests");
    assert_eq!((requests.identity.kind, requests.number().as_f64()), (Kind::Counter, 5.0));
    assert_eq!(requests.identity.tags.iter().collect::<Vec<_>>(), [("route", "/")], "the message is no tag");
    let open = metric(&kept.metrics, "open");
    assert_eq!((open.identity.kind, open.number().as_f64()), (Kind::UpDownCounter, 3.0));
    let size = metric(&kept.metrics, "size").histogram().unwrap();
    assert_eq!((size.count, size.sum), (4, 18.5), "integers, floats, wide ones and text are one series");
    let heat = metric(&kept.metrics, "heat");
    assert_eq!((heat.identity.kind, heat.number().as_f64()), (Kind::Gauge, 21.5));
    assert_eq!(heat.identity.tags.get("type"), Some("cpu"));
    for wide in ["wide", "signed", "text"] {
        assert_eq!(metric(&kept.metrics, wide).number(), Number::Uint(u64::MAX), "{wide}");
    }
    assert_eq!(kept.events.len(), 12, "the events are exported as well");
}

#[test]
fn events_say_the_units_and_descriptions_of_their_metrics() {
    let measure = |layer: fn(TelemetryLayer) -> TelemetryLayer| {
        recorded_by(
            |builder| builder,
            layer,
            |_| {
                info!(histogram.size = 3, otel.unit = "By", otel.description = "What clients get.", "sent");
                info!(histogram.size = 4, otel.unit = %"By", "the first ones count");
                let unit = String::from("{request}");
                info!(counter.open = 1, gauge.most = 2, otel.unit = unit, otel.description = ?Some(1));
                info!(otel.unit = "ms", "of no metric");
            },
        )
    };
    let kept = measure(|layer| layer);
    let declared = |name: &str| {
        let identity = &metric(&kept.metrics, name).identity;
        assert_eq!(identity.tags.iter().count(), 0, "{name}");
        (identity.unit.to_string(), identity.description.to_string())
    };
    assert_eq!(declared("size"), ("By".into(), "What clients get.".into()));
    for name in ["open", "most"] {
        assert_eq!(declared(name), ("{request}".into(), "Some(1)".into()), "all that the event measures");
    }
    assert_eq!(metric(&kept.metrics, "size").histogram().unwrap().count, 2);
    let fields = |message: &str| {
        let event = kept.events.iter().find(|event| event.message == message).unwrap();
        event.fields.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(fields("sent"), ["histogram.size"]);
    assert_eq!(fields("of no metric"), ["otel.unit"], "a field like any other");
    let hidden = measure(|layer| layer.without_fields(["otel.unit"]).with_redacted_fields(["otel.desc*"]));
    let size = &metric(&hidden.metrics, "size").identity;
    assert_eq!((&*size.unit, &*size.description), ("", ""), "what is hidden says nothing");
    assert_eq!(size.tags.iter().count(), 0);
}

#[test]
fn a_negative_monotonic_counter_is_refused_and_not_wrapped() {
    let kept = recorded(|_| {
        info!(monotonic_counter.c = 1, "fine");
        info!(monotonic_counter.c = -1, "wrong");
        info!(monotonic_counter.c = "many", "no number");
    });
    assert_eq!(metric(&kept.metrics, "c").number().as_f64(), 1.0);
}

#[test]
fn what_is_suppressed_is_counted_and_not_recorded() {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        suppress(|| info_span!("own").in_scope(|| info!("own")));
        info_span!("theirs").in_scope(|| collector.counter("c").inc());
    });
    let report = collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!((kept.spans.len(), kept.events.len(), collector.snapshot().total("c")), (1, 0, 1.0));
    let spans = report.ledger().signal(telemetry_layer::Signal::Spans);
    assert_eq!((spans.recorded, spans.suppressed, spans.dispatched), (2, 1, 1));
    assert!(report.ledger().balances());
}

#[test]
fn sampling_keeps_or_drops_whole_traces_and_no_metric() {
    let (collector, memory) = collector(|b| b.sample_rate(0.25));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..2_000 {
            info_span!("root").in_scope(|| {
                info_span!("child", n = 1).in_scope(|| info!(monotonic_counter.steps = 1, "step"));
            });
        }
    });
    let report = collector.shutdown(SOON);
    let kept = memory.kept();
    let roots: Vec<_> = kept.spans.iter().filter(|s| s.name == "root").collect();
    assert_eq!(kept.spans.len(), 2 * roots.len(), "whole traces");
    assert!((350..650).contains(&roots.len()), "about a quarter of 2000: {}", roots.len());
    let child_of = |root| kept.spans.iter().any(|s| s.parent_span_id == Some(root));
    assert!(roots.iter().all(|root| child_of(root.span_id)));
    assert_eq!((kept.events.len(), collector.snapshot().total("steps")), (2_000, 2_000.0));
    let ledger = report.ledger().signal(telemetry_layer::Signal::Spans);
    assert_eq!((ledger.recorded, ledger.sampled_out), (4_000, 4_000 - kept.spans.len() as u64));
}

#[test]
fn a_debug_that_panics_silences_nobody() {
    struct Panics;
    impl std::fmt::Debug for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in Debug")
        }
    }
    let kept = recorded(|_| {
        for _ in 0..2 {
            assert!(std::panic::catch_unwind(|| info!(value = ?Panics, "lost")).is_err());
            assert!(std::panic::catch_unwind(|| info_span!("lost", value = ?Panics)).is_err());
        }
        info!("still there");
    });
    assert_eq!(kept.event("still there").span_id, None);
}

#[test]
fn two_collectors_have_two_layers_of_one_subscriber() {
    let ((one, kept_one), (two, kept_two)) = (collector(|b| b), collector(|b| b.sample_rate(0.0)));
    let subscriber =
        tracing_subscriber::registry().with(TelemetryLayer::new(&one)).with(TelemetryLayer::new(&two));
    tracing::subscriber::with_default(subscriber, || info_span!("a").in_scope(|| info!("b")));
    assert!(one.shutdown(SOON).is_complete() && two.shutdown(SOON).is_complete());
    let (one, two) = (kept_one.kept(), kept_two.kept());
    assert_eq!((one.spans.len(), one.events.len(), two.spans.len(), two.events.len()), (1, 1, 0, 1));
    assert_eq!(one.events[0].span_id, Some(one.span("a").span_id));
    assert_ne!(two.events[0].span_id, one.events[0].span_id);
}

#[test]
fn per_layer_filters_hide_spans_from_this_layer_alone() {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::LevelFilter;
    let (collector, memory) = collector(|b| b);
    let layer = TelemetryLayer::new(&collector).with_filter(LevelFilter::INFO);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("seen").in_scope(|| {
            let hidden = debug_span!("hidden").entered();
            info_span!("also seen").in_scope(|| info!("here"));
            info_span!(parent: &*hidden, "parent is hidden").in_scope(|| ());
        });
    });
    assert!(collector.shutdown(SOON).is_complete());
    let kept = memory.kept();
    assert_eq!(kept.span("also seen").parent_span_id, Some(kept.span("seen").span_id));
    assert_eq!(kept.event("here").span_id, Some(kept.span("also seen").span_id));
    assert_eq!((kept.spans.len(), kept.span("parent is hidden").parent_span_id), (3, None));
}

#[test]
fn long_texts_and_many_threads_lose_nothing() {
    let text = Arc::new("x".repeat(100_000));
    let kept = recorded(|_| {
        let span = info_span!("long", text = text.as_str(), after = 1, late = Empty);
        span.record("late", text.as_str());
        drop(Span::clone(&span));
    });
    let Value::Str(cut) = &kept.span("long").fields[0].1 else { panic!("text") };
    assert_eq!((cut.len(), kept.span("long").fields.len()), (8 << 10, 3));
}
