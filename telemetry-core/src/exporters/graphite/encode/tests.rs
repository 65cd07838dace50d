//! What is written is read back by carbon's own rules, written down once more.

#[allow(unreachable_pub, reason = "the fuzzer has it too")]
mod grammar;

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::{Point, is_space, read};
use proptest::prelude::*;

use super::*;
use crate::metrics::Snapshot;
use crate::model::{Buckets, HistogramValue, Kind, Metric, MetricValue, Resource, Tags};

const NANOS: u64 = 1_000_000_000;
const TIME: u64 = 1_700_000_000 * NANOS;

fn batch(metrics: Vec<Metric>, global: &str) -> Batch {
    let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "").unwrap());
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
}

fn written(metrics: Vec<Metric>) -> (String, Encoded) {
    let mut body = Vec::new();
    let encoded = put_batch(&mut body, &batch(metrics, ""), usize::MAX, "", MAX_LINE + 1);
    (String::from_utf8(body).unwrap(), encoded)
}

fn gauge(name: impl Into<crate::model::Text>, value: impl Into<Number>) -> Metric {
    Metric::new(Kind::Gauge, name, value, TIME)
}

fn tagged(tags: &[(&'static str, &'static str)]) -> Metric {
    let mut all = Tags::new();
    tags.iter().for_each(|(key, value)| all.insert(*key, *value).unwrap());
    gauge("a", 1).tags(all)
}

#[test]
fn a_point_is_a_line() {
    let (body, encoded) = written(vec![
        gauge("cpu.load", 0.5),
        tagged(&[("room", "7 b"), ("name", "own"), ("floor", ""), ("host", "~x~"), ("a", "x=y")]),
    ]);
    assert_eq!(body, "cpu.load 0.5 1700000000\na;a=x=y;host=_x~;_name=own;room=7_b 1 1700000000\n");
    assert_eq!(encoded, 2.into());
    // No two tags have one key.
    let (body, _) = written(vec![
        tagged(&[("name", "a"), ("_name", "b"), ("__name", "c")]),
        tagged(&[("name", "a"), ("_name", "")]),
    ]);
    assert_eq!(body, "a;__name=c;_name=b;___name=a 1 1700000000\na;_name=a 1 1700000000\n");
    let mut body = Vec::new();
    let all = batch(vec![tagged(&[("env", "own")])], "env: test, zone: eu");
    put_batch(&mut body, &all, usize::MAX, "shop.", MAX_LINE + 1);
    assert_eq!(String::from_utf8(body).unwrap(), "shop.a;env=own;zone=eu 1 1700000000\n");
}

#[test]
fn numbers_are_what_they_were() {
    let value = |number: Number| {
        let (line, encoded) = written(vec![gauge("a", number)]);
        assert_eq!(encoded, 1.into());
        line.split(' ').nth(1).unwrap().to_owned()
    };
    for (number, text) in [
        (Number::Int(i64::MIN), "-9223372036854775808"),
        (Number::Int((1 << 53) + 1), "9007199254740993"),
        (Number::Uint(u64::MAX), "18446744073709551615"),
        (Number::Float(3.0), "3.0"),
        (Number::Float(-0.0), "-0.0"),
        (Number::Float(0.1 + 0.2), "0.30000000000000004"),
    ] {
        assert_eq!(value(number), text);
    }
    for x in [1e18, 9_223_372_036_854_775_808.0, 1e300, f64::MIN, f64::MIN_POSITIVE] {
        assert_eq!(value(Number::Float(x)).parse(), Ok(x));
    }
}

#[test]
fn a_histogram_is_several_lines() {
    let mut metric = gauge("took", 0);
    let buckets = Buckets::Explicit { bounds: vec![1.0, 10.0], counts: vec![1, 3, 0] };
    let histogram = HistogramValue::of(buckets, 20.5, [0.5, 9.0], Vec::new());
    metric.value = MetricValue::Histogram(Box::new(histogram));
    let (body, encoded) = written(vec![metric]);
    let names: Vec<_> = body.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let of = ["count", "sum", "min", "max", "p50", "p90", "p95", "p99"];
    assert_eq!(names, of.map(|of| format!("took.{of}")));
    assert!(body.starts_with("took.count 4 1700000000\ntook.sum 20.5 1700000000\ntook.min 0.5 "), "{body}");
    assert_eq!(encoded, 1.into());
}

/// A delta knows neither its least nor its greatest value.
#[test]
fn each_of_two_deltas_has_the_same_lines() {
    let took = |histogram: HistogramValue| {
        let mut metric = gauge("took", 0);
        metric.value = MetricValue::Histogram(Box::new(histogram));
        let (body, _) = written(vec![metric]);
        let numbers = body.lines().map(|line| line.strip_suffix(" 1700000000").unwrap().to_owned());
        numbers.collect::<Vec<_>>()
    };
    let of = |counts: [u64; 3], sum| {
        let buckets = Buckets::Explicit { bounds: vec![1.0, 10.0], counts: counts.to_vec() };
        HistogramValue::of(buckets, sum, [0.5, 90.0], Vec::new())
    };
    let (first, both) = (of([1, 3, 1], 110.5), of([1, 7, 1], 130.5));
    assert_eq!(took(first.clone())[2..4], ["took.min 0.5", "took.max 90.0"]);
    let second = took(both.since(&first));
    assert_eq!(second[..4], ["took.count 4", "took.sum 20.0", "took.min 3.25", "took.max 10.0"]);
    assert_eq!(second.len(), took(first).len());
}

#[test]
fn what_can_not_be_said_is_refused() {
    let refused = |metric: Metric| {
        let (body, encoded) = written(vec![metric, gauge("other", 1)]);
        assert_eq!((encoded.items, encoded.rejected, &*body), (2, 1, "other 1 1700000000\n"));
        encoded.reason.into_owned()
    };
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(gauge("a", x)), "NaN and infinities are no numbers there");
    }
    assert_eq!(refused(gauge("", 1)), "it has no name");
    let early = Metric::new(Kind::Gauge, "a", 1, NANOS - 1);
    assert_eq!(refused(early), "its time is before 1970-01-01 00:00:01, which servers take for none");
    // Its sum is said after its count.
    let mut endless = gauge("a", 0);
    let buckets = Buckets::Explicit { bounds: vec![1.0], counts: vec![1, 0] };
    let histogram = HistogramValue::of(buckets, f64::INFINITY, [1.0, 1.0], Vec::new());
    endless.value = MetricValue::Histogram(Box::new(histogram));
    assert_eq!(refused(endless), "NaN and infinities are no numbers there");
}

#[test]
fn no_line_is_longer_than_carbon_takes() {
    let bytes = |n: usize| gauge("x".repeat(n), 1);
    let rest = " 1 1700000000\n".len();
    let put = |n: usize, max_line| {
        let mut body = Vec::new();
        let encoded = put_batch(&mut body, &batch(vec![bytes(n)], ""), usize::MAX, "", max_line);
        assert_eq!(body.is_empty(), encoded.rejected == 1);
        encoded.reason.into_owned()
    };
    // Without its end, as carbon counts.
    assert_eq!(put(MAX_LINE + 1 - rest, usize::MAX), "");
    assert_eq!(put(MAX_LINE + 2 - rest, usize::MAX), "its line has 16386 bytes, and 16385 are the most");
    assert_eq!(put(100 - rest, 100), "");
    assert_eq!(put(101 - rest, 100), "its line has 101 bytes, and 100 are the most");
}

#[test]
fn as_many_items_as_fit_are_taken() {
    let mut body = Vec::new();
    let all = batch(vec![gauge("a", 1), gauge("b", 1), gauge("c", 1)], "");
    let line = "a 1 1700000000\n".len();
    assert_eq!(put_batch(&mut body, &all, 2 * line, "", MAX_LINE), 2.into());
    assert_eq!(body.len(), 2 * line);
    body.clear();
    assert_eq!(put_batch(&mut body, &all, 1, "", MAX_LINE), 1.into());
}

/// Texts with what ends something on this wire or looks like it.
fn texts() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(vec![
        ' ', ';', '=', '!', '^', '~', '"', '{', '}', '\n', '\r', '\t', '\0', '\x0b', '\x1c', '\x1f', '\x7f',
        '\u{85}', '\u{a0}', '\u{2028}', '\u{3000}', '\u{200b}', '.', '/', ',', 'ü', '价', '🦀', 'a', 'b',
        '1', '-', '\\', '\'',
    ]);
    prop::collection::vec(prop_oneof![8 => awkward, 1 => any::<char>()], 0..12).prop_map(String::from_iter)
}

fn metrics() -> impl Strategy<Value = Metric> {
    let keys = prop_oneof![
        Just("name".to_owned()),
        Just("_name".to_owned()),
        Just("__name".to_owned()),
        Just("host".to_owned()),
        "[a-z/._-]{1,6}",
        "[äß价1-9]{1,3}"
    ];
    let tags = prop::collection::vec((keys, texts()), 0..5);
    let number = prop_oneof![any::<i64>().prop_map(Number::Int), prop::num::f64::ANY.prop_map(Number::Float)];
    (texts(), tags, number, any::<u64>()).prop_map(|(name, tags, number, time)| {
        let mut all = Tags::new();
        tags.into_iter().for_each(|(key, value)| all.insert(key, value).unwrap());
        Metric::new(Kind::Gauge, name, number, time).tags(all)
    })
}

/// What stands for a text that does not end.
fn shown(text: &str) -> String {
    let is_end = |c: char| c == ';' || is_space(c) || c.is_control();
    let shown = text.replace(is_end, "_");
    shown.strip_prefix('~').map_or(shown.clone(), |rest| format!("_{rest}"))
}

fn is_sayable(metric: &Metric) -> bool {
    !metric.identity.name.is_empty() && metric.number().as_f64().is_finite() && metric.time_unix_nano >= NANOS
}

proptest! {
    #[test]
    fn whatever_comes_is_read_as_it_was(metrics in prop::collection::vec(metrics(), 1..6)) {
        let (body, encoded) = written(metrics.clone());
        let sayable: Vec<_> = metrics.iter().filter(|metric| is_sayable(metric)).collect();
        prop_assert_eq!((encoded.items, encoded.rejected), (metrics.len(), metrics.len() - sayable.len()));
        prop_assert_eq!(body.matches('\n').count(), sayable.len());
        prop_assert!(body.is_empty() || body.ends_with('\n'));
        for (line, metric) in body.lines().zip(sayable) {
            let Point { name, tags, value, second } = read(line).map_err(TestCaseError::fail)?;
            prop_assert_eq!(value.to_bits(), metric.number().as_f64().to_bits());
            prop_assert_eq!(second, metric.time_unix_nano / NANOS);
            let has_value = metric.identity.tags.iter().filter(|(_, value)| !value.is_empty());
            let mut want: BTreeMap<_, _> = has_value.map(|(key, value)| (key.to_owned(), shown(value))).collect();
            if let Some(value) = want.remove("name") {
                let free = (1..=99).map(|n| format!("{}name", "_".repeat(n))).find(|key| !want.contains_key(key));
                want.insert(free.unwrap(), value);
            }
            // What would be OpenMetrics at the end of the path has lost its quote.
            let path = |name: &str, tags: &BTreeMap<String, String>| {
                tags.iter().fold(name.to_owned(), |path, (key, value)| format!("{path};{key}={value}"))
            };
            let [got, want] = [path(&name, &tags), path(&shown(&metric.identity.name), &want)];
            prop_assert_eq!(got.replace("_}", "\"}"), want.replace("_}", "\"}"));
        }
    }
}
