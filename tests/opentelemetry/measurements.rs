//! Fields that are measurements.

use std::collections::BTreeMap;

use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use telemetry_layer::prelude::*;
use telemetry_tests::beside::Ours;
use tracing::info;
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::registry;

fn measure() {
    for n in 1..=3u64 {
        info!(monotonic_counter.requests = n, route = "/", ok = true);
        info!(monotonic_counter.seconds = 0.25, n);
    }
    info!(counter.open = 5i64);
    info!(counter.open = -2i64);
    info!(counter.load = -1.5, shown = %"x", debug = ?"y");
    for heat in [20.5, 21.5] {
        info!(gauge.heat = heat, place = "hall");
    }
    info!(gauge.left = -3i64);
    info!(gauge.users = 4u64);
    for size in [3u64, 5, 4000] {
        info!(histogram.size = size, route = "/");
        info!(histogram.wait = 0.5);
    }
}

/// Name and tags, with the sum, and the count where it is a histogram.
type Measured = BTreeMap<String, (f64, Option<u64>)>;

fn measured_by_otel(metrics: &InMemoryMetricExporter) -> Measured {
    fn points<T: Copy>(data: &MetricData<T>, float: impl Fn(T) -> f64) -> Vec<(String, f64, Option<u64>)> {
        fn tags<'a>(all: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> String {
            let mut all: Vec<String> = all.map(|tag| format!("{}: {}", tag.key, tag.value)).collect();
            all.sort();
            all.join(", ")
        }
        match data {
            MetricData::Gauge(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.value()), None)).collect()
            }
            MetricData::Sum(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.value()), None)).collect()
            }
            MetricData::Histogram(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.sum()), Some(p.count()))).collect()
            }
            MetricData::ExponentialHistogram(_) => panic!("nobody asked for one"),
        }
    }
    let exported = metrics.get_finished_metrics().expect("metrics");
    let all = exported.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
    all.flat_map(|metric| {
        let points = match metric.data() {
            AggregatedMetrics::F64(data) => points(data, |value| value),
            AggregatedMetrics::U64(data) => points(data, |value| value as f64),
            AggregatedMetrics::I64(data) => points(data, |value| value as f64),
        };
        points.into_iter().map(|(tags, sum, count)| (format!("{}{{{tags}}}", metric.name()), (sum, count)))
    })
    .collect()
}

#[test]
fn fields_that_are_measurements_are_the_same_for_both() {
    let (ours, exporter) = (Ours::default(), InMemoryMetricExporter::default());
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let subscriber = registry().with(MetricsLayer::new(provider.clone())).with(ours.layer());
    tracing::subscriber::with_default(subscriber, measure);
    provider.shutdown().expect("shut down");
    let metrics = ours.kept().metrics;
    let our_own = metrics.iter().map(|metric| {
        let value = match metric.histogram() {
            Some(histogram) => (histogram.sum, Some(histogram.count)),
            None => (metric.number().as_f64(), None),
        };
        let mut tags: Vec<String> =
            metric.identity.tags.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        tags.sort();
        (format!("{}{{{}}}", metric.identity.name, tags.join(", ")), value)
    });
    let our_own: Measured = our_own.collect();
    assert_eq!(our_own.len(), 11, "{our_own:?}");
    assert_eq!(our_own, measured_by_otel(&exporter));
}
