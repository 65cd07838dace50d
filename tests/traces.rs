//! Traces across borders, links, metrics of spans, fields that must not be seen, spans that are open.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::model::{SpanId, Status, TraceId, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::testing::{ManualClock, assert_counter};
use telemetry_layer::{
    Builder, Level, SetParentError, SpanMetrics, current_trace_context, with_remote_parent,
};
use telemetry_tests::{SOON, collector, recorded, recorded_by, remote};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span, instrument};
use tracing_subscriber::registry;

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
        |l| l.with_redacted_fields(["password", "*.token"]).without_fields(["internal*"]),
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
fn what_must_not_be_seen_is_no_tag_of_a_measurement() {
    let layer = |l: TelemetryLayer| l.with_redacted_fields(["password"]).without_fields(["internal"]);
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
    let hide = |l: TelemetryLayer| l.with_redacted_fields(["message"]).without_fields(["code.file.*"]);
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
