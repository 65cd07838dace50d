//! Histograms remember in which kept spans some of their values were measured.

use telemetry_layer::model::{Exemplar, MetricValue};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Memory;
use telemetry_layer::{Collector, SpanMetrics, histogram, timer};
use telemetry_tests::{SOON, collector};
use tracing::subscriber::with_default;
use tracing::{info_span, trace_span};

fn exemplars(collector: &Collector, name: &str) -> Vec<Exemplar> {
    let snapshot = collector.snapshot();
    snapshot.named(name).flat_map(|metric| metric.histogram().unwrap().exemplars.clone()).collect()
}

/// Runs `f` for a collector with a layer.
fn traced(rate: f64, f: impl FnOnce(&Collector)) -> Memory {
    let (collector, memory) = collector(|b| b.sample_rate(rate));
    let layer = TelemetryLayer::new(&collector).with_span_metrics(SpanMetrics::new().target("measured"));
    with_default(tracing_subscriber::registry().with(layer), || collector.scoped(|| f(&collector)));
    assert!(collector.shutdown(SOON).is_complete());
    memory
}

#[test]
fn a_value_measured_in_a_kept_span_says_in_which_one() {
    let mut seen = Vec::new();
    let memory = traced(1.0, |collector| {
        histogram("outside").record(1.0);
        info_span!("outer").in_scope(|| {
            histogram("size").record(1.0);
            info_span!("inner").in_scope(|| {
                histogram("size").record(1000.0);
                histogram("tagged").with(&[("k", "v")]).record(2.0);
            });
        });
        // On a thread of its own, whose cells are folded in when it ends.
        let run = || {
            let span = info_span!("elsewhere").entered();
            for _ in 0..40 {
                timer("elsewhere").record(std::time::Duration::from_millis(3));
            }
            drop(span);
        };
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let run = || tracing::dispatcher::with_default(&dispatch, || collector.scoped(run));
        std::thread::scope(|s| s.spawn(run).join().unwrap());
        assert!(exemplars(collector, "outside").is_empty());
        seen = ["size", "tagged", "elsewhere"].map(|name| exemplars(collector, name)).into();
    });
    let [size, tagged, elsewhere] = &seen[..] else { panic!("{seen:?}") };
    let kept = memory.kept();
    let span_of = |exemplar: &Exemplar| {
        let span = kept.spans.iter().find(|span| span.span_id == exemplar.span_id).expect("its span is kept");
        assert_eq!(span.trace_id, exemplar.trace_id);
        span.name.to_string()
    };
    let values: Vec<_> = size.iter().map(|exemplar| (exemplar.value, span_of(exemplar))).collect();
    assert_eq!(values, [(1.0, "outer".to_owned()), (1000.0, "inner".to_owned())]);
    assert_eq!(tagged.iter().map(span_of).collect::<Vec<_>>(), ["inner"]);
    assert_eq!(
        elsewhere.iter().map(span_of).collect::<Vec<_>>(),
        ["elsewhere"],
        "the newest one of a bucket"
    );
}

#[test]
fn a_timed_call_and_a_measured_span_point_to_their_own_span() {
    #[time_me(name = "timed", outcome)]
    fn timed() -> Result<(), ()> {
        Ok(())
    }

    let mut seen = [Vec::new(), Vec::new()];
    let memory = traced(1.0, |collector| {
        for _ in 0..33 {
            timed().unwrap();
            info_span!(target: "measured", "request").in_scope(|| ());
        }
        seen = ["timed", "function.duration"].map(|name| exemplars(collector, name));
    });
    let kept = memory.kept();
    for (exemplars, name) in seen.iter().zip(["timed", "request"]) {
        assert!(!exemplars.is_empty(), "{name}");
        for exemplar in exemplars {
            let span = kept.spans.iter().find(|span| span.span_id == exemplar.span_id).expect("it is kept");
            assert_eq!(span.name, name);
        }
    }
}

#[test]
fn there_are_none_of_spans_that_are_not_kept_or_belong_to_another_collector() {
    traced(0.0, |collector| {
        info_span!("not kept").in_scope(|| histogram("size").record(1.0));
        assert!(exemplars(collector, "size").is_empty());
    });
    traced(1.0, |_| {
        let (other, _) = collector(|b| b);
        let size = other.histogram("size");
        info_span!("of another").in_scope(|| {
            size.record(1.0);
            other.scoped(|| histogram("size").record(2.0));
        });
        assert!(exemplars(&other, "size").is_empty());
    });
}

#[test]
fn exporters_see_the_newest_one_of_a_bucket_and_a_file_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut flushes = Vec::new();
    let memory = Memory::default();
    let url = format!("file:{}", folder.path().display());
    let (telemetry, _) = collector(|b| b.endpoint(url).exporter(memory.clone()));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry));
    with_default(subscriber, || {
        telemetry.scoped(|| {
            for n in 0..3 {
                trace_span!("span")
                    .in_scope(|| (0..16).for_each(|_| histogram("size").record(f64::from(1 << n))));
                assert!(telemetry.flush(SOON).is_complete());
            }
        });
    });
    assert!(telemetry.shutdown(SOON).is_complete());
    for metric in memory.kept().metrics.iter().filter(|metric| metric.identity.name == "size") {
        let MetricValue::Histogram(histogram) = &metric.value else { panic!("{metric:?}") };
        flushes.push(histogram.exemplars.iter().map(|exemplar| exemplar.value).collect::<Vec<_>>());
    }
    assert_eq!(flushes[..3], [vec![1.0], vec![1.0, 2.0], vec![1.0, 2.0, 4.0]]);

    let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    let parsed: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = parsed.iter().rfind(|line| line["name"] == "size").unwrap();
    let exemplar = last["exemplars"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (exemplar["value"].as_f64(), exemplar["trace_id"].as_str().map(str::len)),
        (Some(4.0), Some(32))
    );
}
