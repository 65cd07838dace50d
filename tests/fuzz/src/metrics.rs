//! Data points of all kinds, and what OTLP says of them.

use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;

use arbitrary::Arbitrary;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Places;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar as OtlpExemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric as OtlpMetric, NumberDataPoint, Sum, exemplar, number_data_point,
};
use prost::Message as _;
use telemetry_core::model::{
    Buckets, Exemplar, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Tags, Temporality, Value,
};

use crate::Words;
use crate::otlp::{attribute, of_resource, scope};
use crate::spans::{span_id, trace_id};

/// A data point made by hand: nothing says that it was ever measured.
#[derive(Arbitrary, Clone, Debug)]
pub struct MadeMetric {
    kind: u8,
    /// One of few names: points of one metric stand together.
    name: u8,
    unit: Words,
    description: Words,
    tags: Vec<(Words, Words)>,
    start: Option<u64>,
    time: u64,
    is_delta: bool,
    value: MadeValue,
}

#[derive(Arbitrary, Clone, Debug)]
enum MadeValue {
    Int(i64),
    Float(f64),
    Explicit { of: MadeHistogram, bounds: Vec<f64>, counts: Vec<u64> },
    Exponential { of: MadeHistogram, scale: i32, zeros: u64, positive: Side, negative: Side },
}

#[derive(Arbitrary, Clone, Debug)]
struct MadeHistogram {
    count: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    exemplars: Vec<(f64, u64, NonZeroU128, NonZeroU64)>,
}

/// Buckets: as they are measured, or as anybody may write them.
#[derive(Arbitrary, Clone, Debug)]
enum Side {
    Measured { first: i16, more: Vec<(u8, u16)> },
    Any(Vec<(i32, u64)>),
}

impl Side {
    fn made(&self) -> Vec<(i32, u64)> {
        match self {
            Self::Any(list) => list.clone(),
            Self::Measured { first, more } => {
                let mut index = i32::from(*first);
                let next = |(step, count): &(u8, u16)| {
                    index += i32::from(*step) + 1;
                    (index, u64::from(*count))
                };
                more.iter().map(next).collect()
            }
        }
    }
}

impl MadeHistogram {
    fn made(&self, buckets: Buckets) -> MetricValue {
        let any = r#"{"value":0,"time_unix_nano":0,"trace_id":"00000000000000000000000000000001","span_id":"0000000000000001"}"#;
        let any: Exemplar = serde_json::from_str(any).expect("an exemplar");
        let mut histogram = HistogramValue::default();
        histogram.count = self.count;
        histogram.sum = self.sum;
        (histogram.min, histogram.max) = (self.min, self.max);
        histogram.buckets = buckets;
        for (value, time, trace, span) in &self.exemplars {
            let mut exemplar = any;
            (exemplar.value, exemplar.time_unix_nano) = (*value, *time);
            (exemplar.trace_id, exemplar.span_id) = (trace_id(*trace), span_id(*span));
            histogram.exemplars.push(exemplar);
        }
        MetricValue::Histogram(Box::new(histogram))
    }

    fn exemplars(&self) -> Vec<OtlpExemplar> {
        let otlp = |(value, time, trace, span): &(f64, u64, NonZeroU128, NonZeroU64)| OtlpExemplar {
            time_unix_nano: *time,
            span_id: span.get().to_be_bytes().to_vec(),
            trace_id: trace.get().to_be_bytes().to_vec(),
            value: Some(exemplar::Value::AsDouble(*value)),
            ..OtlpExemplar::default()
        };
        self.exemplars.iter().map(otlp).collect()
    }
}

impl MadeValue {
    fn made(&self) -> MetricValue {
        match self {
            Self::Int(n) => MetricValue::Number(Number::Int(*n)),
            Self::Float(x) => MetricValue::Number(Number::Float(*x)),
            Self::Explicit { of, bounds, counts } => {
                let none = r#"{"explicit":{"bounds":[],"counts":[]}}"#;
                let mut buckets: Buckets = serde_json::from_str(none).expect("buckets");
                if let Buckets::Explicit { bounds: own_bounds, counts: own_counts, .. } = &mut buckets {
                    (own_bounds.clone_from(bounds), own_counts.clone_from(counts));
                }
                of.made(buckets)
            }
            Self::Exponential { of, scale, zeros, positive, negative } => {
                let mut buckets = Buckets::default();
                if let Buckets::Exponential {
                    scale: own, zero_count, positive: above, negative: below, ..
                } = &mut buckets
                {
                    (*own, *zero_count) = (*scale, *zeros);
                    (*above, *below) = (positive.made(), negative.made());
                }
                of.made(buckets)
            }
        }
    }
}

impl MadeMetric {
    fn kind(&self) -> Kind {
        [Kind::Counter, Kind::UpDownCounter, Kind::Gauge, Kind::Histogram][usize::from(self.kind % 4)]
    }

    fn name(&self) -> &'static str {
        ["requests", "", "größe", "a"][usize::from(self.name % 4)]
    }

    fn tags(&self) -> Tags {
        let mut tags = Tags::new();
        for (key, value) in &self.tags {
            // Not every text is a key.
            let _ = tags.insert(key.text(), value.text());
        }
        tags
    }

    /// The point.
    pub(crate) fn metric(&self) -> Metric {
        let metric = Metric::new(self.kind(), self.name(), 0_u8, self.time).tags(self.tags());
        let mut metric = metric.unit(self.unit.text());
        Arc::make_mut(&mut metric.identity).description = self.description.text().into();
        metric.start_time_unix_nano = self.start;
        metric.temporality = if self.is_delta { Temporality::Delta } else { Temporality::Cumulative };
        metric.value = self.value.made();
        metric
    }

    /// The point under another name.
    pub fn named(&self, name: String) -> Metric {
        let mut metric = self.metric();
        Arc::make_mut(&mut metric.identity).name = name.into();
        metric
    }

    /// What OTLP says of it alone; `as_read` is what was read in its place.
    fn otlp(&self, as_read: &OtlpMetric) -> OtlpMetric {
        OtlpMetric {
            name: self.name().to_owned(),
            // Points of one metric have one description, that of the first.
            description: as_read.description.clone(),
            unit: self.unit.text(),
            data: Some(self.data(as_read.data.as_ref())),
            ..OtlpMetric::default()
        }
    }

    fn data(&self, as_read: Option<&Data>) -> Data {
        let attributes: Vec<_> =
            self.tags().iter().map(|(key, value)| attribute(key, &Value::from(value))).collect();
        let start_time_unix_nano = self.start.unwrap_or_default();
        let aggregation_temporality = if self.is_delta { 1 } else { 2 };
        let number = |value| {
            let point = NumberDataPoint {
                attributes: attributes.clone(),
                start_time_unix_nano,
                time_unix_nano: self.time,
                value: Some(value),
                ..NumberDataPoint::default()
            };
            let is_monotonic = self.kind() == Kind::Counter;
            match self.kind() {
                Kind::Counter | Kind::UpDownCounter => {
                    Data::Sum(Sum { data_points: vec![point], aggregation_temporality, is_monotonic })
                }
                _ => Data::Gauge(Gauge { data_points: vec![point] }),
            }
        };
        match &self.value {
            MadeValue::Int(n) => number(number_data_point::Value::AsInt(*n)),
            MadeValue::Float(x) => number(number_data_point::Value::AsDouble(*x)),
            MadeValue::Explicit { of, bounds, counts } => {
                let point = HistogramDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano: self.time,
                    count: of.count,
                    sum: Some(of.sum),
                    bucket_counts: counts.clone(),
                    explicit_bounds: bounds.clone(),
                    exemplars: of.exemplars(),
                    min: of.min,
                    max: of.max,
                    ..HistogramDataPoint::default()
                };
                Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality })
            }
            MadeValue::Exponential { of, scale, zeros, positive, negative } => {
                let read = as_read.and_then(only_exponential);
                let (positive, negative) = (positive.made(), negative.made());
                let coarser = read.map_or(0, |read| i64::from(*scale) - i64::from(read.scale));
                let side = |list: &[(i32, u64)], read: Option<&Places>| {
                    // Below the last scale there is none to go down to.
                    let is_measured = list.is_sorted_by(|(a, _), (b, _)| a < b) && *scale > i32::MIN + 32;
                    if is_measured { places(list, coarser) } else { read.cloned().inspect(assert_is_bounded) }
                };
                let point = ExponentialHistogramDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano: self.time,
                    count: of.count,
                    sum: Some(of.sum),
                    // It is made coarser where buckets span too much, and only there.
                    scale: if span(&positive).max(span(&negative)) > MOST_PLACES {
                        read.map_or(*scale, |read| read.scale)
                    } else {
                        *scale
                    },
                    zero_count: *zeros,
                    positive: side(&positive, read.and_then(|read| read.positive.as_ref())),
                    negative: side(&negative, read.and_then(|read| read.negative.as_ref())),
                    exemplars: of.exemplars(),
                    min: of.min,
                    max: of.max,
                    ..ExponentialHistogramDataPoint::default()
                };
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![point],
                    aggregation_temporality,
                })
            }
        }
    }
}

/// More places than these no receiver is sent.
const MOST_PLACES: u64 = 4096;

fn span(list: &[(i32, u64)]) -> u64 {
    let (Some((first, _)), Some((last, _))) = (list.first(), list.last()) else { return 0 };
    u64::from(last.abs_diff(*first)) + 1
}

fn only_exponential(data: &Data) -> Option<&ExponentialHistogramDataPoint> {
    if let Data::ExponentialHistogram(of) = data { of.data_points.first() } else { None }
}

/// Nobody says what becomes of buckets that are in no order.
fn assert_is_bounded(places: &Places) {
    assert!(places.bucket_counts.len() as u64 <= MOST_PLACES, "{} places", places.bucket_counts.len());
}

/// Sorted buckets with those between them that hold nothing, at a scale that is so much coarser.
fn places(list: &[(i32, u64)], coarser: i64) -> Option<Places> {
    let coarse = |index: i32| index >> coarser.clamp(0, 31);
    let (first, last) = (coarse(list.first()?.0), coarse(list.last()?.0));
    let span = u64::from(last.abs_diff(first)) + 1;
    assert!(span <= MOST_PLACES, "{span} places");
    let mut bucket_counts = vec![0_u64; span as usize];
    for (index, n) in list {
        let count = &mut bucket_counts[coarse(*index).abs_diff(first) as usize];
        *count = count.saturating_add(*n);
    }
    Some(Places { offset: first, bucket_counts })
}

/// Panics unless a body says of these points and of the resource what they are.
pub fn assert_is(body: &[u8], made: &[MadeMetric], resource: &Resource) {
    let request = ExportMetricsServiceRequest::decode(body).expect("protobuf");
    let [of] = &*request.resource_metrics else { panic!("{request:#?}") };
    assert_eq!(of.resource, Some(of_resource(resource)));
    let [of] = &*of.scope_metrics else { panic!("{request:#?}") };
    assert_eq!(of.scope, Some(scope("telemetry")));
    let mut made = made.iter();
    for metric in &of.metrics {
        for data in each(metric.data.as_ref().expect("data")) {
            let is = OtlpMetric { data: Some(data), ..metric.clone() };
            let want = made.next().expect("no more points than were made").otlp(&is);
            // As bytes, so that a NaN is equal to itself.
            assert!(is.encode_to_vec() == want.encode_to_vec(), "{is:#?}\nis not\n{want:#?}");
        }
    }
    assert!(made.next().is_none(), "all points that were said to be there");
}

/// The same data with one point each.
fn each(data: &Data) -> Vec<Data> {
    macro_rules! each {
        ($($sort:ident { $($kept:ident),* }),*) => {
            match data {
                $(Data::$sort(all) => {
                    let one = |point| Data::$sort($sort { data_points: vec![point], $($kept: all.$kept),* });
                    all.data_points.iter().cloned().map(one).collect()
                })*
                Data::Summary(_) => panic!("nobody writes summaries"),
            }
        };
    }
    each!(
        Gauge {},
        Sum { aggregation_temporality, is_monotonic },
        Histogram { aggregation_temporality },
        ExponentialHistogram { aggregation_temporality }
    )
}
