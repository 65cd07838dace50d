//! The ledger balances at every moment, whatever exporters do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use telemetry_core::__private::Limits;
use telemetry_layer::exporters::{Discard, Filter, Route};
use telemetry_layer::ledger::Ledger;
use telemetry_layer::prelude::*;

use super::{Ends, SOON, Script, Wire, builder, event, span};

/// A script that goes on for ever, other for each seed.
fn faults(mut seed: u64, all: &[Ends]) -> Script {
    let ends = (0..3_000).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all[(seed >> 33) as usize % all.len()]
    });
    Script::new(ends.collect())
}

fn assert_ties(ledger: &Ledger) {
    assert!(ledger.balances(), "{ledger}");
    for name in ledger.exporters() {
        for signal in [Signal::Spans, Signal::Events] {
            let whole = ledger.signal(signal).dispatched;
            let own = ledger.exporter(name, signal).unwrap().dispatched;
            assert_eq!(own, whole, "{name} was offered all {} that there were: {ledger}", signal.name());
        }
    }
}

#[test]
fn it_balances_while_threads_record_exporters_fail_and_a_shutdown_runs() {
    use Ends::{After, Delivered, Hang, Later, Never, Panic, Partly, TooLarge, Torn};
    let wire = |seed, ends: &[Ends]| {
        let limits = Limits { items: 50, bytes: 1 << 20, in_flight: 3 };
        Route::over(Wire { script: faults(seed, ends), limits })
    };
    let small = |config: &mut telemetry_layer::Config| {
        config.exporter_bytes = 256 << 10;
        config.buffer_bytes = 256 << 10;
    };
    let collector = builder()
        .configure(small)
        .on_export(|_| ())
        .exporter(Discard::new())
        .exporter(faults(1, &[Delivered, Partly(3), Delivered]))
        .exporter(faults(2, &[Later, Delivered, Torn(7)]))
        .exporter(faults(3, &[Never, Delivered]))
        .exporter(faults(4, &[Panic, Delivered, Panic]))
        .exporter(wire(5, &[TooLarge, Delivered, Later, After(0)]))
        .exporter(wire(6, &[Hang, Delivered]).timeout(Duration::from_millis(2)))
        .exporter(Route::new(Discard::new()).only(Filter::new().names(["s1", "e*"])).rate_limit(5_000.0))
        .start()
        .unwrap();
    let (done, recorded) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let recording: Vec<_> = (0..8)
            .map(|thread| {
                let (collector, recorded) = (&collector, &recorded);
                scope.spawn(move || {
                    let counter = collector.counter("c");
                    for n in 0..4_000 {
                        collector.collect_span(&span(thread * 10_000 + n));
                        collector.collect_event(&event(n));
                        counter.inc();
                        recorded.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Relaxed) {
                assert_ties(&collector.ledger());
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let report = collector.flush(Duration::from_millis(3));
                    assert!(report.ledger().balances());
                }
            });
        }
        // It begins while half of it is still to be recorded.
        while recorded.load(Relaxed) < 16_000 {
            std::thread::yield_now();
        }
        let report = collector.shutdown(Duration::from_secs(1));
        assert!(!report.is_complete() && report.ledger().balances(), "{report}");
        recording.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Relaxed);
    });
    let ledger = collector.ledger();
    assert_ties(&ledger);
    assert_eq!(ledger.signal(Signal::Spans).recorded, 32_000);
    for name in ledger.exporters() {
        assert_eq!(ledger.exporter(name, Signal::Spans).unwrap().buffered, 0, "{ledger}");
    }
    assert!(!collector.flush(SOON).is_complete() && !collector.shutdown(SOON).is_complete());
}

#[test]
fn a_late_exporter_has_all_from_then_on() {
    let collector = builder().exporter(Discard::new()).start().unwrap();
    for n in 0..20 {
        (0..50).for_each(|i| collector.collect_span(&span(n * 50 + i)));
        let late = Discard::new();
        collector.exporter(late.clone()).unwrap();
        collector.collect_span(&span(n));
        assert!(collector.flush(SOON).is_complete());
        assert!(late.discarded(Signal::Spans) >= 1, "what came after it was added");
    }
}
