//! What a route says: filters, tags, rate, intervals, temporality; reports, pauses and health.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::exporters::{Activity, Discard, ExportReport, Filter, HostTag, NextAttempt, Route};
use telemetry_layer::model::Temporality;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Memory;
use telemetry_layer::{Level, SelfMetrics};

use super::{Ends, SOON, Script, account, builder, event, span};

#[test]
fn one_exporter_takes_some_levels_and_another_all_from_the_same_metrics() {
    let (info, both, severe) = (Memory::new(), Memory::new(), Memory::new());
    let only = |memory: &Memory, filter| Route::new(memory.clone()).only(filter);
    let collector = builder()
        .exporter(only(&info, Filter::new().levels([Level::INFO])))
        .exporter(both.clone())
        .exporter(only(&severe, Filter::new().min_level(Level::WARN)))
        .start()
        .unwrap();
    collector.counter("c").level(Level::INFO).add(3);
    collector.counter("c").level(Level::WARN).add(4);
    collector.counter("plain").add(1);
    (0..4).for_each(|n| collector.collect_event(&event(n)));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    let of = |memory: &Memory| {
        let kept = memory.kept();
        let metrics = kept.metrics.iter().map(|m| format!("{} {}", m.identity.name, m.number()));
        let events = kept.events.iter().map(|e| e.message.clone());
        let mut all: Vec<String> = metrics.chain(events).collect();
        all.sort();
        all.join(", ")
    };
    assert_eq!(of(&info), "c 3, e0, e2, plain 1");
    assert_eq!(of(&both), "c 7, e0, e1, e2, e3, plain 1");
    assert_eq!(of(&severe), "c 4, e1, e3, plain 1");
    let events = account(report.ledger(), "memory", Signal::Events);
    assert_eq!((events.dispatched, events.filtered, events.delivered), (4, 2, 2));
}

#[test]
fn items_are_filtered_by_signal_name_and_tag() {
    let all = [
        (Filter::new().signals([Signal::Metrics]), 0, 0, 2),
        (Filter::new().names(["s1", "shop.*"]), 3, 0, 1),
        (Filter::new().tag("env", "te?t"), 10, 6, 2),
        (Filter::new().tag("kind", "a"), 0, 0, 1),
        (Filter::new().tag("env", "prod"), 0, 0, 0),
    ];
    let kept: Vec<Memory> = all.iter().map(|_| Memory::new()).collect();
    let mut builder = builder().tag("env", "test");
    for ((filter, ..), memory) in all.iter().zip(&kept) {
        builder = builder.exporter(Route::new(memory.clone()).only(filter.clone()));
    }
    let collector = builder.start().unwrap();
    (0..10).for_each(|n| collector.collect_span(&span(n)));
    (0..6).for_each(|n| collector.collect_event(&event(n)));
    collector.counter("shop.orders").with(&[("kind", "a")]).inc();
    collector.counter("other").with(&[("kind", "b")]).inc();
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    for ((filter, spans, events, metrics), memory) in all.iter().zip(&kept) {
        let kept = memory.kept();
        let seen = (kept.spans.len(), kept.events.len(), kept.metrics.len());
        assert_eq!(seen, (*spans, *events, *metrics), "{filter:?}");
    }
}

#[test]
fn an_endpoint_of_the_environment_has_terms_too() {
    let vars = [("TELEMETRY_EXPORT_ENDPOINTS", "discard:?levels=warn,error&signals=events, discard:?rate=2")];
    let get =
        |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let config = telemetry_layer::Config::default().with_vars(get).unwrap();
    let collector = Collector::builder().config(config).start().unwrap();
    (0..4).for_each(|n| collector.collect_event(&event(n)));
    collector.flush(Duration::from_millis(200));
    let ledger = collector.ledger();
    assert_eq!(account(&ledger, "discard", Signal::Events).delivered, 2);
    assert_eq!(account(&ledger, "discard#2", Signal::Events).delivered, 2, "the others wait for its rate");
}

#[test]
fn a_route_adds_tags_and_says_where_it_comes_from() {
    let (lines, seen) = mpsc::channel();
    let exporter = move |batch: &Batch| {
        let of_all: Vec<String> = batch.resource().tags().iter().map(|(k, v)| format!("{k}={v}")).collect();
        let of_points =
            batch.metrics().flat_map(|m| m.tags().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>());
        let _ = lines.send((of_all, of_points.collect::<Vec<_>>()));
    };
    let route = Route::new(exporter).tag("env", "prod").host_tag(HostTag::Named("box".into()));
    let collector = builder().tag("env", "test").tag("service.name", "shop").exporter(route).start().unwrap();
    collector.counter("c").with(&[("host", "own")]).inc();
    collector.flush(SOON);
    let (of_all, of_points) = seen.recv().unwrap();
    assert_eq!(of_all, ["env=prod", "host=box", "service.name=shop"]);
    assert_eq!(of_points, ["env=prod", "host=own", "service.name=shop"], "a point's own host wins");
    collector.record("by.hand", 1);
    collector.flush(SOON);
    let points: Vec<String> = seen.try_iter().flat_map(|(_, of_points)| of_points).collect();
    assert!(
        points.windows(3).any(|tags| tags == ["env=prod", "host=box", "service.name=shop"]),
        "{points:?}"
    );
    assert!(collector.shutdown(SOON).is_complete());
    let machine = Route::new(Discard::new()).host_tag(HostTag::Auto);
    assert!(builder().exporter(machine).start().is_ok());
    let error = builder().exporter(Route::new(Discard::new()).tag("no key", "x")).start().unwrap_err();
    assert!(error.to_string().contains("`no key`"), "{error}");
}

#[test]
fn a_rate_delays_and_loses_nothing() {
    let clock = ManualClock::new(0);
    let discard = Discard::new();
    let route = Route::new(discard.clone()).rate_limit(10.0);
    let collector = builder().clock(Clock::manual(&clock)).exporter(route).start().unwrap();
    (0..100).for_each(|n| collector.collect_span(&span(n)));
    let arrived = || discard.discarded(Signal::Spans);
    let begin = Instant::now();
    let mut seconds = 0;
    loop {
        collector.flush(Duration::from_millis(20));
        assert!(arrived() <= 10 + 10 * seconds, "{} after {seconds} s", arrived());
        if arrived() == 100 {
            break;
        }
        assert!(begin.elapsed() < SOON);
        clock.advance(Duration::from_secs(1));
        seconds += 1;
    }
    assert!(seconds >= 9);
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn metrics_have_an_interval_of_their_own_and_a_temporality() {
    let clock = ManualClock::new(0);
    let (often, seldom) = (Memory::new(), Memory::new());
    let minute = Duration::from_mins(1);
    let route = Route::new(seldom.clone()).flush_interval(minute).linger(Duration::ZERO);
    let collector = Collector::builder()
        .ignore_env()
        .flush_interval(minute / 6)
        .clock(Clock::manual(&clock))
        .exporter(Route::new(often.clone()).temporality(Temporality::Delta).linger(Duration::ZERO))
        .exporter(route)
        .start()
        .unwrap();
    let counter = collector.counter("c");
    let values =
        |memory: &Memory| memory.kept().metrics.iter().map(|m| m.number().as_f64()).collect::<Vec<_>>();
    for n in 1..=6 {
        counter.inc();
        clock.advance(minute / 6);
        let begin = Instant::now();
        while values(&often).len() < n {
            assert!(begin.elapsed() < SOON, "{n}: {:?}", values(&often));
            std::thread::yield_now();
        }
    }
    let begin = Instant::now();
    while values(&seldom).is_empty() {
        assert!(begin.elapsed() < SOON);
        std::thread::yield_now();
    }
    assert_eq!((values(&often), values(&seldom)), (vec![1.0; 6], vec![6.0]));
    counter.inc();
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(values(&seldom), [6.0, 7.0], "a flush is for all");
    drop(collector);
}

#[test]
fn each_attempt_is_reported() {
    let (reports, seen) = mpsc::channel();
    let on_export = move |report: &ExportReport| reports.send(report.clone()).unwrap();
    let ends = vec![Ends::Later, Ends::Torn(2), Ends::TooLarge, Ends::Partly(1), Ends::Never];
    let collector = builder().on_export(on_export).exporter(Script::new(ends)).start().unwrap();
    (0..8).for_each(|n| collector.collect_span(&span(n)));
    while account(&collector.ledger(), "script", Signal::Spans).buffered > 0
        || collector.ledger().signal(Signal::Spans).held > 0
    {
        collector.flush(Duration::from_millis(50));
    }
    collector.shutdown(SOON);
    let all: Vec<ExportReport> = seen.iter().take(5).collect();
    let numbers: Vec<_> = all.iter().map(|r| (r.attempt, r.items, r.delivered, r.rejected)).collect();
    // The half that had failed twice is cut once more when the other one has got through.
    assert_eq!(numbers, [(1, 8, 0, 0), (2, 8, 2, 0), (3, 6, 0, 0), (4, 3, 2, 1), (4, 1, 0, 1)]);
    assert!(matches!(all[0].next, NextAttempt::After(_)) && matches!(all[1].next, NextAttempt::After(_)));
    assert_eq!((all[2].next, all[3].next), (NextAttempt::Smaller, NextAttempt::Settled));
    let errors: Vec<&str> = all.iter().filter_map(|r| r.error.as_deref()).collect();
    assert_eq!(errors, ["later", "torn", "413", "some are wrong", "400"]);
    assert!(all.iter().all(|r| r.exporter == "script" && r.signal == Signal::Spans && !r.is_success()));
}

#[test]
fn an_exporter_can_be_paused_and_says_how_it_fares() {
    let discard = Discard::new();
    let clock = ManualClock::new(1_000_000_000);
    let collector = builder().clock(Clock::manual(&clock)).exporter(discard.clone()).start().unwrap();
    assert!(collector.pause("discard") && !collector.pause("nobody"));
    collector.collect_span(&span(1));
    assert!(!collector.flush(Duration::from_millis(50)).is_complete());
    clock.advance(Duration::from_secs(3));
    let health = collector.health();
    assert_eq!((health.len(), &*health[0].name, health[0].is_paused), (1, "discard", true));
    assert_eq!(health[0].activity, Activity::Pause);
    assert_eq!(
        (health[0].oldest_waiting, health[0].last_success_unix_nano),
        (Some(Duration::from_secs(3)), None)
    );
    assert!(collector.resume("discard"));
    assert!(collector.flush(SOON).is_complete());
    let health = collector.health();
    assert_eq!((health[0].oldest_waiting, health[0].failures), (None, 0));
    assert_eq!(health[0].last_success_unix_nano, Some(4_000_000_000));
    collector.pause("discard");
    collector.collect_span(&span(2));
    assert!(collector.shutdown(SOON).is_complete(), "a shutdown ends each pause");
    assert_eq!(discard.discarded(Signal::Spans), 2);
}

#[test]
fn telemetry_measures_itself_where_that_is_wanted() {
    let memory = Memory::new();
    let script = Script::new(vec![Ends::Partly(2), Ends::Never]);
    let collector = builder()
        .configure(|config| config.self_metrics = SelfMetrics::All)
        .on_export(|_| ())
        .exporter(Route::new(script).only(Filter::new().signals([Signal::Spans])))
        .exporter(Route::new(memory.clone()).only(Filter::new().signals([Signal::Metrics])))
        .start()
        .unwrap();
    for many in [7, 4, 5] {
        (0..many).for_each(|n| collector.collect_span(&span(n)));
        collector.collect_event(&event(1));
        collector.flush(SOON);
    }
    // What the last flush changed is in the next snapshot.
    collector.flush(SOON);
    let last = |name: &str, tags: &[(&str, &str)]| {
        let kept = memory.kept();
        let is_it = |m: &&telemetry_layer::model::Metric| {
            m.identity.name == name && tags.iter().all(|(k, v)| m.identity.tags.get(k) == Some(v))
        };
        let metric = kept.metrics.iter().rfind(is_it).cloned();
        let metric = metric.unwrap_or_else(|| panic!("no {name} {tags:?} in {:#?}", kept.metrics));
        metric.histogram().map_or(metric.number().as_f64(), |h| h.count as f64)
    };
    let of = [("exporter", "script"), ("signal", "spans")];
    assert_eq!(last("telemetry.export.total", &of), 16.0);
    assert_eq!(last("telemetry.export.successful", &of), 10.0);
    assert_eq!(last("telemetry.export.failed", &of), 6.0);
    assert_eq!(last("telemetry.export.duration", &of[..1]), 3.0);
    let own = [("otel.component.name", "script/0"), ("otel.component.type", "script")];
    assert_eq!(last("otel.sdk.exporter.span.exported", &[own[0], ("error.type", "rejected")]), 6.0);
    assert_eq!(last("otel.sdk.exporter.span.inflight", &own), 0.0);
    assert_eq!(last("otel.sdk.exporter.operation.duration", &own), 3.0);
    assert_eq!(
        (last("otel.sdk.processor.span.processed", &[]), last("otel.sdk.log.created", &[])),
        (16.0, 3.0)
    );
    let quiet = Memory::new();
    let collector = builder().exporter(quiet.clone()).start().unwrap();
    collector.flush(SOON);
    assert!(quiet.kept().metrics.is_empty());
}
