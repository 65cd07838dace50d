//! Series that nobody uses end, give their place to others, and begin anew.

use telemetry_layer::Level;
use telemetry_layer::model::Metric;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::{assert_counter, assert_histogram};

use crate::{Pull, ending, flush_after, one};

#[test]
fn an_idle_series_ends_gives_its_place_to_others_and_begins_anew() {
    let (clock, deltas, collector) = ending();
    let count = |tag: &str, n: u64| collector.scoped(|| counter("c").with(&[("t", tag)]).add(n));
    for tag in ["a", "b", "c"] {
        count(tag, 5);
    }
    flush_after(&clock, &collector, 1);
    for _ in 0..12 {
        count("a", 1);
        flush_after(&clock, &collector, 1);
    }
    let metrics = collector.snapshot();
    assert_counter(&metrics, "c", &[("t", "a")], 17);
    assert_eq!(metrics.len(), 1, "b and c are over: {metrics:?}");
    for tag in ["d", "e"] {
        count(tag, 100);
    }
    count("f", 1000);
    let metrics = collector.snapshot();
    assert_counter(&metrics, "c", &[("t", "d")], 100);
    assert_counter(&metrics, "c", &[("otel.metric.overflow", "true")], 1000);
    // b is counted again: on the cell that this thread still has, or on a new one.
    count("b", 3);
    let again = clock.clone();
    flush_after(&again, &collector, 1);
    let metrics = collector.snapshot();
    assert_eq!(metrics.total("c"), 17.0 + 200.0 + 1003.0);
    // Over the whole time nothing was lost.
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 27.0 + 200.0 + 1003.0);
}

#[test]
fn a_series_that_begins_anew_says_since_when() {
    let (clock, deltas, collector) = ending();
    let (fixed, size) = (collector.counter("fixed"), collector.histogram("size"));
    collector.scoped(|| {
        fixed.add(7);
        size.record(4);
        flush_after(&clock, &collector, 1);
        let began = one(&collector.snapshot(), "fixed").start_time_unix_nano().unwrap();
        flush_after(&clock, &collector, 30);
        assert!(collector.snapshot().is_empty(), "{:?}", collector.snapshot());
        flush_after(&clock, &collector, 5);
        fixed.add(2);
        size.record(16);
        flush_after(&clock, &collector, 5);
        let metrics = collector.snapshot();
        assert_counter(&metrics, "fixed", &[], 2);
        assert_histogram(&metrics, "size", &[], 1, 16.0);
        let metric = one(&metrics, "fixed");
        let (start, end) = (metric.start_time_unix_nano().unwrap(), metric.time_unix_nano());
        assert!(start > began && end - start == 5_000_000_000, "{began}, {start}, {end}");
    });
    assert_eq!(deltas.of("fixed"), [7.0, 2.0]);
    let windows: Vec<_> =
        deltas.all().iter().map(|m| (m.start_time_unix_nano.unwrap(), m.time_unix_nano)).collect();
    assert!(windows.iter().all(|(start, end)| start < end), "{windows:?}");
}

#[test]
fn no_series_ends_before_a_reader_has_seen_it_nor_an_up_down_counter_that_is_not_0() {
    let (clock, _, collector) = ending();
    let pull = Pull::default();
    collector.reader(pull.clone()).unwrap();
    collector.scoped(|| {
        counter("c").inc();
        up_down_counter("in_flight").inc();
        gauge("g").set(1);
    });
    flush_after(&clock, &collector, 1);
    flush_after(&clock, &collector, 30);
    assert_eq!(collector.snapshot().len(), 3, "the reader has seen nothing yet");
    let source = pull.0.lock().unwrap().clone().unwrap();
    assert_eq!(source.read().len(), 3);
    flush_after(&clock, &collector, 1);
    let left = collector.snapshot();
    assert_counter(&left, "in_flight", &[], 1);
    assert_eq!((left.len(), source.read().len()), (1, 1));
    collector.scoped(|| up_down_counter("in_flight").dec());
    flush_after(&clock, &collector, 1);
    source.read();
    flush_after(&clock, &collector, 30);
    assert!(collector.snapshot().is_empty());
    collector.scoped(|| gauge("g").set(2));
    assert_counter(&collector.snapshot(), "g", &[], 2);
}

#[test]
fn the_places_of_series_that_are_over_are_free_for_others() {
    let (clock, deltas, collector) = ending();
    for round in 0..50 {
        collector.scoped(|| {
            for tag in 0..3 {
                let value = format!("{round}.{tag}");
                counter("c").with(&[("t", &value)]).inc();
            }
        });
        flush_after(&clock, &collector, 1);
        flush_after(&clock, &collector, 11);
        flush_after(&clock, &collector, 1);
    }
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 150.0);
    let overflow = |m: &Metric| m.identity.tags.get("otel.metric.overflow").is_some();
    assert!(!deltas.all().iter().any(overflow), "there was room for each round");
}

#[test]
fn levels_of_one_metric_are_one_sum_for_deltas_and_end_together() {
    let (clock, deltas, collector) = ending();
    let source = Pull::default();
    collector.reader(source.clone()).unwrap();
    let source = source.0.lock().unwrap().clone().unwrap();
    let info = collector.counter("c").level(Level::INFO);
    let warn = collector.counter("c").level(Level::WARN);
    warn.add(1);
    flush_after(&clock, &collector, 1);
    info.add(100);
    flush_after(&clock, &collector, 1);
    source.read();
    warn.add(1);
    flush_after(&clock, &collector, 1);
    for _ in 0..4 {
        flush_after(&clock, &collector, 20);
    }
    assert_counter(&collector.snapshot(), "c", &[], 102);
    source.read();
    flush_after(&clock, &collector, 20);
    assert!(collector.snapshot().is_empty());
    info.add(1);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 103.0);
}

#[test]
fn a_long_task_of_a_series_that_is_over_begins_it_anew() {
    let (clock, deltas, collector) = ending();
    let job = collector.timer("job").long_task();
    (0..10).for_each(|_| drop(job.start()));
    for _ in 0..4 {
        flush_after(&clock, &collector, 10);
    }
    assert!(collector.snapshot().is_empty());
    let running = job.start();
    flush_after(&clock, &collector, 60);
    flush_after(&clock, &collector, 60);
    assert_counter(&collector.snapshot(), "job.active", &[], 1);
    drop(running);
    for _ in 0..3 {
        flush_after(&clock, &collector, 10);
    }
    let counts: u64 = deltas.all().iter().filter_map(|m| m.histogram()).map(|h| h.count).sum();
    assert_eq!((counts, deltas.of("job.active").iter().sum::<f64>()), (11, 0.0));
}

#[test]
fn the_wall_clock_may_be_set_back_between_two_lives() {
    let (clock, deltas, collector) = ending();
    let counter = collector.counter("c");
    counter.add(100);
    flush_after(&clock, &collector, 1);
    clock.step_wall(1_000);
    flush_after(&clock, &collector, 30);
    flush_after(&clock, &collector, 30);
    counter.add(1);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.of("c"), [100.0, 1.0]);
}
