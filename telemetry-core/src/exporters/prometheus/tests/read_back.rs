//! Whatever a snapshot holds, its pages are read back as what it was: text by a strict reader, protobuf by prost.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;

use super::super::*;
use super::made::{exemplar, holding, metric, snapshots};
use super::{OPEN_METRICS, PROTOBUF, bare, grammar, histogram, read, showing};
use crate::model::exponential::{lower_bound, upper_bound};
use crate::model::{Buckets, HistogramValue, Kind};

/// `io.prometheus.client.MetricFamily`, as its schema has it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricFamily {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(uint32, tag = "3")]
    kind: u32,
    #[prost(message, repeated, tag = "4")]
    pub(super) metric: Vec<OneMetric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OneMetric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Value>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Value>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

pub(super) fn families(mut body: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !body.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut body).unwrap());
    }
    families
}

/// Index and count of each bucket, as Prometheus reads them.
fn buckets(spans: &[Span], deltas: &[i64]) -> BTreeMap<i64, i64> {
    let (mut at, mut count, mut deltas) = (0_i64, 0, deltas.iter());
    let mut all = BTreeMap::new();
    for (n, span) in spans.iter().enumerate() {
        assert!(n == 0 || span.offset >= 0, "{spans:?}");
        at += i64::from(span.offset);
        for _ in 0..span.length {
            count += deltas.next().unwrap();
            if count > 0 {
                all.insert(at, count);
            }
            at += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    all
}

/// A native histogram holds what an exponential one did, but for what counts as 0.
fn check_native(native: &Histogram, histogram: &HistogramValue) {
    let mut held = histogram.buckets.clone();
    if matches!(&held, Buckets::Exponential { scale: ..-4, .. }) {
        held = *histogram.octaves.clone().unwrap();
        held.coarsen(-4);
    }
    let Buckets::Exponential { scale, zero_count, positive, negative } = &held else {
        assert_eq!((native.schema, native.zero_threshold), (None, 0.0));
        return;
    };
    assert_eq!((native.schema, native.zero_threshold), (Some(*scale), 1e-128));
    let mut zeros = *zero_count;
    for (held, spans, deltas) in [
        (positive, &native.positive_span, &native.positive_delta),
        (negative, &native.negative_span, &native.negative_delta),
    ] {
        let mut read = buckets(spans, deltas);
        for (index, n) in held {
            if let Some(count) = read.remove(&(i64::from(*index) + 1)) {
                assert_eq!(count as u64, *n);
                assert!(upper_bound(*scale, *index) > 1e-128);
            } else {
                assert!(lower_bound(*scale, *index) < 1e-128);
                zeros += n;
            }
        }
        assert_eq!(read, BTreeMap::new());
    }
    assert_eq!(native.zero_count, zeros);
    assert_eq!(native.count, histogram.count);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn any_snapshot_becomes_pages_that_are_read(
        snapshot in snapshots(),
        translation in prop::sample::select(vec![
            Translation::UnderscoreEscapingWithSuffixes,
            Translation::UnderscoreEscapingWithoutSuffixes,
            Translation::NoUtf8EscapingWithSuffixes,
            Translation::NoTranslation,
        ]),
        escaping in prop::sample::select(vec!["underscores", "dots", "values", "allow-utf-8"]),
        is_full: bool,
    ) {
        let page = if is_full { Prometheus::new().resource_labels(["*"]) } else { bare() };
        let page = showing(page.translation(translation).silent(), snapshot.clone());
        for accept in ["text/plain;version=1.0.0", OPEN_METRICS] {
            let (families, text) = read(&page, &format!("{accept};escaping={escaping}"));
            let target = usize::from(is_full);
            let of_series = |sample: &&grammar::Sample| {
                let is_first = |le: &String| le == "+Inf";
                !sample.name.ends_with("_created") && sample.labels.get("le").is_none_or(is_first)
            };
            let series = families.iter().map(|family| match &*family.kind {
                "histogram" => family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")).filter(of_series).count(),
                "counter" if accept == OPEN_METRICS => family.samples.iter().filter(|sample| sample.name.ends_with("_total")).count(),
                _ => family.samples.len(),
            });
            prop_assert_eq!(series.sum::<usize>() - target + page.left_out() as usize, snapshot.len(), "{}", text);
            // Another time, from what is known by then.
            prop_assert_eq!(read(&page, &format!("{accept};escaping={escaping}")).1, text);
        }
        let body = page.respond(&format!("{PROTOBUF};escaping={escaping}"), "").into_body();
        let series: usize = families(&body).iter().map(|family| family.metric.len()).sum();
        prop_assert_eq!(series - usize::from(is_full) + page.left_out() as usize, snapshot.len());
    }

    /// Each value is what it was.
    #[test]
    fn values_are_read_back(snapshot in snapshots()) {
        // Names that nothing becomes like.
        let snapshot: Vec<_> = snapshot.into_iter().enumerate().map(|(n, mut metric)| {
            let identity = std::sync::Arc::make_mut(&mut metric.identity);
            (identity.name, identity.unit) = (format!("m{n:02}").into(), "".into());
            metric
        }).collect();
        let page = showing(bare().silent(), snapshot.clone());
        let texts = ["", OPEN_METRICS].map(|accept| read(&page, accept).0);
        let messages = families(page.respond(PROTOBUF, "").body());
        prop_assert_eq!(messages.len(), snapshot.len());
        for (n, metric) in snapshot.iter().enumerate() {
            let name = format!("m{n:02}");
            let message = messages.iter().find(|family| family.name.starts_with(&name)).unwrap().metric[0].clone();
            for (families, total) in texts.iter().zip(["", "_total"]) {
                let Some(family) = families.iter().find(|family| family.name.starts_with(&name)) else {
                    // The only one that OpenMetrics has no way to write.
                    prop_assert!(metric.identity.kind == Kind::Counter && (metric.number().as_f64() < 0.0 || metric.number().as_f64().is_nan()) && total == "_total");
                    continue;
                };
                if let Some(histogram) = metric.histogram() {
                    let counts: Vec<f64> = family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")).map(grammar::Sample::number).collect();
                    let native = message.histogram.as_ref().unwrap();
                    prop_assert_eq!(native.bucket.iter().map(|bucket| bucket.count as f64).collect::<Vec<_>>(), counts);
                    prop_assert_eq!((native.count, native.sum), (histogram.count, histogram.sum));
                    if let Some(sum) = family.samples.iter().find(|sample| sample.name.ends_with("_sum")) {
                        prop_assert_eq!(sum.number(), histogram.sum);
                    }
                    check_native(native, histogram);
                } else {
                    let written = &family.samples[0].value;
                    let (text, float) = (metric.number().to_string(), metric.number().as_f64());
                    let is_same = *written == text || family.samples[0].number().to_bits() == float.to_bits() || float.is_nan() && written == "NaN";
                    prop_assert!(is_same, "{} {}", written, text);
                    let value = message.counter.or(message.gauge.clone()).unwrap().value;
                    prop_assert!(value.is_nan() == float.is_nan() && (float.is_nan() || value >= float && value <= float.next_up()));
                    break;
                }
            }
        }
    }
}

#[test]
fn exemplars_stand_at_their_buckets() {
    let mut wide = histogram("work", "s", &[("k", "v")], &[0.3, 0.4, 3.0, 1e-9, 1e9], None);
    let crate::model::MetricValue::Histogram(held) = &mut wide.value else { unreachable!() };
    held.exemplars = vec![exemplar(0.3, 1_000_000_002), exemplar(0.4, 2_000_000_003), exemplar(1e9, 5)];
    let page = showing(bare(), vec![wide]);
    let (_, text) = read(&page, OPEN_METRICS);
    let labels = |span: &str| format!("trace_id=\"00000000000000000000000000000abc\",span_id=\"{span}\"");
    for line in [
        format!(
            "work_seconds_bucket{{k=\"v\",le=\"0.5\"}} 3 # {{{}}} 0.4 2.000000003\n",
            labels("0000000077359403")
        ),
        format!(
            "work_seconds_bucket{{k=\"v\",le=\"+Inf\"}} 5 # {{{}}} 1000000000.0 0.000000005\n",
            labels("0000000000000005")
        ),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert_eq!(text.matches(" # {").count(), 2, "{text}");
    assert!(!page.text().contains(" # "), "0.0.4 has none");
    let family = &families(page.respond(PROTOBUF, "").body())[0];
    let histogram = family.metric[0].histogram.as_ref().unwrap();
    assert_eq!((&*family.name, &*family.unit, family.kind), ("work_seconds", "seconds", 4));
    assert_eq!(histogram.exemplars.len(), 3);
    let at = |bound: f64| histogram.bucket.iter().find(|bucket| bucket.upper_bound == bound).unwrap();
    let seen = at(0.5).exemplar.as_ref().unwrap();
    assert_eq!(
        (seen.value, seen.timestamp.as_ref().unwrap().nanos, &*seen.label[1].value),
        (0.4, 3, "0000000077359403")
    );
    assert_eq!(histogram.bucket.iter().filter(|bucket| bucket.exemplar.is_some()).count(), 2);
}

/// Scales that nobody records: finer ones become coarser, and what is too coarse has no native form.
#[test]
fn a_schema_is_one_that_prometheus_has() {
    for (scale, index, schema) in [(12, 1 << 12, Some(8)), (8, 3, Some(8)), (-4, 0, Some(-4)), (-5, 0, None)]
    {
        let buckets =
            Buckets::Exponential { scale, zero_count: 2, positive: vec![(index, 3)], negative: Vec::new() };
        let made = HistogramValue { count: 5, sum: 9.0, buckets, ..HistogramValue::default() };
        let page = showing(bare(), vec![holding(metric(Kind::Histogram, "h", "", &[], 0), made)]);
        let family = &families(page.respond(PROTOBUF, "").body())[0];
        let native = family.metric[0].histogram.as_ref().unwrap();
        assert_eq!((native.schema, native.count), (schema, 5));
        assert_eq!(native.bucket.last().unwrap().count, 5);
        if scale == 12 {
            assert_eq!(buckets_of(native), BTreeMap::from([((1 << 8) + 1, 3)]));
        }
    }
}

fn buckets_of(native: &Histogram) -> BTreeMap<i64, i64> {
    buckets(&native.positive_span, &native.positive_delta)
}
