//! Numbers mean what they say: sums that only grow never fall and lose nothing, values keep their type, a series that stands
//! at 0 is there.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
use proptest::prelude::*;
use prost::Message as _;
use telemetry_core::__private::otlp::Writer;
use telemetry_layer::model::Number;

use super::*;

/// A whole number, exactly.
fn whole(number: Number) -> i128 {
    match number {
        Number::Int(n) => n.into(),
        Number::Uint(n) => n.into(),
        number => panic!("{number:?} is no whole number"),
    }
}

/// Among them those at which something could go wrong.
fn amount() -> impl Strategy<Value = u64> {
    const HALF: u64 = i64::MAX as u64;
    prop_oneof![
        prop::sample::select(vec![0, 1, 2, HALF / 2, HALF - 1, HALF, HALF + 1, u64::MAX - 1, u64::MAX]),
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    /// To the thread's own cell.
    Add(u64),
    /// By a thread that is in no scope, and by one that ends.
    AddElsewhere(u64),
    AddTagged(u64),
    Mark(u64),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => amount().prop_map(Step::Add),
        2 => amount().prop_map(Step::AddElsewhere),
        2 => amount().prop_map(Step::AddTagged),
        1 => amount().prop_map(Step::Mark),
        3 => Just(Step::Read),
    ]
}

const SUMS: [(&str, &[(&str, &str)]); 3] = [("sum", &[]), ("sum", &[("k", "v")]), ("meter", &[])];

/// What was added to each of the sums.
fn take(collector: &Collector, step: &Step, totals: &mut [i128; 3]) {
    match *step {
        Step::Add(n) => {
            collector.scoped(|| counter("sum").add(n));
            totals[0] += i128::from(n);
        }
        Step::AddElsewhere(n) => {
            collector.counter("sum").add(n);
            std::thread::scope(|scope| {
                let count = || collector.scoped(|| [0, n].map(|n| counter("sum").add(n)));
                scope.spawn(count).join().unwrap();
            });
            totals[0] += 2 * i128::from(n);
        }
        Step::AddTagged(n) => {
            collector.scoped(|| counter("sum").with(SUMS[1].1).add(n));
            totals[1] += i128::from(n);
        }
        Step::Mark(n) => {
            collector.meter("meter").mark(n);
            totals[2] += i128::from(n);
        }
        Step::Read => {}
    }
}

fn find<'a>(metrics: &'a Snapshot, (name, tags): (&'a str, &[(&str, &str)])) -> Option<MetricRef<'a>> {
    metrics.named(name).find(|metric| metric.own_tags().iter().eq(tags.iter().copied()))
}

/// So many readings give all that steps have added.
const ENOUGH: usize = 64;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_sum_falls_only_with_a_new_start_and_nothing_is_lost(steps in prop::collection::vec(step(), 0..20)) {
        let clock = ManualClock::new(1);
        let collector = builder().clock(Clock::manual(&clock)).start().unwrap();
        let mut totals = [0; 3];
        // Of each sum: its start, its last value, and what it had reached each time that it began anew.
        let mut seen = [(0, 0, 0); 3];
        let reads = std::iter::repeat_n(&Step::Read, ENOUGH);
        for step in steps.iter().chain(reads) {
            clock.advance(SECOND);
            take(&collector, step, &mut totals);
            if !matches!(step, Step::Read) {
                continue;
            }
            let metrics = collector.snapshot();
            for ((sum, seen), total) in SUMS.into_iter().zip(&mut seen).zip(totals) {
                let Some(metric) = find(&metrics, sum) else { continue };
                let (start, value) = (metric.start_time_unix_nano().unwrap(), whole(metric.number()));
                prop_assert!((0..=i128::from(u64::MAX)).contains(&value));
                if total <= i128::from(u64::MAX) {
                    prop_assert_eq!((value, seen.2), (total, 0), "exact, and since its start");
                }
                if start == seen.0 {
                    prop_assert!(value >= seen.1, "{} after {}", value, seen.1);
                } else {
                    prop_assert!(start > seen.0 && start < metric.time_unix_nano());
                    seen.2 += seen.1;
                }
                (seen.0, seen.1) = (start, value);
            }
        }
        prop_assert_eq!(seen.map(|(_, value, before)| before + value), totals);
    }

    #[test]
    fn deltas_add_up_to_all_that_was_added(steps in prop::collection::vec(step(), 0..20)) {
        let (clock, deltas, collector) = ending();
        let mut totals = [0; 3];
        let flushes = std::iter::repeat_n(&Step::Read, ENOUGH);
        for (at, step) in steps.iter().chain(flushes).enumerate() {
            take(&collector, step, &mut totals);
            if matches!(step, Step::Read) {
                flush_after(&clock, &collector, 1);
            } else if at % 2 == 0 {
                // Somebody else looks at it in between.
                clock.advance(SECOND);
                collector.snapshot();
            }
        }
        let all = deltas.all();
        for ((name, tags), total) in SUMS.into_iter().zip(totals) {
            let is = |m: &&Metric| m.identity.name == name && m.identity.tags.iter().eq(tags.iter().copied());
            let given = all.iter().filter(is).map(|metric| whole(metric.number())).sum::<i128>();
            prop_assert_eq!(given, total, "{}", name);
        }
    }
}

/// More readings than a series that is idle has.
#[test]
fn a_sum_is_not_idle_before_all_of_it_was_given() {
    let (clock, deltas, collector) = ending();
    (0..30).for_each(|_| collector.counter("sum").add(u64::MAX));
    (0..ENOUGH).for_each(|_| flush_after(&clock, &collector, 1));
    let all = deltas.all();
    let given =
        all.iter().filter(|metric| metric.identity.name == "sum").map(|metric| whole(metric.number()));
    assert_eq!(given.sum::<i128>(), 30 * i128::from(u64::MAX));
}

#[test]
fn a_sum_of_both_signs_is_exact_whatever_it_was_before() {
    let collector = builder().start().unwrap();
    let open = collector.up_down_counter("open");
    let read = || whole(one(&collector.snapshot(), "open").number());
    collector.scoped(|| {
        (0..3).for_each(|_| open.add(i64::MAX));
        assert_eq!(read(), i128::from(u64::MAX), "there is no larger number");
        (0..3).for_each(|_| open.add(-i64::MAX));
        assert_eq!(read(), 0);
        (0..2).for_each(|_| open.add(i64::MIN));
        assert_eq!(read(), i128::from(i64::MIN));
        open.add(u64::MAX);
        assert_eq!(read(), -1);
    });
}

#[test]
fn the_sums_of_a_callback_begin_anew_too() {
    let clock = ManualClock::new(1);
    let collector = builder().clock(Clock::manual(&clock)).start().unwrap();
    let says = Arc::new(Mutex::new(0u64));
    let of = Arc::clone(&says);
    collector.counter("read").observe(move || *of.lock().unwrap());
    let mut starts = Vec::new();
    // It falls by one, which no float can tell, and its source begins anew with each fall.
    for (said, is) in [(u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX - 1), (5, 5), (7, 7)] {
        *says.lock().unwrap() = said;
        clock.advance(SECOND);
        let metrics = collector.snapshot();
        let metric = one(&metrics, "read");
        assert_eq!(metric.number(), Number::from(is));
        starts.push(metric.start_time_unix_nano().unwrap());
    }
    assert!(starts.is_sorted() && starts[0] < starts[1] && starts[1] < starts[2], "{starts:?}");
    assert_eq!(starts[2], starts[3], "now it only grows");
}

#[test]
fn a_metric_that_has_had_a_float_is_one_from_then_on_and_does_not_fall() {
    let collector = builder().start().unwrap();
    let exact = (1i64 << 53) + 1;
    collector.scoped(|| {
        counter("c").add(exact);
        counter("c").with(&[("k", "v")]).add(1);
        up_down_counter("u").add(0.5);
        up_down_counter("u").add(-0.5);
        counter("zero").add(-0.0);
        gauge("g").set(1);
    });
    let of = |metrics: &Snapshot, name| metrics.named(name).map(|m| m.number()).collect::<Vec<_>>();
    let first = collector.snapshot();
    assert_eq!(of(&first, "c"), [Number::Int(exact), Number::Int(1)]);
    assert_eq!(of(&first, "u"), [Number::Float(0.0)], "floats that add up to nothing");
    assert_eq!((of(&first, "zero"), of(&first, "g")), (vec![Number::Float(0.0)], vec![Number::Int(1)]));
    collector.scoped(|| {
        counter("c").with(&[("k", "w")]).add(0.25);
        gauge("g").set(1.5);
    });
    collector.snapshot();
    collector.gauge("g").set(2);
    let then = collector.snapshot();
    // No float is between these.
    let above = (exact + 1) as f64;
    assert_eq!(of(&then, "c"), [above, 1.0, 0.25].map(Number::Float), "all of its series");
    assert_eq!(of(&then, "g"), [Number::Float(2.0)]);
}

/// The values of each data point that OTLP has, by metric.
fn on_the_wire(change: impl Fn(&Collector, u8)) -> Vec<(String, Vec<Value>)> {
    let (sent, writer) = (Arc::new(Mutex::new(Vec::new())), Writer::new());
    let to = Arc::clone(&sent);
    let send = move |batch: &Batch| -> Result<Delivery, ExportError> {
        let mut body = Vec::new();
        assert_eq!(writer.write(batch, 1 << 20, &mut body), batch.len());
        to.lock().unwrap().push(ExportMetricsServiceRequest::decode(&*body).unwrap());
        Ok(Delivery::all())
    };
    let collector = builder().exporter(send).flush_interval(Duration::from_hours(1)).start().unwrap();
    for round in 0..3 {
        change(&collector, round);
        assert!(collector.flush(10 * SECOND).is_complete());
    }
    let mut all = Vec::<(String, Vec<Value>)>::new();
    let requests = std::mem::take(&mut *sent.lock().unwrap());
    let of_all = requests.into_iter().flat_map(|request| request.resource_metrics);
    for metric in of_all.flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics) {
        let points = match metric.data.unwrap() {
            Data::Gauge(gauge) => gauge.data_points,
            Data::Sum(sum) => sum.data_points,
            data => panic!("{data:?}"),
        };
        let values = points.into_iter().map(|point| point.value.unwrap());
        match all.iter_mut().find(|(name, _)| *name == metric.name) {
            Some((_, all)) => all.extend(values),
            None => all.push((metric.name, values.collect())),
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn otlp_has_whole_numbers_until_one_is_too_large_for_it() {
    let seen = on_the_wire(|collector, round| {
        collector.counter("grows").add(if round == 0 { i64::MAX as u64 } else { 1 });
        collector.gauge("jumps").set([1, u64::MAX, 2][usize::from(round)]);
        collector.gauge("low").set([-1i128, i128::from(i64::MIN), 7][usize::from(round)]);
        collector.gauge("huge").set([u128::MAX, 1, 1][usize::from(round)]);
    });
    let (whole, float) = (Value::AsInt, Value::AsDouble);
    let two_to_63 = 63f64.exp2();
    let wide = [u128::MAX as f64, 1.0, 1.0];
    assert_eq!(
        seen,
        [
            ("grows".to_owned(), vec![whole(i64::MAX), float(two_to_63), float(two_to_63)]),
            ("huge".to_owned(), wide.map(float).to_vec()),
            ("jumps".to_owned(), vec![whole(1), float(u64::MAX as f64), float(2.0)]),
            ("low".to_owned(), vec![whole(-1), whole(i64::MIN), whole(7)]),
        ]
    );
}

#[test]
fn json_and_the_console_have_whole_numbers_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let collector = builder().endpoint(format!("file:{}", folder.path().display())).start().unwrap();
    collector.counter("most").add(u64::MAX);
    collector.gauge("least").set(i64::MIN);
    assert!(collector.shutdown(10 * SECOND).is_complete());
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    let text: String =
        files.filter(|file| file.is_file()).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let value = |name: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["name"] == name).map(|line| line["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(value("most"), [serde_json::json!(u64::MAX)]);
    assert_eq!(value("least"), [serde_json::json!(i64::MIN)]);
    assert_eq!(Number::from(u64::MAX).to_string(), "18446744073709551615");
    for number in [Number::Uint(u64::MAX), Number::Int(i64::MIN), Number::Float(1.0)] {
        let written = serde_json::to_string(&number).unwrap();
        assert_eq!(serde_json::from_str::<Number>(&written).unwrap(), number, "{written}");
    }
}

#[telemetry_layer::time_me(active)]
fn counted_while_it_runs() {}

#[test]
fn what_stands_at_0_is_there_for_each_collector_that_used_it() {
    let use_all = || {
        counted_while_it_runs();
        up_down_counter("up.down").inc();
        up_down_counter("up.down").dec();
        up_down_counter("down.up").dec();
        up_down_counter("down.up").inc();
        counter("nothing").add(0);
        counter("nothing.tagged").with(&[("k", "v")]).add(0);
        meter("meter").mark(0);
    };
    let names = ["down.up", "function.active", "meter", "nothing", "nothing.tagged", "up.down"];
    // Where it was used before, on another thread, and by another collector.
    let first = builder().start().unwrap();
    first.scoped(use_all);
    let collector = builder().start().unwrap();
    let is_there = |collector: &Collector| {
        let metrics = collector.snapshot();
        names.map(|name| metrics.named(name).next().map(|metric| metric.number()))
    };
    std::thread::scope(|scope| {
        // The page of this thread is there before the first use.
        let again = || collector.scoped(|| [counter("other").inc(), use_all(), use_all()]);
        scope.spawn(again).join().unwrap();
        assert_eq!(is_there(&collector), [Some(Number::Int(0)); 6]);
        scope.spawn(|| first.scoped(use_all)).join().unwrap();
    });
    assert_eq!(is_there(&first), [Some(Number::Int(0)); 6]);
}
