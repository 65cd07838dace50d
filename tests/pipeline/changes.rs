//! Exporters that are added, replaced and removed while threads record: nothing is lost or doubled, and nobody waits for long.

mod random;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telemetry_core::__private::Limits;
use telemetry_layer::exporters::{Discard, Filter, Route, from_url};
use telemetry_layer::ledger::Reason;
use telemetry_layer::metrics::{Reader, Source};
use telemetry_layer::model::{Kind, Temporality};
use telemetry_layer::prelude::*;
use telemetry_layer::{Error, SelfMetrics};
use telemetry_tests::Over;

use super::{Door, Ends, SOON, Script, Seen, Wire, account, builder, event, span};

/// What the exporters of one name have been given, one after the other.
#[derive(Clone, Default)]
struct Given {
    spans: Seen,
    events: Arc<Mutex<HashMap<String, u32>>>,
    /// The deltas of each counter, added up; else the newest sum.
    counts: Arc<Mutex<HashMap<String, u64>>>,
}

impl Given {
    fn count(&self, name: &str) -> u64 {
        self.counts.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// All that was recorded came once.
    #[track_caller]
    fn has(&self, whose: &str, spans: u64, counted: u64) {
        assert_eq!(self.spans.len() as u64, spans, "{whose}");
        self.spans.assert_once();
        let events = self.events.lock().unwrap();
        assert_eq!(events.len() as u64, spans, "{whose}");
        assert!(events.values().all(|times| *times == 1), "{whose}: {events:?}");
        drop(events);
        assert_eq!((self.count("a"), self.count("b")), (counted, 2 * counted), "{whose}");
    }
}

/// One of them, which fails now and then.
struct Keeps {
    given: Given,
    temporality: Temporality,
    random: Random,
    /// Of a hundred attempts.
    failing: u64,
}

impl Keeps {
    fn new(given: &Given, temporality: Temporality, failing: u64, seed: u64) -> Self {
        Self { given: given.clone(), temporality, random: Random(seed), failing }
    }
}

impl Exporter for Keeps {
    fn name(&self) -> &str {
        "keeps"
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        if kind == Kind::UpDownCounter { Temporality::Cumulative } else { self.temporality }
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        if self.random.below(100) < self.failing {
            return Err(ExportError::retry("not now"));
        }
        self.given.spans.add(super::ids(batch));
        let mut events = self.given.events.lock().unwrap();
        batch.events().for_each(|event| *events.entry(event.message().to_owned()).or_default() += 1);
        let mut counts = self.given.counts.lock().unwrap();
        for metric in batch.metrics() {
            let value = metric.number().as_f64() as u64;
            let known = counts.entry(metric.name().to_owned()).or_default();
            match metric.temporality() {
                Temporality::Delta => *known += value,
                _ => *known = (*known).max(value),
            }
        }
        Ok(Delivery::all())
    }
}

/// A sequence that is the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn record(collector: &Collector, n: u64) {
    collector.collect_span(&span(n));
    collector.collect_event(&event(n));
    collector.counter("a").inc();
    collector.counter("b").add(2);
}

/// Metrics are those of the test alone.
fn start(change: impl FnOnce(telemetry_layer::Builder) -> telemetry_layer::Builder) -> Collector {
    let builder = builder().self_metrics(SelfMetrics::Off).on_export(|_| ());
    change(builder).start().unwrap()
}

fn spans_alone() -> Filter {
    Filter::new().signals([Signal::Spans])
}

/// Tells when the thread ends on which it is.
struct OnEnd(Sender<()>);

impl Drop for OnEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static ON_END: RefCell<Option<OnEnd>> = const { RefCell::new(None) };
}

#[test]
fn one_that_is_removed_is_given_all_that_was_recorded_and_its_thread_ends() {
    let (given, beside) = (Given::default(), Given::default());
    let (ends, ended) = channel();
    let mut keeps = Keeps::new(&given, Temporality::Delta, 0, 1);
    let it = move |batch: &Batch| {
        ON_END.with_borrow_mut(|on_end| {
            on_end.get_or_insert_with(|| OnEnd(ends.clone()));
        });
        keeps.export(batch)
    };
    let it = Route::new(it).name("it").temporality(Temporality::Delta);
    let beside_it = Keeps::new(&beside, Temporality::Delta, 0, 1);
    let collector = start(|builder| builder.exporter(it).exporter(Route::new(beside_it).name("beside")));
    (0..1000).for_each(|n| record(&collector, n));
    let report = collector.remove("it", SOON).unwrap();
    assert!(report.is_complete() && report.late().is_empty(), "{report}");
    given.has("it", 1000, 1000);
    ended.recv_timeout(SOON).expect("its thread has ended");
    assert!(ended.recv_timeout(SOON).is_err(), "nobody else has it");
    (1000..1500).for_each(|n| record(&collector, n));
    assert!(collector.flush(SOON).is_complete());
    given.has("it", 1000, 1000);
    beside.has("beside", 1500, 1500);
    let spans = account(&collector.ledger(), "it", Signal::Spans);
    assert_eq!((spans.dispatched, spans.delivered, spans.buffered), (1000, 1000, 0), "its account stays");
    assert_eq!(collector.health().len(), 1);
    // Its name is free, and its account goes on.
    let error = collector.remove("it", SOON).unwrap_err().to_string();
    assert_eq!(error, "there is no exporter it; there are: beside");
    let again = Keeps::new(&given, Temporality::Delta, 0, 1);
    collector.exporter(Route::new(again).name("it")).unwrap();
    (1500..1600).for_each(|n| record(&collector, n));
    assert!(collector.shutdown(SOON).is_complete());
    given.has("it", 1100, 1100);
    let ledger = collector.ledger();
    assert_eq!(account(&ledger, "it", Signal::Spans).delivered, 1100);
    assert_eq!(ledger.exporters().filter(|name| *name == "it").count(), 1);
    assert!(matches!(collector.remove("it", SOON), Err(Error::ShutDown)));
    assert!(matches!(collector.replace("it", Discard::new(), SOON), Err(Error::ShutDown)));
}

#[test]
fn one_that_hangs_is_given_up_at_the_deadline_with_what_it_has_in_its_hands() {
    let (door, given) = (Door::default(), Given::default());
    let (entered, came) = channel();
    let stuck = {
        let door = door.clone();
        move |batch: &Batch| {
            let _ = entered.send(batch.len());
            door.pass();
        }
    };
    let beside = Keeps::new(&given, Temporality::Cumulative, 0, 1);
    let route = |stuck| Route::new(stuck).name("stuck").only(spans_alone()).linger(Duration::ZERO);
    let collector = start(|builder| builder.exporter(route(stuck.clone())).exporter(beside));
    let hand_over = |from: u64| {
        (from..from + 10).for_each(|n| collector.collect_span(&span(n)));
        collector.flush(Duration::from_millis(10));
    };
    hand_over(0);
    assert_eq!(came.recv_timeout(SOON).unwrap(), 10);
    hand_over(10);
    // What it has is lost, what waits goes over.
    let moved = Seen::default();
    let heir = {
        let moved = moved.clone();
        move |batch: &Batch| moved.add(super::ids(batch))
    };
    let report = collector.replace("stuck", Route::new(heir).only(spans_alone()), Duration::from_millis(200));
    let report = report.unwrap();
    assert!(!report.is_complete(), "{report}");
    assert_eq!(report.late(), ["stuck"]);
    hand_over(20);
    assert!(collector.remove("stuck", SOON).is_ok());
    assert_eq!(moved.len(), 20);
    moved.assert_once();
    let spans = account(&collector.ledger(), "stuck", Signal::Spans);
    assert_eq!((spans.delivered, spans.dropped.by(Reason::Deadline), spans.buffered), (20, 10, 0));
    // The same without an heir.
    collector.exporter(route(stuck)).unwrap();
    hand_over(30);
    assert_eq!(came.recv_timeout(SOON).unwrap(), 10);
    hand_over(40);
    let report = collector.remove("stuck", Duration::from_millis(200)).unwrap();
    assert_eq!(report.late(), ["stuck"]);
    let spans = account(&collector.ledger(), "stuck", Signal::Spans);
    assert_eq!((spans.delivered, spans.dropped.by(Reason::Deadline), spans.buffered), (20, 30, 0));
    door.open();
    collector.flush(SOON);
    assert_eq!(given.spans.len(), 50, "the other one notices nothing");
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances() && report.late().is_empty(), "{report}");
    assert_eq!(account(report.ledger(), "stuck", Signal::Spans), spans, "what comes late changes nothing");
}

#[test]
fn one_that_panics_whatever_it_is_asked_leaves_what_waits_to_the_next() {
    struct Panics;
    impl Exporter for Panics {
        fn name(&self) -> &str {
            "panics"
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Err(ExportError::retry_after(Duration::from_secs(1000), "later"))
        }
        fn shutdown(&mut self) {
            panic!("at its end");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("when it is dropped");
        }
    }
    let collector = start(|builder| builder.exporter(Panics));
    (0..10).for_each(|n| collector.collect_span(&span(n)));
    collector.flush(Duration::from_millis(10));
    let seen = Seen::default();
    let heir = {
        let seen = seen.clone();
        move |batch: &Batch| seen.add(super::ids(batch))
    };
    let report = collector.replace("panics", heir, SOON).unwrap();
    assert!(report.is_complete(), "{report}");
    let report = collector.remove("panics", SOON).unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_flush_waits_for_what_was_handed_over_meanwhile() {
    let door = Door::default();
    let collector = start(|builder| {
        let later = |_: &Batch| Err::<(), _>(ExportError::retry_after(Duration::from_secs(1000), "later"));
        builder.exporter(Route::new(later).name("it").only(spans_alone()))
    });
    (0..10).for_each(|n| collector.collect_span(&span(n)));
    let seen = Seen::default();
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| collector.flush(SOON));
        // It is on its way when it has failed.
        while collector.health().first().is_none_or(|health| health.failures == 0) {
            std::thread::yield_now();
        }
        let (passes, sees) = (door.clone(), seen.clone());
        let heir = move |batch: &Batch| {
            passes.pass();
            sees.add(super::ids(batch));
        };
        assert!(collector.replace("it", Route::new(heir).only(spans_alone()), SOON).unwrap().is_complete());
        assert!(!flushed.is_finished(), "nobody has it yet");
        door.open();
        let report = flushed.join().unwrap();
        assert!(report.is_complete(), "{report}");
        assert_eq!(seen.len(), 10);
    });
}

#[test]
fn what_cannot_take_a_place_changes_nothing() {
    struct Refuses;
    impl Exporter for Refuses {
        fn name(&self) -> &str {
            "refuses"
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Ok(Delivery::all())
        }
        fn check(&mut self) -> Result<(), ExportError> {
            Err(ExportError::never("nobody is there"))
        }
    }
    let given = Given::default();
    let collector = start(|builder| {
        let it = Route::new(Keeps::new(&given, Temporality::Delta, 0, 1)).name("it");
        builder.configure(|config| config.check_at_start = telemetry_layer::CheckAtStart::Fail).exporter(it)
    });
    record(&collector, 0);
    let fails = |route: Route| collector.replace("it", route, SOON).unwrap_err().to_string();
    assert_eq!(fails(Refuses.into()), "exporter it: the check at the start failed: nobody is there");
    let named = Route::new(Discard::new()).name("other");
    assert_eq!(fails(named), "name=other: it takes the place of it, and keeps that name");
    let limited = Route::new(Discard::new()).rate_limit(0.0);
    assert_eq!(fails(limited), "rate_limit=0: more than 0 is needed");
    let hangs = Route::new(Discard::new()).spool("/tmp/somewhere");
    assert!(fails(hangs).starts_with("spool=/tmp/somewhere: only exporters over a network"));
    assert!(
        fails(from_url("prometheus://localhost:0").unwrap()).contains("what is pulled can't take the place")
    );
    let unknown = collector.replace("its", Discard::new(), SOON).unwrap_err().to_string();
    assert_eq!(unknown, "there is no exporter its; there are: it");
    record(&collector, 1);
    assert!(collector.shutdown(SOON).is_complete());
    given.has("it", 2, 2);
    assert_eq!(collector.ledger().exporters().collect::<Vec<_>>(), ["it"]);
}

/// The last reading of the one is where the other one begins.
#[test]
fn an_heir_with_other_wishes_begins_where_the_other_one_ended() {
    let (sums, deltas, some) = (Given::default(), Given::default(), Given::default());
    let collector = start(|builder| {
        builder.exporter(Route::new(Keeps::new(&sums, Temporality::Cumulative, 0, 1)).name("it"))
    });
    (0..5).for_each(|n| record(&collector, n));
    let heir = Keeps::new(&deltas, Temporality::Delta, 0, 1);
    assert!(collector.replace("it", heir, SOON).unwrap().is_complete());
    assert_eq!(sums.count("a"), 5);
    (5..12).for_each(|n| record(&collector, n));
    let heir = Route::new(Keeps::new(&some, Temporality::Delta, 0, 1)).only(Filter::new().names(["a"]));
    assert!(collector.replace("it", heir, SOON).unwrap().is_complete());
    (12..15).for_each(|n| record(&collector, n));
    let heir = Keeps::new(&sums, Temporality::Cumulative, 0, 1);
    assert!(collector.replace("it", heir, SOON).unwrap().is_complete());
    // What the one was given and had not delivered yet is the other one's.
    assert_eq!((deltas.count("a") + some.count("a"), some.count("b")), (10, 0));
    assert!([0, 14].contains(&deltas.count("b")));
    assert!(collector.shutdown(SOON).is_complete());
    assert_eq!(sums.count("a"), 15);
    let metrics = account(&collector.ledger(), "it", Signal::Metrics);
    assert_eq!((metrics.dropped.total(), metrics.buffered), (0, 0));
}

/// Deltas that the old one could not deliver are part of those of the new one.
#[test]
fn what_the_old_one_owes_the_new_one_delivers() {
    let given = Given::default();
    let collector = start(|builder| {
        let down = |_: &Batch| Err::<(), _>(ExportError::retry_after(Duration::from_secs(1000), "down"));
        builder.exporter(Route::new(down).name("it").temporality(Temporality::Delta))
    });
    for n in 0..10 {
        record(&collector, n);
        collector.flush(Duration::from_millis(1));
    }
    let heir = Keeps::new(&given, Temporality::Delta, 0, 1);
    assert!(collector.replace("it", heir, SOON).unwrap().is_complete());
    record(&collector, 10);
    assert!(collector.flush(SOON).is_complete());
    given.has("it", 11, 11);
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn changes_during_a_shutdown_end_with_it() {
    for n in 0..20 {
        let collector = start(|builder| {
            builder
                .exporter(Route::new(Discard::new()).name("a"))
                .exporter(Route::new(Discard::new()).name("b"))
        });
        (0..50).for_each(|n| record(&collector, n));
        let begin = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let change = |what: u64| {
                let (collector, begin) = (&collector, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let ended = match what {
                        0 => collector.replace("a", Discard::new(), SOON),
                        1 => collector.remove("a", SOON),
                        _ => collector.remove("b", SOON),
                    };
                    match ended {
                        Ok(report) => {
                            assert!(report.ledger().balances() && report.late().is_empty(), "{n}: {report}");
                        }
                        Err(Error::ShutDown | Error::UnknownExporter { .. }) => {}
                        Err(error) => panic!("{n}: {error}"),
                    }
                })
            };
            let all = [0, 1, 2].map(change);
            begin.wait();
            let report = collector.shutdown(SOON);
            assert!(report.late().is_empty(), "{n}: {report}");
            all.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let ledger = collector.ledger();
        for name in ["a", "b"] {
            let spans = account(&ledger, name, Signal::Spans);
            assert_eq!((spans.buffered, spans.delivered + spans.dropped.total()), (0, spans.accepted));
        }
    }
}

#[test]
fn exporters_that_were_removed_do_not_fill_the_ledger() {
    let collector = start(|builder| builder);
    for n in 0..150 {
        collector.exporter(Route::new(Discard::new()).name(format!("tenant {n}"))).unwrap();
        collector.collect_span(&span(n));
        assert!(collector.remove(&format!("tenant {n}"), SOON).unwrap().is_complete());
    }
    let ledger = collector.ledger();
    assert!(ledger.balances());
    assert_eq!(ledger.exporters().count(), 101);
    assert_eq!(account(&ledger, "removed exporters", Signal::Spans).delivered, 50);
    assert_eq!(account(&ledger, "tenant 50", Signal::Spans).delivered, 1);
}

#[test]
fn a_reader_and_a_page_can_be_removed_too() {
    struct Reads(Arc<AtomicBool>);
    impl Reader for Reads {
        fn name(&self) -> &str {
            "reads"
        }
        fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(())
        }
        fn shutdown(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let is_over = [(); 2].map(|()| Arc::<AtomicBool>::default());
    let collector = start(|builder| {
        is_over.iter().fold(builder, |builder, is_over| builder.reader(Reads(Arc::clone(is_over))))
    });
    assert!(collector.remove("reads#2", SOON).unwrap().is_complete());
    assert_eq!(is_over.each_ref().map(|is_over| is_over.load(SeqCst)), [false, true]);
    collector.endpoint("prometheus://127.0.0.1:0").unwrap();
    let urls = collector.served_at();
    let address = urls[0].trim_start_matches("http://").split('/').next().unwrap().to_owned();
    collector.endpoint(&format!("prometheus://{address}/other")).unwrap();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    assert!(collector.remove("prometheus", SOON).unwrap().is_complete());
    assert_eq!(collector.served_at(), [format!("http://{address}/other")]);
    assert!(std::net::TcpStream::connect(&address).is_ok(), "the other page is there");
    assert!(collector.remove("prometheus#2", SOON).unwrap().is_complete());
    assert!(std::net::TcpListener::bind(&address).is_ok(), "the port is free");
    let error = collector.remove("prometheus", SOON).unwrap_err().to_string();
    assert_eq!(error, "there is no exporter prometheus; there are: reads");
}

/// Nobody who is not there any more is waited for.
#[test]
fn series_end_when_whoever_has_not_seen_their_last_value_is_removed() {
    struct NeverAsks(Option<Source>);
    impl Reader for NeverAsks {
        fn name(&self) -> &str {
            "never asks"
        }
        fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0 = Some(source);
            Ok(())
        }
    }
    let collector = start(|builder| {
        let expires = |config: &mut telemetry_layer::Config| {
            config.series_expiration = Some(Duration::from_millis(1));
        };
        builder.configure(expires).exporter(Discard::new()).reader(NeverAsks(None))
    });
    collector.counter("a").inc();
    let is_there = || {
        assert!(collector.flush(SOON).is_complete());
        collector.snapshot().named("a").next().is_some()
    };
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(20) {
        assert!(is_there(), "one has not seen it");
    }
    assert!(collector.remove("never asks", SOON).unwrap().is_complete());
    let begin = std::time::Instant::now();
    while is_there() {
        assert!(begin.elapsed() < SOON, "nobody waits for it");
    }
}

/// What is out over a network can be taken from its worker: the next one sends it again.
#[test]
fn a_request_without_an_answer_goes_to_the_next_one() {
    let script = Script::new(vec![Ends::Hang; 10]);
    let limits = Limits { items: 50, bytes: 1 << 20, in_flight: 2 };
    let over = |script: &Script| Route::over(Wire { script: script.clone(), limits }).only(spans_alone());
    let collector =
        start(|builder| builder.exporter(over(&script).timeout(Duration::from_hours(1)).name("it")));
    (0..200).for_each(|n| collector.collect_span(&span(n)));
    collector.flush(Duration::from_millis(10));
    let next = Script::new(Vec::new());
    let report = collector.replace("it", over(&next), Duration::from_millis(300)).unwrap();
    assert!(report.is_complete(), "{report}");
    assert!(collector.flush(SOON).is_complete());
    assert_eq!((script.seen.len(), next.seen.len()), (0, 200));
    next.seen.assert_once();
    assert_eq!(account(&collector.ledger(), "it", Signal::Spans).delivered, 200);
}
