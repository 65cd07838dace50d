//! Metrics as a whole program sees them: totals against a simple reference, and memory that stays flat.

use std::collections::BTreeMap;

use proptest::prelude::*;
use telemetry_layer::metrics::Snapshot;
use telemetry_layer::prelude::*;

/// What a thread does. Sites, tags and values are small numbers, so that threads meet.
#[derive(Clone, Debug)]
enum Step {
    Count(u8, u16),
    Float(u8, u8),
    UpDown(u8, i16),
    Tagged(u8, u8, u16),
    Record(u8, u16),
    RecordTagged(u8, u8, u16),
    /// The rest is done by another thread, and this one ends.
    HandOn,
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4u8, any::<u16>()).prop_map(|(s, n)| Step::Count(s, n)),
        1 => (0..4u8, any::<u8>()).prop_map(|(s, n)| Step::Float(s, n)),
        3 => (0..2u8, any::<i16>()).prop_map(|(s, n)| Step::UpDown(s, n)),
        6 => (0..3u8, 0..12u8, any::<u16>()).prop_map(|(s, t, n)| Step::Tagged(s, t, n)),
        6 => (0..3u8, any::<u16>()).prop_map(|(s, n)| Step::Record(s, n)),
        3 => (0..2u8, 0..6u8, any::<u16>()).prop_map(|(s, t, n)| Step::RecordTagged(s, t, n)),
        1 => Just(Step::HandOn),
        1 => Just(Step::Read),
    ]
}

/// Totals by name, and by name and tag where the tag has a series of its own.
type Totals = BTreeMap<String, (f64, u64)>;

fn expected(threads: &[Vec<Step>]) -> Totals {
    let mut totals = Totals::new();
    let mut add = |name: String, n: f64| {
        let total = totals.entry(name).or_default();
        *total = (total.0 + n, total.1 + 1);
    };
    for step in threads.iter().flatten() {
        match step {
            Step::Count(s, n) => add(format!("count.{s}"), f64::from(*n)),
            Step::Float(s, n) => add(format!("count.{s}"), f64::from(*n) / 4.0),
            Step::UpDown(s, n) => add(format!("updown.{s}"), f64::from(*n)),
            Step::Tagged(s, _, n) => add(format!("tagged.{s}"), f64::from(*n)),
            Step::Record(s, n) => add(format!("histogram.{s}"), f64::from(*n)),
            Step::RecordTagged(s, _, n) => add(format!("histogram.tagged.{s}"), f64::from(*n)),
            Step::HandOn | Step::Read => {}
        }
    }
    totals
}

fn run(collector: &Collector, steps: &[Step]) {
    collector.scoped(|| {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Count(s, n) => counter(format!("count.{s}")).add(*n),
                Step::Float(s, n) => counter(format!("count.{s}")).add(f64::from(*n) / 4.0),
                Step::UpDown(s, n) => up_down_counter(format!("updown.{s}")).add(*n),
                Step::Tagged(s, t, n) => {
                    counter(format!("tagged.{s}")).with(&[("t", &t.to_string())]).add(*n);
                }
                Step::Record(s, n) => histogram(format!("histogram.{s}")).record(*n),
                Step::RecordTagged(s, t, n) => {
                    let tags = [("t", &*t.to_string()), ("u", "x")];
                    histogram(format!("histogram.tagged.{s}")).with(&tags).record(*n);
                }
                Step::Read => assert_consistent(&collector.snapshot()),
                Step::HandOn => {
                    let rest = &steps[at + 1..];
                    std::thread::scope(|scope| scope.spawn(|| run(collector, rest)).join()).unwrap();
                    return;
                }
            }
        }
    });
}

/// The count of a histogram is the sum of its buckets at every moment.
fn assert_consistent(snapshot: &Snapshot) {
    for h in snapshot.iter().filter_map(|m| m.histogram()) {
        assert_eq!(h.count, h.by_upper_bound().map(|bucket| bucket.1).sum::<u64>());
    }
}

fn totals(snapshot: &Snapshot) -> Totals {
    let mut totals = Totals::new();
    for metric in snapshot.iter() {
        let total = totals.entry(metric.name().to_owned()).or_default();
        total.0 += metric.number().as_f64();
        total.1 += metric.histogram().map_or(0, |h| h.count);
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn totals_are_those_of_a_simple_reference(
        threads in prop::collection::vec(prop::collection::vec(step(), 0..200), 1..4),
        max_series in 1..20usize,
        bytes in prop_oneof![Just(1usize), Just(20_000), Just(1 << 20)],
    ) {
        let builder = Collector::builder().ignore_env();
        let collector = builder.configure(move |c| (c.max_series, c.metrics_bytes) = (max_series, bytes)).start().unwrap();
        std::thread::scope(|scope| {
            for steps in &threads {
                scope.spawn(|| run(&collector, steps));
            }
        });
        let (got, want) = (totals(&collector.snapshot()), expected(&threads));
        for (name, (sum, count)) in &want {
            let (got_sum, got_count) = got.get(name).copied().unwrap_or_default();
            prop_assert!((got_sum - sum).abs() < 1e-6, "{}: {} for {}", name, got_sum, sum);
            if name.starts_with("histogram") {
                prop_assert_eq!(got_count, *count, "{}", name);
            }
        }
        prop_assert_eq!(got.len(), want.len());
    }
}

/// Resident memory of this process.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_while_ever_new_tag_values_come() {
    let collector = Collector::builder().ignore_env().start().unwrap();
    // A debug build is slow; what could grow grows with each value.
    let n: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    let (counter, histogram) = (collector.counter("c"), collector.histogram("h"));
    let count = |from: u64, to: u64| {
        collector.scoped(|| {
            for i in from..to {
                let value = i.to_string();
                counter.with(&[("user", &value)]).inc();
                if i % 10 == 0 {
                    histogram.with(&[("user", &value)]).record(i);
                }
            }
        });
    };
    count(0, n / 10);
    let before = resident();
    count(n / 10, n);
    let grown = resident().saturating_sub(before);
    let snapshot = collector.snapshot();
    assert_eq!((snapshot.total("c"), snapshot.total("h")), (n as f64, (n / 10) as f64), "nothing is lost");
    assert!(snapshot.len() <= 2 * 2001, "{} series", snapshot.len());
    assert!(grown < 8 << 20, "{grown} bytes more");
}
