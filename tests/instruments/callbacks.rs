//! What is asked of a callback when metrics are read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use telemetry_layer::metrics::View;
use telemetry_layer::model::Temporality;
use telemetry_layer::testing::{Memory, assert_counter};

use crate::{Deltas, SECOND, builder};

#[test]
fn what_the_system_counts_is_observed() {
    let memory = Memory::new();
    let deltas = Deltas::default();
    let collector = builder().exporter(memory.clone()).exporter(deltas.clone()).start().unwrap();
    let bytes = Arc::new(AtomicU64::new(500));
    let (read, threads) = (Arc::clone(&bytes), Arc::new(AtomicI64::new(3)));
    collector.counter("net.bytes").unit("By").tag("if", "lo").observe(move || read.load(Relaxed));
    collector.up_down_counter("threads").observe(move || threads.load(Relaxed));
    collector.gauge("load").observe(|| 0.5);
    let metrics = collector.snapshot();
    assert_counter(&metrics, "net.bytes", &[("if", "lo")], 500);
    assert_counter(&metrics, "threads", &[], 3);
    assert_counter(&metrics, "load", &[], 0.5);
    collector.flush(SECOND);
    bytes.store(700, Relaxed);
    collector.flush(SECOND);
    // The device was reset.
    bytes.store(40, Relaxed);
    collector.flush(SECOND);
    assert_counter(&collector.snapshot(), "net.bytes", &[("if", "lo")], 740);
    // The same number from another callback is not counted again.
    collector.counter("net.bytes").unit("By").tag("if", "lo").observe(|| 40);
    collector.flush(SECOND);
    assert_counter(&collector.snapshot(), "net.bytes", &[("if", "lo")], 740);
    assert_eq!(deltas.of("net.bytes"), [500.0, 200.0, 40.0]);
    assert!(memory.kept().metrics.iter().all(|m| m.temporality == Temporality::Cumulative));
}

#[test]
fn a_callback_that_hangs_or_panics_costs_the_others_nothing() {
    let collector = builder().configure(|c| c.callback_timeout = SECOND).start().unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    collector.gauge("a.first").observe(|| 1);
    collector.gauge("b.hangs").observe(move || wait.lock().unwrap().recv().map_or(2, |()| 2));
    // Not `panic!`, whose hook may write a backtrace for longer than anybody waits.
    collector.gauge("c.panics").observe(|| -> f64 { std::panic::resume_unwind(Box::new("in a callback")) });
    collector.gauge("d.last").observe(|| 4);
    let nested = collector.clone();
    collector.gauge("e.asks").observe(move || nested.snapshot().named("a.first").count());
    for _ in 0..2 {
        let metrics = collector.snapshot();
        assert_counter(&metrics, "a.first", &[], 1);
        assert_counter(&metrics, "d.last", &[], 4);
        assert_counter(&metrics, "e.asks", &[], 0);
        assert_eq!((metrics.named("b.hangs").count(), metrics.named("c.panics").count()), (0, 0));
    }
    assert_eq!(collector.ledger().refused_measurements(), 3, "late once, panicked twice");
    drop(go_on);
    let until = Instant::now() + 10 * SECOND;
    while collector.snapshot().named("b.hangs").next().is_none() {
        assert!(Instant::now() < until, "it returned, and is asked again");
    }
}

#[test]
fn a_callback_that_gives_nothing_for_once_is_not_counted_twice() {
    let deltas = Deltas::default();
    let collector = builder().exporter(deltas.clone()).start().unwrap();
    let bad = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&bad);
    collector.counter("c").observe(move || {
        assert!(read.load(Relaxed) == 0, "in a callback");
        100
    });
    for now in [0, 1, 0] {
        bad.store(now, Relaxed);
        collector.counter("other").inc();
        assert!(collector.flush(10 * SECOND).is_complete());
    }
    assert_eq!(deltas.of("c"), [100.0]);
}

#[test]
fn a_shutdown_does_not_wait_for_a_callback_beyond_its_deadline() {
    let collector = builder().configure(|c| c.callback_timeout = 60 * SECOND).start().unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    collector.gauge("slow").observe(move || wait.lock().unwrap().recv().map_or(1, |()| 1));
    let begin = Instant::now();
    collector.shutdown(Duration::from_millis(100));
    assert!(begin.elapsed() < 30 * SECOND);
    drop(go_on);
}

#[test]
fn callbacks_of_one_metric_after_a_view_are_one_sum() {
    let collector = builder().view(View::new("c").without_tags(["k"])).start().unwrap();
    collector.counter("c").tag("k", "a").observe(|| 1);
    collector.counter("c").tag("k", "b").observe(|| 2);
    collector.counter("c").add(4);
    assert_counter(&collector.snapshot(), "c", &[], 7);
}
