//! Traces across borders, links, sampling by rule, metrics of spans, fields that must not be seen, spans that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use telemetry_layer::clock::Clock;
use telemetry_layer::model::{SpanContext, SpanId, Status, TraceContext, TraceId, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::testing::{ManualClock, assert_counter};
use telemetry_layer::{
    Builder, Level, SetParentError, Signal, SpanMetrics, current_trace_context, with_remote_parent,
};
use telemetry_tests::{Kept, SOON, collector, recorded};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span, instrument};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::{EnvFilter, filter, registry, reload};

/// Runs `f` with a collector and a layer as they are made.
fn recorded_by(
    change: impl FnOnce(Builder) -> Builder,
    layer: impl FnOnce(TelemetryLayer) -> TelemetryLayer,
    f: impl FnOnce(&Collector),
) -> Kept {
    let (collector, memory) = collector(change);
    let subscriber = registry().with(layer(TelemetryLayer::new(&collector)));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| f(&collector)));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    memory.kept()
}

fn remote(sampled: bool) -> TraceContext {
    let (trace_id, span_id) = (TraceId::new(7).unwrap(), SpanId::new(8).unwrap());
    TraceContext::new(SpanContext { trace_id, span_id, sampled })
}

#[test]
fn a_span_follows_others_by_links_whatever_became_of_them() {
    let kept = recorded(|_| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.follows_from(&first);
        let closed = info_span!("closed").id();
        second.follows_from(closed);
        second.follows_from(Span::none());
        second.add_link(remote(true).span);
        second.follows_from(second.id());
    });
    let (first, second) = (kept.span("first"), kept.span("second"));
    let links: Vec<(TraceId, SpanId)> = second.links.iter().map(|to| (to.trace_id, to.span_id)).collect();
    let (own, far) = ((second.trace_id, second.span_id), remote(true).span);
    assert_eq!(links, [(first.trace_id, first.span_id), (far.trace_id, far.span_id), own]);
    assert_eq!(second.parent_span_id, None);
}

#[instrument(err)]
fn fails() -> Result<(), String> {
    Err("no stock".to_owned())
}

#[test]
fn errors_of_results_of_fields_and_of_events_are_the_status() {
    let kept = recorded(|_| {
        let _ = fails();
        info_span!("field", error = "broken").in_scope(|| ());
        info_span!("late", error = Empty)
            .in_scope(|| _ = Span::current().record("error", tracing::field::display("later")));
        info_span!("flag", error = true).in_scope(|| ());
        info_span!("no", error = false).in_scope(|| ());
        info_span!("event").in_scope(|| error!(error = "refused", "it went wrong"));
        info_span!("info").in_scope(|| info!(error = "ignored", "all is well"));
        info_span!("said", otel.status_code = "ok").in_scope(|| error!(error = "handled"));
    });
    let status = |name: &str| kept.span(name).status.clone();
    let failed = |text: &str| Status::Error(text.to_owned());
    assert_eq!(status("fails"), failed("no stock"));
    assert_eq!((status("field"), status("late")), (failed("broken"), failed("later")));
    assert_eq!((status("flag"), status("no")), (failed(""), Status::Unset));
    assert_eq!(
        (status("event"), status("info"), status("said")),
        (failed("refused"), Status::Unset, Status::Ok)
    );
    assert_eq!(kept.span("field").fields[0].1, Value::from("broken"), "it stays a field");
}

#[instrument]
fn handle(parent: u8) {
    Span::current().set_parent(&remote(true)).unwrap();
    info_span!("child").in_scope(|| ());
}

#[test]
fn a_remote_parent_can_be_set_until_somebody_knows_the_trace() {
    let kept = recorded(|_| {
        handle(1);
        let used = info_span!("used");
        used.in_scope(|| info_span!("its child").in_scope(|| ()));
        assert_eq!(used.set_parent(&remote(true)), Err(SetParentError::InUse));
        let said = info_span!("said");
        let below = info_span!(parent: &said, "below");
        tracing::info!(parent: &below, "an event");
        assert_eq!(said.set_parent(&remote(true)), Err(SetParentError::InUse));
        let asked = info_span!("asked");
        assert!(asked.trace_context().is_some());
        assert_eq!(asked.set_parent(&remote(true)), Err(SetParentError::InUse));
        assert_eq!(Span::none().set_parent(&remote(true)), Err(SetParentError::NotSeen));
        assert_eq!((Span::none().trace_id(), current_trace_context()), (None, None));
    });
    let (far, handled) = (remote(true).span, kept.span("handle"));
    assert_eq!((handled.trace_id, handled.parent_span_id), (far.trace_id, Some(far.span_id)));
    let child = kept.span("child");
    assert_eq!((child.trace_id, child.parent_span_id), (far.trace_id, Some(handled.span_id)));
    assert_eq!((kept.span("used").parent_span_id, kept.span("asked").parent_span_id), (None, None));
}

#[test]
fn a_remote_parent_takes_over_the_open_spans_below() {
    let move_all = |rate: f64| {
        recorded_by(
            |b| b.sample_rate(rate),
            |l| l,
            |_| {
                let request = info_span!("request", id = 1);
                let child = info_span!(parent: &request, "child", items = 3);
                let grandchild = info_span!(parent: &child, "grandchild");
                let beside = info_span!("beside");
                request.set_parent(&remote(true)).unwrap();
                child.in_scope(|| info_span!("later").in_scope(|| ()));
                drop((grandchild, child, request, beside));
            },
        )
    };
    let (all, far) = (move_all(1.0), remote(true).span);
    for (name, parent) in [("child", "request"), ("grandchild", "child"), ("later", "child")] {
        let (span, parent) = (all.span(name), all.span(parent));
        assert_eq!((span.trace_id, span.parent_span_id), (far.trace_id, Some(parent.span_id)), "{name}");
    }
    assert_eq!(all.span("request").parent_span_id, Some(far.span_id));
    assert_eq!((all.span("child").fields.len(), all.span("beside").parent_span_id), (1, None));
    assert_ne!(all.span("beside").trace_id, far.trace_id);
    let revived = move_all(0.0);
    let names: Vec<&str> = revived.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["later", "grandchild", "child", "request"], "sampled as it was decided there");
    assert!(revived.span("child").fields.is_empty(), "they were not looked at when it began");
}

#[test]
fn a_trace_is_sampled_as_it_was_decided_where_it_began() {
    let none = |b: Builder| b.sample_rate(0.0);
    let kept = recorded_by(
        none,
        |l| l,
        |_| {
            with_remote_parent(Some(remote(true)), || info_span!("kept", items = 3)).in_scope(|| {
                info_span!("child").in_scope(|| ());
            });
            info_span!("revived", items = 3, more = 4)
                .in_scope(|| Span::current().set_parent(&remote(true)).unwrap());
            info_span!("own").in_scope(|| ());
        },
    );
    assert_eq!((kept.spans.len(), kept.span("kept").fields.len()), (3, 1));
    assert_eq!(kept.span("child").parent_span_id, Some(kept.span("kept").span_id));
    assert!(kept.span("revived").fields.is_empty(), "they were not looked at when it began");
    let kept = recorded(|_| {
        with_remote_parent(Some(remote(false)), || info_span!("not kept")).in_scope(|| info_span!("child"));
        with_remote_parent(None, || info_span!("own")).in_scope(|| ());
    });
    assert_eq!(kept.spans.len(), 1);
    let rules = |b: Builder| b.sampling(Sampling::new().ignore_remote());
    let kept =
        recorded_by(rules, |l| l, |_| drop(with_remote_parent(Some(remote(false)), || info_span!("kept"))));
    assert_eq!(kept.span("kept").parent_span_id, Some(remote(true).span.span_id));
}

#[test]
fn state_and_baggage_go_with_the_trace() {
    let mut context = remote(true).with_baggage("user", "ada lovelace");
    context.trace_state = "vendor=1".to_owned();
    let mut sent = HashMap::new();
    let kept = recorded(|_| {
        with_remote_parent(Some(context), || info_span!("server")).in_scope(|| {
            info_span!("client").in_scope(|| {
                let here = current_trace_context().unwrap();
                assert_eq!(here.baggage("user"), Some("ada lovelace"));
                here.inject(|name, value| drop(sent.insert(name, value)));
            });
        });
    });
    let client = kept.span("client");
    assert_eq!(sent["traceparent"], format!("00-{}-{}-01", client.trace_id, client.span_id));
    assert_eq!((&*sent["tracestate"], &*sent["baggage"]), ("vendor=1", "user=ada%20lovelace"));
    assert_eq!((&*client.trace_state, &*kept.span("server").trace_state), ("vendor=1", "vendor=1"));
}

#[test]
fn the_share_that_is_kept_stands_in_the_trace_state() {
    let half = |b: Builder| b.sample_rate(0.5);
    recorded_by(
        half,
        |l| l,
        |_| {
            for _ in 0..50 {
                let context = info_span!("work").trace_context().unwrap();
                let low = context.span.trace_id.get() as u64 & ((1 << 56) - 1);
                assert_eq!(context.span.sampled, low >= 1 << 55);
                assert_eq!(context.trace_state, if context.span.sampled { "ot=th:8" } else { "" });
            }
        },
    );
}

#[test]
fn traces_are_sampled_by_the_name_of_their_root() {
    let rules = || Sampling::new().spans("health*", 0.0).unwrap().spans("rare", 0.1).unwrap();
    let kept = recorded_by(
        |b| b.sampling(rules()),
        |l| l,
        |_| {
            for _ in 0..1000 {
                info_span!("healthcheck").in_scope(|| info_span!("inner"));
                info_span!("rare").in_scope(|| ());
            }
            info_span!("work").in_scope(|| info_span!("health").in_scope(|| ()));
        },
    );
    let count = |name: &str| kept.spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("healthcheck"), count("inner"), count("work"), count("health")), (0, 0, 1, 1));
    assert!((30..200).contains(&count("rare")), "{}", count("rare"));
}

#[test]
fn each_call_site_has_its_limit_of_spans_and_of_events() {
    let clock = ManualClock::new(0);
    let rules = Sampling::new().spans_per_second(5.0).events_per_second(3.0);
    let kept = recorded_by(
        |b| b.clock(Clock::manual(&clock)).sampling(rules),
        |l| l,
        |collector| {
            for second in 0..3 {
                for _ in 0..20 {
                    info_span!("hot").in_scope(|| info_span!("child").in_scope(|| ()));
                    info!(second, "loud");
                }
                info!("quiet");
                clock.advance(Duration::from_secs(1));
            }
            let ledger = collector.ledger();
            assert_eq!(ledger.signal(Signal::Events).sampled_out, 51);
            assert_eq!(ledger.signal(Signal::Spans).sampled_out, 90);
        },
    );
    let said = |text: &str| kept.events.iter().filter(|event| event.message == text).count();
    assert_eq!((kept.spans.len(), said("loud"), said("quiet")), (30, 9, 3));
}

#[test]
fn a_share_of_events_is_kept_those_of_one_trace_all_or_none() {
    let none = Sampling::new().events(0.0).unwrap();
    let kept = recorded_by(
        |b| b.sampling(none),
        |l| l,
        |_| {
            info_span!("work").in_scope(|| error!(error = "refused", "it went wrong"));
        },
    );
    assert_eq!((kept.events.len(), &kept.span("work").status), (0, &Status::Error("refused".to_owned())));
    let rules = Sampling::new().events(0.3).unwrap();
    let kept = recorded_by(
        |b| b.sampling(rules),
        |l| l,
        |_| {
            for n in 0..500 {
                info_span!("trace").in_scope(|| (0..3).for_each(|_| info!(n, "in a trace")));
                info!("alone");
            }
        },
    );
    let mut of_trace: HashMap<_, usize> = HashMap::new();
    kept.events
        .iter()
        .filter_map(|event| event.trace_id)
        .for_each(|id| *of_trace.entry(id).or_default() += 1);
    assert!(of_trace.values().all(|n| *n == 3) && (80..230).contains(&of_trace.len()), "{}", of_trace.len());
    let alone = kept.events.iter().filter(|event| event.trace_id.is_none()).count();
    assert!((80..230).contains(&alone), "{alone}");
}

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
                let function = ("code.function.name", "traces::work");
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
                let of_timed =
                    seen.named("function.duration").filter(|m| m.tag(function.0) == Some("traces::timed"));
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
fn what_must_not_be_seen_is_redacted_or_dropped_before_it_is_stored() {
    let kept = recorded_by(
        |b| b,
        |l| l.redact_fields(["password", "*.token"]).drop_fields(["internal*"]),
        |_| {
            let span = info_span!(
                "login",
                user = "ada",
                password = "secret",
                api.token = 7,
                internal_id = 1,
                note = Empty
            );
            span.in_scope(|| {
                Span::current().record("password", "another secret").record("note", "fine");
                info!(password = ?"secret", internal = 2, user = "ada", "logged in");
            });
        },
    );
    let shown = |fields: &[(std::borrow::Cow<'static, str>, Value)]| {
        fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(&kept.span("login").fields),
        "user=ada api.token=[redacted] password=[redacted] note=fine"
    );
    assert_eq!(shown(&kept.event("logged in").fields), "password=[redacted] user=ada");
}

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
        let seen: Vec<(&str, u64)> = list.iter().map(|span| (span.name, span.age.as_secs())).collect();
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
    let layer = TelemetryLayer::new(&collector);
    layer.heartbeats(Duration::from_millis(20)).unwrap();
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
fn nothing_of_a_span_is_left_for_the_next_one_in_its_place() {
    let rules = |b: Builder| b.sampling(Sampling::new().spans("dead", 0.0).unwrap());
    let kept = recorded_by(
        rules,
        |l| l.with_span_metrics(SpanMetrics::new()),
        |_| {
            let mut far = remote(false);
            far.trace_state = "secret=1".to_owned();
            let unsampled = with_remote_parent(Some(far), || info_span!("unsampled"));
            unsampled.add_link(remote(true).span);
            drop(unsampled);
            drop(info_span!("first", otel.kind = "server"));
            let long = "SECRET".repeat(60);
            drop(info_span!(
                "dead",
                a = long,
                otel.status_code = "error",
                otel.status_description = "of another"
            ));
            drop(info_span!("second", b = 1, otel.kind = "server"));
            let spilled = info_span!("spilled", a = "x".repeat(300));
            spilled.record("a", "short");
        },
    );
    let (first, second) = (kept.span("first"), kept.span("second"));
    assert_eq!((first.links.len(), &*first.trace_state), (0, ""));
    assert_eq!((&second.status, second.fields.len()), (&Status::Unset, 1));
    assert_eq!(kept.span("spilled").fields, [("a".into(), Value::from("short"))]);
}

#[test]
fn a_span_of_a_subscriber_without_the_layer_is_not_one_of_ours() {
    let (collector, memory) = collector(|b| b);
    let ours = tracing::Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    let theirs = tracing::Dispatch::new(registry());
    let mine = tracing::dispatcher::with_default(&ours, || info_span!("mine"));
    let other = tracing::dispatcher::with_default(&theirs, || info_span!("other"));
    assert_eq!(other.trace_id(), None);
    assert_eq!(other.set_parent(&remote(true)), Err(SetParentError::NotSeen));
    drop((mine, other));
    collector.shutdown(SOON);
    assert_ne!(memory.kept().span("mine").trace_id, remote(true).span.trace_id);
}

#[test]
fn all_layers_of_a_subscriber_are_told_of_a_remote_parent() {
    let ((one, of_one), (two, of_two)) = (collector(|b| b), collector(|b| b));
    let both = registry().with(TelemetryLayer::new(&one)).with(TelemetryLayer::new(&two));
    tracing::subscriber::with_default(both, || info_span!("work").set_parent(&remote(true)).unwrap());
    for (collector, memory) in [(one, of_one), (two, of_two)] {
        collector.shutdown(SOON);
        assert_eq!(memory.kept().span("work").trace_id, remote(true).span.trace_id);
    }
}

#[test]
fn what_must_not_be_seen_is_no_tag_of_a_measurement() {
    let layer = |l: TelemetryLayer| l.redact_fields(["password"]).drop_fields(["internal"]);
    recorded_by(
        |b| b,
        layer,
        |collector| {
            info!(monotonic_counter.logins = 1, password = "secret", internal = "hid");
            assert_counter(&collector.snapshot(), "logins", &[("password", "[redacted]")], 1);
        },
    );
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
            let routes: Vec<_> = seen
                .named("function.duration")
                .filter_map(|m| Some((m.tag("http.route")?, m.histogram()?.sum)))
                .collect();
            assert_eq!(routes, [("/early", 6.0), ("/late", 0.0)]);
        },
    );
}

#[test]
fn the_share_is_said_only_of_traces_that_were_decided_here() {
    recorded_by(
        |b| b.sample_rate(0.1),
        |l| l,
        |_| {
            let span = with_remote_parent(Some(remote(true)), || info_span!("remote"));
            assert_eq!(span.trace_context().unwrap().trace_state, "");
        },
    );
}

#[test]
fn a_handle_for_open_spans_outlives_further_settings_of_its_layer() {
    let (collector, _) = collector(|b| b);
    let layer = TelemetryLayer::new(&collector);
    let open = layer.open_spans();
    let layer = layer.redact_fields(["p"]);
    tracing::subscriber::with_default(registry().with(layer), || {
        let _span = info_span!("work", p = 1);
        assert_eq!(open.list()[0].fields, [("p".into(), Value::from("[redacted]"))]);
    });
}

#[test]
fn an_event_that_ends_its_own_span_fails_no_other() {
    struct Ends(Mutex<Option<Span>>);
    impl std::fmt::Debug for Ends {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            drop(self.0.lock().unwrap().take());
            f.write_str("ended")
        }
    }
    let kept = recorded(|_| {
        let span = info_span!("parent");
        let id = span.id();
        error!(parent: id, error = ?Ends(Mutex::new(Some(span))), "bad");
        drop(info_span!("next", otel.kind = "server"));
    });
    assert_eq!(kept.span("next").status, Status::Unset);
}

#[test]
fn records_of_log_have_their_own_target_and_place() {
    // The bridge is one for the whole program, and sends to whatever subscriber is current.
    tracing_log::LogTracer::init().unwrap();
    let kept = recorded(|_| {
        info_span!("work").in_scope(|| log::warn!(target: "old::library", "{} left", 3));
    });
    let event = kept.event("3 left");
    assert_eq!((&*event.target, event.level), ("old::library", Level::WARN));
    assert_eq!(event.span_id, Some(kept.span("work").span_id));
    let names: Vec<&str> = event.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["code.file.path", "code.line.number"]);
    let hide = |l: TelemetryLayer| l.redact_fields(["message"]).drop_fields(["code.file.*"]);
    let kept = recorded_by(|b| b, hide, |_| log::info!(target: "old::library", "the password is {}", "moon"));
    let names: Vec<&str> = kept.event("[redacted]").fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["code.line.number"]);
}

#[test]
fn the_message_of_a_panic_is_known_with_the_hook() {
    telemetry_layer::install_panic_hook();
    let kept = recorded(|_| {
        let run = || info_span!("work").in_scope(|| panic!("out of {}", "luck"));
        std::panic::catch_unwind(run).unwrap_err();
    });
    assert_eq!(kept.span("work").status, Status::Error("out of luck".to_owned()));
    let event = kept.event("panicked");
    assert_eq!((&*event.target, event.span_id), ("panic", Some(kept.span("work").span_id)));
    let field =
        |name: &str| event.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
    assert_eq!(field("exception.message").as_deref(), Some("out of luck"));
    assert!(field("code.place").unwrap().starts_with("tests/traces.rs"));
}

/// The layer wrapped in one way or another: what it sees, and that spans can be asked.
fn wrapped<S: tracing::Subscriber + Send + Sync>(wrap: impl FnOnce(TelemetryLayer) -> S) {
    let (collector, memory) = collector(|b| b);
    tracing::subscriber::with_default(wrap(TelemetryLayer::new(&collector)), || {
        info_span!("outer").in_scope(|| {
            assert!(Span::current().trace_id().is_some());
            info_span!("inner", n = 1).in_scope(|| info!("said"));
            tracing::trace!("too much");
        });
    });
    collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!(kept.span("inner").parent_span_id, Some(kept.span("outer").span_id));
    assert_eq!(kept.event("said").span_id, Some(kept.span("inner").span_id));
    assert_eq!(kept.events.len(), 1);
}

#[test]
fn it_works_however_it_is_wrapped() {
    let info = || filter::LevelFilter::INFO;
    wrapped(|layer| registry().with(info()).with(Some(layer)));
    wrapped(|layer| registry().with(vec![layer]).with(info()));
    wrapped(|layer| registry().with(layer.boxed()).with(info()));
    wrapped(|layer| registry().with(layer.with_filter(info())));
    wrapped(|layer| registry().with(layer.with_filter(EnvFilter::new("info"))));
    wrapped(|layer| registry().with(EnvFilter::new("warn,traces=info")).with(layer));
    wrapped(|layer| {
        registry().with(tracing_subscriber::fmt::layer().with_writer(std::io::sink)).with(info()).with(layer)
    });
    wrapped(|layer| registry().with(layer).with(None::<TelemetryLayer>).with(info()));
    let empty = || tracing_subscriber::layer::Identity::new();
    wrapped(|layer| registry().with(layer.and_then(empty())).with(info()));
}

#[test]
fn behind_reload_spans_are_seen_too() {
    let (collector, memory) = collector(|b| b);
    let (layer, handle) = reload::Layer::new(Some(TelemetryLayer::new(&collector)));
    tracing::subscriber::with_default(registry().with(layer), || {
        info_span!("seen").in_scope(|| ());
        handle.modify(|layer| *layer = None).unwrap();
        info_span!("not seen").in_scope(|| ());
    });
    collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!(kept.spans.len(), 1);
    assert_eq!(kept.span("seen").parent_span_id, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_held_over_an_await_loses_nothing() {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing::Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    use tracing::instrument::WithSubscriber as _;
    let local = tokio::task::LocalSet::new();
    let run = |n: u64| {
        async move {
            let span = info_span!("held", n);
            let _guard = span.enter();
            tokio::task::yield_now().await;
            info!(n, "after");
        }
        .with_subscriber(subscriber.clone())
    };
    local.run_until(async { futures(vec![run(0), run(1), run(2)]).await }).await;
    drop(subscriber);
    collector.shutdown(SOON);
    assert_eq!((memory.kept().spans.len(), memory.kept().events.len()), (3, 3));
}

/// All of them, in turns.
async fn futures<F: Future<Output = ()>>(all: Vec<F>) {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        all.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Asks the Registry for the parents of all spans and events, by the number that each has.
#[derive(Clone, Default)]
struct Oracle(Arc<Mutex<HashMap<u64, Option<u64>>>>);

struct Number(u64);

impl tracing::field::Visit for Number {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "n" {
            self.0 = value;
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber + for<'a> registry::LookupSpan<'a>> Layer<S> for Oracle {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, id: &tracing::Id, ctx: Context<'_, S>) {
        let mut number = Number(0);
        attributes.record(&mut number);
        let span = ctx.span(id).unwrap();
        let parent = span.parent().and_then(|parent| parent.extensions().get::<Number>().map(|n| n.0));
        self.0.lock().unwrap().insert(number.0, parent);
        span.extensions_mut().insert(number);
    }

    fn on_event(&self, event: &tracing::Event<'_>, ctx: Context<'_, S>) {
        let mut number = Number(0);
        event.record(&mut number);
        let parent = ctx.event_span(event).and_then(|span| span.extensions().get::<Number>().map(|n| n.0));
        self.0.lock().unwrap().insert(number.0, parent);
    }
}

/// What a thread does with spans that all threads share.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(u8),
    OpenUnder(u8, u8),
    OpenRoot(u8),
    Enter(u8),
    Exit,
    ExitFirst,
    Record(u8, u16),
    Close(u8),
    Event,
    EventIn(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..6u8;
    prop_oneof![
        3 => place.clone().prop_map(Step::Open),
        1 => (place.clone(), place.clone()).prop_map(|(a, b)| Step::OpenUnder(a, b)),
        1 => place.clone().prop_map(Step::OpenRoot),
        4 => place.clone().prop_map(Step::Enter),
        3 => Just(Step::Exit),
        1 => Just(Step::ExitFirst),
        2 => (place.clone(), any::<u16>()).prop_map(|(a, n)| Step::Record(a, n)),
        2 => place.clone().prop_map(Step::Close),
        3 => Just(Step::Event),
        1 => place.prop_map(Step::EventIn),
    ]
}

fn run(steps: &[Step], shared: &[Mutex<Span>], next: &std::sync::atomic::AtomicU64) {
    let number = || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let get = |place: u8| shared[usize::from(place)].lock().unwrap().clone();
    let put = |place: u8, span: Span| {
        drop(std::mem::replace(&mut *shared[usize::from(place)].lock().unwrap(), span));
    };
    let mut entered = Vec::new();
    for step in steps {
        match *step {
            Step::Open(at) => put(at, info_span!("span", n = number(), late = Empty)),
            Step::OpenUnder(at, parent) => {
                put(at, info_span!(parent: &get(parent), "span", n = number(), late = Empty));
            }
            Step::OpenRoot(at) => put(at, info_span!(parent: None, "span", n = number(), late = Empty)),
            Step::Enter(at) => entered.push(get(at).entered()),
            Step::Exit => drop(entered.pop()),
            Step::ExitFirst if !entered.is_empty() => drop(entered.remove(0)),
            Step::ExitFirst => {}
            Step::Record(at, value) => _ = get(at).record("late", value),
            Step::Close(at) => put(at, Span::none()),
            Step::Event => info!(n = number(), "event"),
            Step::EventIn(at) => info!(parent: &get(at), n = number(), "event"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn parents_are_those_of_the_registry_with_many_threads(
        threads in prop::collection::vec(prop::collection::vec(step(), 0..60), 1..16),
    ) {
        let oracle = Oracle::default();
        let (collector, memory) = collector(|b| b);
        let layer = TelemetryLayer::new(&collector);
        let open = layer.open_spans();
        let dispatch = tracing::Dispatch::new(registry().with(oracle.clone()).with(layer));
        let shared: Vec<Mutex<Span>> = (0..6).map(|_| Mutex::new(Span::none())).collect();
        let next = std::sync::atomic::AtomicU64::new(1);
        std::thread::scope(|scope| {
            for steps in &threads {
                let (dispatch, shared, next) = (dispatch.clone(), &shared, &next);
                scope.spawn(move || tracing::dispatcher::with_default(&dispatch, || run(steps, shared, next)));
            }
        });
        tracing::dispatcher::with_default(&dispatch, || drop(shared));
        // Where a span ends while another thread looks at it on behalf of an event, that thread takes it out of the
        // Registry, which then finds no subscriber to ask to let go of the parent: that stays open.
        let left = open.list();
        drop(dispatch);
        let report = collector.shutdown(SOON);
        prop_assert!(report.ledger().balances() && report.ledger().lost() == 0);
        let kept = memory.kept();
        let n = |fields: &[(std::borrow::Cow<'static, str>, Value)]| fields.iter().find_map(|(key, value)| match value {
            Value::U64(n) if key == "n" => Some(*n),
            _ => None,
        });
        let closed = kept.spans.iter().map(|span| (span.span_id, span.parent_span_id, n(&span.fields).unwrap()));
        let left = left.iter().map(|span| (span.context.span_id, span.parent_span_id, n(&span.fields).unwrap()));
        let spans: Vec<_> = closed.chain(left).collect();
        let by_id: HashMap<SpanId, u64> = spans.iter().map(|(id, _, n)| (*id, *n)).collect();
        let mut seen = HashMap::new();
        for (_, parent, n) in spans {
            seen.insert(n, parent.map(|id| by_id[&id]));
        }
        for event in &kept.events {
            seen.insert(n(&event.fields).unwrap(), event.span_id.map(|id| by_id[&id]));
        }
        prop_assert_eq!(seen, oracle.0.lock().unwrap().clone());
    }
}
