//! Data points that somebody made.

use std::sync::Arc;

use proptest::prelude::*;

use crate::metrics::SharedHistogram;
use crate::model::{
    Buckets, Exemplar, HistogramValue, Kind, Metric, MetricValue, Number, SpanId, Tags, TraceId,
};

/// As a snapshot has them, each of them once.
pub(super) fn sorted(mut metrics: Vec<Metric>) -> Vec<Metric> {
    fn key(metric: &Metric) -> (&str, Kind, &Tags) {
        (&metric.identity.name, metric.identity.kind, &metric.identity.tags)
    }
    metrics.sort_by(|a, b| key(a).cmp(&key(b)));
    metrics.dedup_by(|a, b| key(a) == key(b));
    metrics
}

pub(super) fn metric(
    kind: Kind,
    name: &str,
    unit: &str,
    tags: &[(&str, &str)],
    value: impl Into<Number>,
) -> Metric {
    let mut all = Tags::new();
    tags.iter().for_each(|(key, value)| all.insert((*key).to_owned(), (*value).to_owned()).unwrap());
    let mut metric = Metric::new(kind, name.to_owned(), value, 9).unit(unit.to_owned()).tags(all);
    metric.start_time_unix_nano = (kind != Kind::Gauge).then_some(1_000_000_007);
    metric
}

pub(super) fn described(mut metric: Metric, description: &str) -> Metric {
    Arc::make_mut(&mut metric.identity).description = description.to_owned().into();
    metric
}

/// With bounds, or with exponential buckets.
pub(super) fn histogram(
    name: &str,
    unit: &str,
    tags: &[(&str, &str)],
    values: &[f64],
    bounds: Option<&[f64]>,
) -> Metric {
    let cell = SharedHistogram::new(None);
    values.iter().for_each(|x| cell.record(*x, 0));
    let mut histogram = cell.read();
    if let Some(bounds) = bounds {
        let mut counts = vec![0; bounds.len() + 1];
        values.iter().for_each(|x| counts[bounds.partition_point(|bound| bound < x)] += 1);
        histogram.buckets = Buckets::Explicit { bounds: bounds.to_vec(), counts };
        histogram.octaves = None;
    }
    holding(metric(Kind::Histogram, name, unit, tags, 0), histogram)
}

pub(super) fn holding(metric: Metric, histogram: HistogramValue) -> Metric {
    Metric { value: MetricValue::Histogram(histogram.into()), ..metric }
}

/// One of the values of a histogram.
pub(super) fn exemplar(value: f64, time_unix_nano: u64) -> Exemplar {
    let (trace_id, span_id) = (TraceId::new(0xabc).unwrap(), SpanId::new(time_unix_nano | 1).unwrap());
    Exemplar { value, time_unix_nano, trace_id, span_id }
}

/// Few names, many of which become one, and names and texts of everything.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "a[._][bt](otal|[._]count|[._]bucket|_created|_info)?",
        "a[._]total",
        "target(_info)?",
        "\\PC{0,6}",
        "[é/._1:-]{0,4}"
    ]
}

fn tags() -> impl Strategy<Value = Tags> {
    let keys = prop_oneof!["[ab][._/][cd]", "le|__name__|env|otel[._]scope[._]name", "[a-zé1._/-]{1,4}"];
    let values = prop_oneof!["[ab]|test", "[a\"\\\\\n\r{},=#\0]{0,4}", "\\PC{0,6}"];
    prop::collection::vec((keys, values), 0..4).prop_map(|pairs| {
        let mut tags = Tags::new();
        pairs.into_iter().for_each(|(key, value)| tags.insert(key, value).unwrap());
        tags
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_map(Number::from)
    ]
}

fn histograms() -> impl Strategy<Value = HistogramValue> {
    let values =
        prop_oneof![any::<f64>(), -10.0..1e6, Just(0.0), (-140..-120_i32).prop_map(|p| 10_f64.powi(p))];
    let values = values.prop_filter("finite", |x| x.is_finite());
    let bounds = prop::option::of(prop::collection::btree_set(-5..50_i32, 0..4));
    (prop::collection::vec(values, 0..20), bounds, 2..400_usize).prop_map(|(values, bounds, max_buckets)| {
        let bounds: Option<Vec<f64>> = bounds.map(|bounds| bounds.into_iter().map(f64::from).collect());
        let metric = histogram("", "", &[], &values, bounds.as_deref());
        let MetricValue::Histogram(histogram) = metric.value else { unreachable!() };
        let exemplars = values.iter().zip(1..=16).map(|(x, time)| exemplar(*x, time)).collect();
        HistogramValue { exemplars, ..histogram.thinned(max_buckets) }
    })
}

/// Any snapshot.
pub(super) fn snapshots() -> impl Strategy<Value = Vec<Metric>> {
    let kinds = prop::sample::select(vec![Kind::Counter, Kind::UpDownCounter, Kind::Gauge, Kind::Histogram]);
    let units = prop::sample::select(vec!["", "s", "By", "1", "{x}/s", "é"]);
    let values = prop_oneof![numbers().prop_map(Ok), histograms().prop_map(Err)];
    let one = (kinds, names(), units, tags(), values, "(a[\"\\\\\n])?").prop_map(
        |(kind, name, unit, tags, value, text)| {
            let mut made = described(metric(kind, &name, unit, &[], 0).tags(tags), &text);
            match value {
                Ok(number) => made.value = MetricValue::Number(number),
                Err(histogram) => {
                    Arc::make_mut(&mut made.identity).kind = Kind::Histogram;
                    made = holding(made, histogram);
                }
            }
            made
        },
    );
    prop::collection::vec(one, 0..12).prop_map(sorted)
}
