//! Code of the program, in whatever it does for telemetry, may hang or panic: it costs the others and the deadline nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use telemetry_layer::Error;
use telemetry_layer::exporters::Discard;
use telemetry_layer::metrics::{Reader, Source};
use telemetry_layer::model::{Kind, Temporality};
use telemetry_layer::prelude::*;

use super::{Door, SOON, account, builder, span};

/// Where an exporter misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Name,
    Wants,
    Temporality,
    Check,
    Export,
    Shutdown,
    Drop,
}

/// What it does there.
#[derive(Clone)]
enum Fault {
    Panic,
    Hang(Door),
}

struct Bad(Place, Fault);

impl Bad {
    fn at(&self, place: Place) {
        if self.0 == place {
            match &self.1 {
                Fault::Panic => panic!("in {place:?}"),
                Fault::Hang(door) => door.pass(),
            }
        }
    }
}

impl Exporter for Bad {
    fn name(&self) -> &str {
        self.at(Place::Name);
        "bad"
    }

    fn wants(&self, _: Signal) -> bool {
        self.at(Place::Wants);
        true
    }

    fn temporality(&self, _: Kind) -> Temporality {
        self.at(Place::Temporality);
        Temporality::Delta
    }

    fn check(&mut self) -> Result<(), ExportError> {
        self.at(Place::Check);
        Ok(())
    }

    fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
        self.at(Place::Export);
        Ok(Delivery::all())
    }

    fn shutdown(&mut self) {
        self.at(Place::Shutdown);
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.at(Place::Drop);
    }
}

#[test]
fn an_exporter_that_panics_anywhere_costs_the_others_nothing() {
    for place in [Place::Check, Place::Export, Place::Shutdown, Place::Drop] {
        let good = Discard::new();
        let collector =
            builder().on_export(|_| ()).exporter(Bad(place, Fault::Panic)).exporter(good.clone()).start();
        let collector = collector.unwrap();
        (0..10).for_each(|n| collector.collect_span(&span(n)));
        collector.flush(SOON);
        let report = collector.shutdown(SOON);
        assert!(report.late().is_empty(), "{place:?}: {report}");
        assert_eq!(good.discarded(Signal::Spans), 10, "{place:?}");
        let bad = account(report.ledger(), "bad", Signal::Spans);
        assert_eq!(bad.rejected, if place == Place::Export { 10 } else { 0 }, "{place:?}: {report}");
    }
    for place in [Place::Name, Place::Wants, Place::Temporality] {
        let error = builder().exporter(Bad(place, Fault::Panic)).start().unwrap_err();
        assert!(matches!(error, Error::Exporter(_)), "{place:?}: {error}");
    }
}

#[test]
fn an_exporter_that_hangs_anywhere_costs_the_others_and_the_deadline_nothing() {
    for place in [Place::Check, Place::Export, Place::Shutdown, Place::Drop] {
        let (good, door) = (Discard::new(), Door::default());
        let bad = Bad(place, Fault::Hang(door.clone()));
        let collector = builder().exporter(bad).exporter(good.clone()).start().unwrap();
        (0..10).for_each(|n| collector.collect_span(&span(n)));
        collector.flush(Duration::from_millis(100));
        assert_eq!(good.discarded(Signal::Spans), 10, "{place:?}");
        let begin = Instant::now();
        let report = collector.shutdown(Duration::from_millis(200));
        assert!(begin.elapsed() < SOON / 4, "{place:?}: {:?}", begin.elapsed());
        assert_eq!(report.late().is_empty(), place == Place::Drop, "{place:?}: {report}");
        door.open();
    }
    let (door, begin) = (Door::default(), Instant::now());
    let error = builder().exporter(Bad(Place::Name, Fault::Hang(door.clone()))).start().unwrap_err();
    assert!(error.to_string().contains("does not say its name") && begin.elapsed() < SOON, "{error}");
    door.open();
}

struct BadReader(Place, Fault);

impl Reader for BadReader {
    fn name(&self) -> &str {
        "bad"
    }

    fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match (self.0, &self.1) {
            (Place::Check, Fault::Panic) => panic!("in attach"),
            (Place::Check, Fault::Hang(door)) => door.pass(),
            _ => {}
        }
        Ok(())
    }

    fn shutdown(&mut self) {
        match (self.0, &self.1) {
            (Place::Shutdown, Fault::Panic) => panic!("in shutdown"),
            (Place::Shutdown, Fault::Hang(door)) => door.pass(),
            _ => {}
        }
    }
}

#[test]
fn readers_may_panic_and_hang() {
    let door = Door::default();
    for fault in [Fault::Panic, Fault::Hang(door.clone())] {
        let collector = builder().reader(BadReader(Place::Shutdown, fault.clone())).start().unwrap();
        let begin = Instant::now();
        collector.shutdown(Duration::from_millis(200));
        assert!(begin.elapsed() < SOON / 4, "{:?}", begin.elapsed());
        let error = builder().reader(BadReader(Place::Check, fault)).start().unwrap_err();
        assert!(matches!(error, Error::Reader { .. }), "{error}");
    }
    door.open();
}

#[test]
fn callbacks_that_hang_share_one_budget_of_time_and_spans_go_on() {
    let (door, good) = (Door::default(), Discard::new());
    let time = Duration::from_millis(500);
    let collector =
        builder().configure(move |config| config.callback_timeout = time).exporter(good.clone()).start();
    let collector = collector.unwrap();
    for n in 0..20 {
        let hangs = door.clone();
        collector.gauge(format!("hangs{n}")).observe(move || {
            hangs.pass();
            1.0
        });
    }
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    collector.gauge("works").observe(move || count.fetch_add(1, Relaxed) as f64 + 1.0);
    // While they are asked, spans go on.
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| collector.flush(SOON));
        (0..5_000).for_each(|n| collector.collect_span(&span(n)));
        let report = flush.join().unwrap();
        assert!(report.is_complete(), "{report}");
    });
    assert_eq!(asked.load(Relaxed), 1, "the one behind them was asked too");
    assert_eq!(collector.snapshot().total("works"), 2.0);
    let begin = Instant::now();
    assert!(collector.flush(SOON).is_complete());
    assert!(begin.elapsed() < time, "those that hang are not waited for again");
    assert!(collector.shutdown(SOON).late().is_empty());
    assert_eq!(good.discarded(Signal::Spans), 5_000);
    door.open();
}

#[test]
fn slow_callbacks_are_asked_side_by_side() {
    let collector = builder().start().unwrap();
    let (met, all) = (Arc::new(AtomicU64::new(0)), 10);
    for n in 0..all {
        let met = Arc::clone(&met);
        collector.gauge(format!("slow{n}")).observe(move || {
            // None returns before all have been asked.
            met.fetch_add(1, Relaxed);
            let begin = Instant::now();
            while met.load(Relaxed) < all && begin.elapsed() < SOON {
                std::thread::yield_now();
            }
            1.0
        });
    }
    assert_eq!(collector.snapshot().len() as u64, all);
}

#[test]
fn what_closures_own_may_panic_when_it_goes() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("when it goes");
        }
    }
    let owned = Panics;
    let exporter = move |_: &Batch| {
        let _ = &owned;
    };
    let owned = Panics;
    let callback = move || {
        let _ = &owned;
        1.0
    };
    let good = Discard::new();
    let collector = builder().exporter(exporter).exporter(good.clone()).start().unwrap();
    collector.gauge("g").observe(callback);
    collector.collect_span(&span(1));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    assert_eq!(good.discarded(Signal::Spans), 1);
}

#[test]
fn the_closure_for_reports_may_hang_and_panic() {
    let door = Door::default();
    let hangs = door.clone();
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let on_export = move |_: &telemetry_layer::exporters::ExportReport| {
        assert!(count.fetch_add(1, Relaxed) > 0, "in on_export");
        hangs.pass();
    };
    let good = Discard::new();
    let collector = builder().on_export(on_export).exporter(good.clone()).start().unwrap();
    for n in 0..20 {
        collector.collect_span(&span(n));
        assert!(collector.flush(SOON).is_complete());
    }
    let begin = Instant::now();
    assert!(collector.shutdown(SOON).is_complete() && begin.elapsed() < SOON);
    // Its thread has a pace of its own, and printing a panic takes long.
    while calls.load(Relaxed) < 2 && begin.elapsed() < SOON {
        std::thread::yield_now();
    }
    assert_eq!(calls.load(Relaxed), 2);
    door.open();
}
