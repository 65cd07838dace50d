//! Exporters that do not keep up, without and with back-pressure.

use std::time::{Duration, Instant};

use telemetry_layer::Config;
use telemetry_layer::exporters::{Discard, Route};
use telemetry_layer::ledger::Reason;
use telemetry_layer::model::Event;
use telemetry_layer::prelude::*;

use super::{Door, SOON, account, span};

fn small(back_pressure: Option<Duration>) -> Config {
    let mut config = Config::default();
    config.buffer_bytes = 256 << 10;
    config.exporter_bytes = 512 << 10;
    config.flush_interval = Duration::from_hours(1);
    config.back_pressure = back_pressure;
    config
}

#[test]
fn with_back_pressure_a_slow_exporter_loses_nothing() {
    for (buffer_bytes, exporter_bytes) in [(256 << 10, 512 << 10), (16 << 20, 64 << 10), (1 << 20, 1 << 20)] {
        let mut turns = 0;
        let slow = move |batch: &Batch| {
            // Slow by work, not by a clock.
            (0..2_000 * batch.len()).for_each(|n| turns = std::hint::black_box(turns + n));
        };
        let collector = Collector::builder()
            .config(small(Some(SOON)))
            .buffer_bytes(buffer_bytes)
            .exporter_bytes(exporter_bytes)
            .exporter(slow)
            .start()
            .unwrap();
        for n in 0..20_000 {
            collector.collect_span(&span(n));
            collector.collect_event(&Event::new(telemetry_layer::Level::INFO, "e", n));
        }
        let report = collector.shutdown(Duration::from_mins(1));
        assert!(report.is_complete(), "{exporter_bytes} bytes: {report}");
        for signal in [Signal::Spans, Signal::Events] {
            assert_eq!(account(report.ledger(), "closure", signal).delivered, 20_000);
        }
    }
}

#[test]
fn one_stuck_exporter_delays_a_fast_one_and_those_who_record_by_its_patience_and_no_longer() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let (door, fast) = (Door::default(), Discard::new());
    let stuck = door.clone();
    let collector = Collector::builder()
        .config(small(None))
        .exporter(Route::new(move |_: &Batch| stuck.pass()).back_pressure(PATIENCE))
        .exporter(fast.clone())
        .start()
        .unwrap();
    let (begin, mut longest) = (Instant::now(), Duration::ZERO);
    let mut waited = Duration::ZERO;
    for n in 0..100_000 {
        let one = Instant::now();
        collector.collect_span(&span(n));
        let took = one.elapsed();
        longest = longest.max(took);
        waited += if took > Duration::from_millis(20) { took } else { Duration::ZERO };
    }
    // Once for the whole episode, not once for each record, which would be hours; the rest is for a busy machine.
    assert!(longest < SOON, "{longest:?} for one span");
    assert!(waited < SOON, "{waited:?} for all of them, in {:?}", begin.elapsed());
    let begin = Instant::now();
    while fast.discarded(Signal::Spans) + lost(&collector) < 100_000 {
        collector.flush(Duration::from_millis(1));
        assert!(begin.elapsed() < SOON, "{}", collector.ledger());
    }
    let ledger = collector.ledger();
    assert!(account(&ledger, "closure", Signal::Spans).dropped.by(Reason::QueueFull) > 0, "{ledger}");
    assert_eq!(account(&ledger, "discard", Signal::Spans).dropped.total(), 0, "{ledger}");
    door.open();
    assert!(!collector.shutdown(SOON).is_complete());
}

fn lost(collector: &Collector) -> u64 {
    collector.ledger().signal(Signal::Spans).dropped.total()
}

#[test]
fn an_exporter_that_keeps_up_loses_nothing_although_its_memory_is_smaller_than_the_buffers() {
    let mut config = small(None);
    config.buffer_bytes = 16 << 20;
    config.exporter_bytes = 1 << 20;
    config.buffer_size = 64_000;
    let discard = Discard::new();
    let collector = Collector::builder().config(config).exporter(discard.clone()).start().unwrap();
    for round in 0..20 {
        (0..10_000).for_each(|n| collector.collect_span(&span(round * 10_000 + n)));
    }
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    assert_eq!(discard.discarded(Signal::Spans), 200_000);
}

#[test]
fn without_back_pressure_a_stuck_exporter_is_waited_for_by_nobody() {
    let (door, fast) = (Door::default(), Discard::new());
    let stuck = door.clone();
    let collector = Collector::builder()
        .config(small(None))
        .exporter(move |_: &Batch| stuck.pass())
        .exporter(fast.clone())
        .start()
        .unwrap();
    for n in 0..50_000 {
        collector.collect_span(&span(n));
        while n % 500 == 499 && fast.discarded(Signal::Spans) <= n {
            collector.flush(Duration::from_millis(1));
        }
    }
    let ledger = collector.ledger();
    assert_eq!((fast.discarded(Signal::Spans), lost(&collector)), (50_000, 0), "{ledger}");
    assert!(account(&ledger, "closure", Signal::Spans).dropped.by(Reason::QueueFull) > 0);
    door.open();
}

#[test]
fn a_flush_and_a_shutdown_work_while_an_exporter_presses() {
    let (door, fast) = (Door::default(), Discard::new());
    let stuck = door.clone();
    let collector = Collector::builder()
        .config(small(Some(Duration::from_millis(100))))
        .exporter(move |_: &Batch| stuck.pass())
        .exporter(fast.clone())
        .start()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let collector = &collector;
            scope.spawn(move || (0..5_000).for_each(|n| collector.collect_span(&span(thread * 5_000 + n))));
        }
    });
    let begin = Instant::now();
    assert!(!collector.flush(Duration::from_secs(1)).is_complete());
    assert!(!collector.shutdown(Duration::from_millis(500)).is_complete());
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    assert_eq!(fast.discarded(Signal::Spans) + lost(&collector), 15_000, "{}", collector.ledger());
    door.open();
}

#[test]
fn a_server_that_says_everything_fits_into_what_may_wait_by_default() {
    // A tonic server at TRACE: 684,027 items while its exporter was away.
    let door = Door::default();
    let away = door.clone();
    let exporter = move |batch: &Batch| {
        if batch.signal() != Signal::Metrics {
            away.pass();
        }
    };
    let collector = Collector::builder().ignore_env().buffer_size(10_000).exporter(exporter).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        for n in 0..342_000_u32 {
            let span = tracing::trace_span!("poll", id = n, state = "open");
            span.in_scope(|| tracing::trace!(frame = n, len = 16_384_u32, "received DATA"));
            // As fast as the dispatcher takes them, which on a busy machine is what a server's network does.
            while n % 5_000 == 0 && collector.ledger().signal(Signal::Spans).held > 20_000 {
                std::thread::yield_now();
            }
        }
    });
    door.open();
    let report = collector.shutdown(Duration::from_mins(1));
    assert!(report.is_complete(), "{report}");
    let (spans, events) = (report.ledger().signal(Signal::Spans), report.ledger().signal(Signal::Events));
    assert_eq!((spans.dispatched, events.dispatched), (342_000, 342_000));
}
