//! Data points of all kinds.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar as OtlpExemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric as OtlpMetric, NumberDataPoint, Sum, exemplar,
    exponential_histogram_data_point, number_data_point,
};

use super::*;
use crate::metrics::Snapshot;
use crate::model::{
    Buckets, Exemplar, HistogramValue, Kind as Measures, Metric, MetricValue, Number, SpanId, Temporality,
    TraceId,
};

pub(super) fn batch(metrics: &[Metric]) -> Batch {
    Batch::of_metrics(Snapshot::new(metrics, resource(&[])), resource(&[]))
}

fn metrics_of(request: &ExportMetricsServiceRequest) -> &[OtlpMetric] {
    let [of_resource] = &*request.resource_metrics else { panic!("{request:#?}") };
    assert_eq!(
        (&of_resource.resource, &*of_resource.schema_url),
        (&Some(otlp_resource(&resource(&[]))), SCHEMA)
    );
    let [of_scope] = &*of_resource.scope_metrics else { panic!("{request:#?}") };
    assert_eq!(of_scope.scope, Some(scope("telemetry")));
    &of_scope.metrics
}

/// The only point of one metric.
fn alone(metric: &Metric) -> OtlpMetric {
    let otlp = OtlpMetric {
        name: metric.identity.name.to_string(),
        description: metric.identity.description.to_string(),
        unit: metric.identity.unit.to_string(),
        ..OtlpMetric::default()
    };
    OtlpMetric { data: Some(data(metric)), ..otlp }
}

fn data(metric: &Metric) -> Data {
    let temporality = if metric.temporality == Temporality::Delta { 1 } else { 2 };
    let Some(histogram) = metric.histogram() else {
        let data_points = vec![number_point(metric)];
        return match metric.identity.kind {
            Measures::Counter | Measures::UpDownCounter => {
                let is_monotonic = metric.identity.kind == Measures::Counter;
                Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic })
            }
            _ => Data::Gauge(Gauge { data_points }),
        };
    };
    match &histogram.buckets {
        Buckets::Explicit { bounds, counts } => Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes: attributes(&metric.identity.tags),
                start_time_unix_nano: metric.start_time_unix_nano.unwrap_or_default(),
                time_unix_nano: metric.time_unix_nano,
                count: histogram.count,
                sum: Some(histogram.sum),
                bucket_counts: counts.clone(),
                explicit_bounds: bounds.clone(),
                exemplars: histogram.exemplars.iter().map(exemplar).collect(),
                min: histogram.min,
                max: histogram.max,
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: temporality,
        }),
        Buckets::Exponential { scale, zero_count, positive, negative } => {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![ExponentialHistogramDataPoint {
                    attributes: attributes(&metric.identity.tags),
                    start_time_unix_nano: metric.start_time_unix_nano.unwrap_or_default(),
                    time_unix_nano: metric.time_unix_nano,
                    count: histogram.count,
                    sum: Some(histogram.sum),
                    scale: *scale,
                    zero_count: *zero_count,
                    positive: dense(positive),
                    negative: dense(negative),
                    exemplars: histogram.exemplars.iter().map(exemplar).collect(),
                    min: histogram.min,
                    max: histogram.max,
                    ..ExponentialHistogramDataPoint::default()
                }],
                aggregation_temporality: temporality,
            })
        }
    }
}

fn number_point(metric: &Metric) -> NumberDataPoint {
    let value = match metric.number() {
        Number::Int(n) => number_data_point::Value::AsInt(n),
        // OTLP has no whole numbers that large.
        Number::Uint(n) => number_data_point::Value::AsDouble(n as f64),
        Number::Float(x) => number_data_point::Value::AsDouble(x),
    };
    NumberDataPoint {
        attributes: attributes(&metric.identity.tags),
        start_time_unix_nano: metric.start_time_unix_nano.unwrap_or_default(),
        time_unix_nano: metric.time_unix_nano,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn dense(buckets: &[(i32, u64)]) -> Option<exponential_histogram_data_point::Buckets> {
    let ((first, _), (last, _)) = (buckets.first()?, buckets.last()?);
    let mut bucket_counts = vec![0; (last - first) as usize + 1];
    buckets.iter().for_each(|(index, n)| bucket_counts[(index - first) as usize] = *n);
    Some(exponential_histogram_data_point::Buckets { offset: *first, bucket_counts })
}

fn exemplar(of: &Exemplar) -> OtlpExemplar {
    OtlpExemplar {
        time_unix_nano: of.time_unix_nano,
        span_id: of.span_id.get().to_be_bytes().to_vec(),
        trace_id: of.trace_id.get().to_be_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(of.value)),
        ..OtlpExemplar::default()
    }
}

pub(super) fn histogram(buckets: Buckets) -> HistogramValue {
    let count = buckets.count();
    HistogramValue {
        count,
        sum: 1.5,
        min: Some(0.25),
        max: Some(9.0),
        buckets,
        exemplars: Vec::new(),
        octaves: None,
    }
}

/// Strategies give every bit pattern of a float: NaN and infinities, too.
fn some_float() -> impl Strategy<Value = f64> {
    proptest::num::u64::ANY.prop_map(f64::from_bits)
}

fn some_buckets() -> impl Strategy<Value = Buckets> {
    let side = || {
        let buckets = prop::collection::btree_map(-300..300_i32, some_id().prop_map(|n| n >> 20), 0..20);
        buckets.prop_map(|buckets| buckets.into_iter().collect::<Vec<_>>())
    };
    let exponential =
        (-10..20_i32, 0..3_u64, side(), side()).prop_map(|(scale, zero_count, positive, negative)| {
            Buckets::Exponential { scale, zero_count, positive, negative }
        });
    let explicit = prop::collection::vec((some_float(), 0..1000_u64), 0..30).prop_map(|list| {
        let (bounds, mut counts): (Vec<_>, Vec<_>) = list.into_iter().unzip();
        counts.push(7);
        Buckets::Explicit { bounds, counts }
    });
    prop_oneof![exponential, explicit]
}

fn some_histogram() -> impl Strategy<Value = HistogramValue> {
    let exemplar =
        (some_float(), some_id(), 1..u128::MAX, some_id()).prop_map(|(value, time, trace, span)| Exemplar {
            value,
            time_unix_nano: time,
            trace_id: TraceId::new(trace).unwrap(),
            span_id: SpanId::new(span).unwrap(),
        });
    let exemplars = prop::collection::vec(exemplar, 0..4);
    let ends = (prop::option::of(some_float()), prop::option::of(some_float()));
    (some_buckets(), some_id(), some_float(), ends, exemplars).prop_map(
        |(buckets, count, sum, (min, max), exemplars)| HistogramValue {
            count,
            sum,
            min,
            max,
            buckets,
            exemplars,
            octaves: None,
        },
    )
}

pub(super) fn some_metric() -> impl Strategy<Value = Metric> {
    let kind = (0..4_usize).prop_map(|at| {
        [Measures::Counter, Measures::UpDownCounter, Measures::Gauge, Measures::Histogram][at]
    });
    let number = prop_oneof![
        proptest::num::u64::ANY.prop_map(Number::from),
        proptest::num::i64::ANY.prop_map(Number::Int),
        some_float().prop_map(Number::Float)
    ];
    let tags = prop::collection::btree_map("[a-zé.]{1,5}", ".{0,12}", 0..4);
    let times = (prop::option::of(some_id()), some_id(), proptest::bool::ANY);
    (kind, number, some_histogram(), tags, times, ("[a-z]{1,3}", "(s|By|)", ".{0,9}")).prop_map(
        |(kind, number, histogram, tags, (start, time, is_delta), (name, unit, description))| {
            let mut all = Tags::new();
            tags.into_iter().for_each(|(key, value)| all.insert(key, value).unwrap());
            let mut metric = Metric::new(kind, name, number, time).tags(all).unit(unit);
            Arc::make_mut(&mut metric.identity).description = description.into();
            metric.start_time_unix_nano = start;
            if kind == Measures::Histogram {
                metric.value = MetricValue::Histogram(Box::new(histogram));
            }
            if is_delta {
                metric.temporality = Temporality::Delta;
            }
            metric
        },
    )
}

proptest! {
    #[test]
    fn every_data_point_arrives_as_it_was_read(metric in some_metric()) {
        let mut body = Vec::new();
        prop_assert_eq!(Writer::new().write(&batch(std::slice::from_ref(&metric)), 0, &mut body), 1);
        let request = ExportMetricsServiceRequest::decode(&*body).unwrap();
        assert_same(&metrics_of(&request)[0], &alone(&metric));
    }

    /// Points follow each other as they come, and all of one metric stand together.
    #[test]
    fn many_data_points_arrive_in_their_order(metrics in prop::collection::vec(some_metric(), 1..12)) {
        let mut body = Vec::new();
        prop_assert_eq!(Writer::new().write(&batch(&metrics), usize::MAX, &mut body), metrics.len());
        let request = ExportMetricsServiceRequest::decode(&*body).unwrap();
        let mut want = metrics.iter().map(alone);
        for metric in metrics_of(&request) {
            for data in each(metric.data.as_ref().unwrap()) {
                let mut is = OtlpMetric { data: Some(data), ..metric.clone() };
                let want = want.next().unwrap();
                // One metric has one description.
                is.description.clone_from(&want.description);
                assert_same(&is, &want);
            }
        }
        prop_assert!(want.next().is_none());
    }
}

/// The same data with one point each.
fn each(data: &Data) -> Vec<Data> {
    macro_rules! each {
        ($($sort:ident),*) => {
            match data {
                $(Data::$sort(all) => {
                    let one = |point| Data::$sort($sort { data_points: vec![point], ..all.clone() });
                    all.data_points.iter().cloned().map(one).collect()
                })*
                Data::Summary(_) => panic!("nobody writes summaries"),
            }
        };
    }
    #[allow(clippy::needless_update, reason = "a gauge has nothing but points")]
    {
        each!(Gauge, Sum, Histogram, ExponentialHistogram)
    }
}

#[test]
fn points_of_one_metric_share_its_name() {
    let point = |host: &'static str, n: u64| {
        let mut tags = Tags::new();
        tags.insert("host", host).unwrap();
        Metric::new(Measures::Counter, "requests", n, 5).tags(tags).unit("1")
    };
    let mut delta = point("c", 3);
    delta.temporality = Temporality::Delta;
    let all = [point("a", 1), point("b", 2), delta, Metric::new(Measures::Gauge, "requests", f64::NAN, 5)];
    let request: ExportMetricsServiceRequest = written(&Writer::new(), &batch(&all));
    let points = metrics_of(&request).iter().map(|metric| each(metric.data.as_ref().unwrap()).len());
    assert_eq!(points.collect::<Vec<_>>(), [2, 1, 1]);
    assert!(metrics_of(&request).iter().all(|metric| metric.name == "requests"));
}

#[test]
fn as_many_tags_as_there_may_be_arrive() {
    let mut tags = Tags::new();
    (0..Tags::MAX).for_each(|n| tags.insert(format!("key{n:02}"), "ü".repeat(n * 10)).unwrap());
    let metric = Metric::new(Measures::UpDownCounter, "queue", -3, 5).tags(tags.clone());
    let request: ExportMetricsServiceRequest = written(&Writer::new(), &batch(std::slice::from_ref(&metric)));
    assert_same(&metrics_of(&request)[0], &alone(&metric));
    let resource = Arc::new(Resource::new(tags, "test").unwrap_or_else(|_| (*resource(&[])).clone()));
    let batch = Batch::of_metrics(Snapshot::new([metric], Arc::clone(&resource)), Arc::clone(&resource));
    let request: ExportMetricsServiceRequest = written(&Writer::new(), &batch);
    assert_eq!(request.resource_metrics[0].resource, Some(otlp_resource(&resource)));
}

/// Nobody records such buckets, but a program may make them.
#[test]
fn buckets_that_no_receiver_could_hold_are_made_coarser_and_disorder_does_no_harm() {
    let of = |positive: &[(i32, u64)]| {
        let (positive, negative) = (positive.to_vec(), vec![(i32::MIN, 1)]);
        histogram(Buckets::Exponential { scale: 20, zero_count: 1, positive, negative })
    };
    for buckets in [
        &[(i32::MIN, 1), (0, 2), (i32::MAX, 3)][..],
        &[(5, 1), (-5, 2), (9, 3)],
        &[(9, 1), (1_000_000_000, 2), (10, 3)],
        &[(i32::MAX, 1)],
    ] {
        let mut metric = Metric::new(Measures::Histogram, "wide", 0, 5);
        metric.value = MetricValue::Histogram(Box::new(of(buckets)));
        let mut body = Vec::new();
        assert_eq!(Writer::new().write(&batch(&[metric]), usize::MAX, &mut body), 1);
        assert!(body.len() < 10_000, "{} bytes", body.len());
        ExportMetricsServiceRequest::decode(&*body).unwrap();
    }
}
