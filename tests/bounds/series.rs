//! Series without end, and points that nobody takes.

use std::sync::{Arc, Condvar, Mutex};

use telemetry_layer::Signal;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

use crate::{MIB, Seen, alone, builder, peak, small};

#[test]
fn series_are_weighed_by_what_they_take() {
    let _alone = alone();
    let collector = builder(&Seen::default()).configure(|c| c.max_series = 10_000).start().unwrap();
    let record = || {
        for n in 0..20_000_u64 {
            let (metric, tag) = (format!("m{}", n % 7), n.to_string());
            collector.histogram(metric).with(&[("k", &tag)]).record(n);
            collector.counter("c").with(&[("k", &tag)]).inc();
        }
        for n in 0..20_000 {
            collector.histogram(format!("name.{n}")).record(n);
        }
    };
    let (most, ()) = peak(record);
    assert!(most < 24 * MIB, "{most} bytes");
    let (metrics, ledger) = (collector.snapshot(), collector.ledger());
    let seven: f64 = (0..7).map(|n| metrics.total(&format!("m{n}"))).sum();
    let counts = |name: &str| {
        let all = metrics.iter().filter(|metric| metric.name().starts_with(name));
        all.map(|metric| metric.histogram().map_or(0, |histogram| histogram.count)).sum::<u64>()
    };
    assert_eq!((seven, metrics.total("c")), (20_000.0, 20_000.0), "nothing of it is lost");
    assert_eq!(counts("name.") + counts("telemetry.metrics.overflow"), 20_000);
    assert!(ledger.summed_up_measurements() > 10_000, "{ledger}");
    assert!(ledger.to_string().contains("summed up for lack of memory"), "{ledger}");
    assert!(metrics.named("m0").any(|metric| metric.tag("otel.metric.overflow") == Some("true")));
}

#[test]
fn a_series_that_is_over_gives_its_memory_back() {
    use telemetry_layer::clock::{Clock, ManualClock};
    let _alone = alone();
    let clock = ManualClock::new(1_000_000_000);
    let second = std::time::Duration::from_secs(1);
    let collector = Collector::builder()
        .ignore_env()
        .configure(small)
        .configure(move |c| (c.series_expiration, c.max_series) = (Some(10 * second), 20_000))
        .clock(Clock::manual(&clock))
        .exporter(|_: &Batch| ())
        .start()
        .unwrap();
    let histogram = collector.histogram("h");
    let fill = |round: u32| {
        for n in 0..6_000 {
            histogram.with(&[("k", &format!("{round}.{n}"))]).record(n);
        }
        collector.ledger().summed_up_measurements()
    };
    let first = fill(1);
    assert!(first > 1_000, "{first}");
    for _ in 0..3 {
        clock.advance(20 * second);
        assert!(collector.flush(SOON).is_complete());
    }
    let second = fill(2) - first;
    assert!(second < first + first / 4, "as many found room as before: {first}, then {second} did not");
}

#[test]
fn points_that_nobody_takes_are_weighed_by_what_they_take() {
    let _alone = alone();
    let door = Arc::new((Mutex::new(false), Condvar::new()));
    let stuck = Arc::clone(&door);
    let hangs = move |_: &Batch| {
        let (is_open, opened) = &*stuck;
        let is_closed = |is_open: &mut bool| !*is_open;
        drop(opened.wait_while(is_open.lock().unwrap(), is_closed).unwrap());
    };
    let collector = Collector::builder().ignore_env().configure(small).exporter(hangs).start().unwrap();
    let long = "v".repeat(50_000);
    let (most, ()) = peak(|| {
        for n in 0..4_000 {
            collector.record(format!("{n}{long}"), 1);
            if n % 100 == 0 {
                // They are moved on, and go no further.
                collector.flush(std::time::Duration::from_millis(1));
            }
        }
    });
    assert!(most < 12 * MIB, "{most} bytes");
    let ledger = collector.ledger();
    assert!(ledger.signal(Signal::Metrics).recorded >= 4_000 && ledger.balances(), "{ledger}");
    *door.0.lock().unwrap() = true;
    door.1.notify_all();
    assert!(collector.shutdown(SOON).ledger().balances());
}
