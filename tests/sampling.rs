//! Which traces and events are kept.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::clock::ManualClock;
use telemetry_layer::model::{Status, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::{Builder, Level, Signal, with_remote_parent};
use telemetry_tests::{SOON, collector, exported, recorded, recorded_by, remote};
use tracing::{Span, debug, error, info, info_span};

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
    assert_eq!(kept.span("kept").parent_span_id, Some(remote(true).span.unwrap().span_id));
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
                let span = context.span.unwrap();
                let low = span.trace_id.get() as u64 & ((1 << 56) - 1);
                assert_eq!(span.sampled, low >= 1 << 55);
                assert_eq!(context.trace_state, if span.sampled { "ot=th:8" } else { "" });
            }
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
fn traces_are_sampled_by_the_name_of_their_root() {
    let rules = || Sampling::new().spans("health*", 0.0).spans("rare", 0.1);
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
fn what_limits_keep_back_is_said_with_its_place_at_a_flush_now_and_then_and_at_the_end() {
    let clock = ManualClock::new(0);
    let rules = Sampling::new().spans_per_second(1.0).events_per_second(2.0);
    let (collector, memory) = collector(|b| b.clock(Clock::manual(&clock)).sampling(rules));
    let said = |so_far: &mut usize| {
        let events = memory.kept().events;
        let new: Vec<_> = events.into_iter().skip(*so_far).collect();
        *so_far += new.len();
        new.into_iter().filter(|event| event.message.contains("kept back")).collect::<Vec<_>>()
    };
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let (mut so_far, place) = (0, Cell::new(0));
    let record = || {
        place.set(line!());
        (0..5).for_each(|_| debug!(target: "noisy", "loud"));
        (0..3).for_each(|_| drop(info_span!("root")));
        debug!("alone");
    };
    let expected = |events: &str, traces: &str| {
        let place = place.get();
        [
            (format!("{traces} kept back at {}:{}", file!(), place + 2), Level::INFO),
            (format!("{events} kept back at {}:{}", file!(), place + 1), Level::DEBUG),
        ]
    };
    let shown = |events: &[telemetry_layer::model::Event]| -> Vec<(String, Level)> {
        events.iter().map(|event| (event.message.clone(), event.level)).collect()
    };
    tracing::subscriber::with_default(subscriber, || {
        record();
        assert!(collector.flush(SOON).is_complete());
        let events = said(&mut so_far);
        assert_eq!(shown(&events), expected("3 more events", "2 more traces"));
        let fields = [("kept_back", 3u64.into()), ("code.file.path", file!().into())];
        let line = ("code.line.number", u64::from(place.get() + 1).into());
        let all: Vec<(&str, Value)> = events[1].fields.iter().map(|(k, v)| (&**k, v.clone())).collect();
        assert_eq!(all, fields.into_iter().chain([line]).collect::<Vec<_>>());
        assert_eq!(events[1].target, "noisy");
        assert!(collector.flush(SOON).is_complete());
        assert!(said(&mut so_far).is_empty(), "it is said once");
        clock.advance(Duration::from_millis(500));
        record();
        // By itself, and then exported with the next flush, which has nothing more to say.
        clock.advance(Duration::from_secs(5));
        let until = std::time::Instant::now() + SOON;
        while collector.ledger().signal(Signal::Events).recorded < 16 {
            assert!(std::time::Instant::now() < until, "nothing is said: {:?}", collector.ledger());
            std::thread::yield_now();
        }
        assert!(collector.flush(SOON).is_complete());
        assert_eq!(shown(&said(&mut so_far)), expected("4 more events", "3 more traces"));
        record();
        record();
    });
    assert!(exported(&collector, &memory).events.len() > so_far);
    assert_eq!(shown(&said(&mut so_far)), expected("8 more events", "5 more traces"));
    let events = *collector.ledger().signal(Signal::Events);
    assert_eq!(events.sampled_out, 3 + 4 + 8, "the ledger counts them as ever");
}

#[test]
fn a_share_of_events_is_kept_those_of_one_trace_all_or_none() {
    let none = Sampling::new().events(0.0);
    let kept = recorded_by(
        |b| b.sampling(none),
        |l| l,
        |_| {
            info_span!("work").in_scope(|| error!(error = "refused", "it went wrong"));
        },
    );
    assert_eq!((kept.events.len(), &kept.span("work").status), (0, &Status::Error("refused".to_owned())));
    let rules = Sampling::new().events(0.3);
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
