//! The rows of the older systems that are set up in one program.

use telemetry_layer::exporters::Discard;
use telemetry_layer::model::{Event, Metric, Span};
use telemetry_layer::prelude::*;
use telemetry_layer::{Config, Level};
use telemetry_tests::{SOON, collector};

#[test]
fn models_go_through_serde_and_back() {
    let (collector, memory) = collector(|b| b.tag("app_name", "shop"));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("a", n = -1, text = "x").in_scope(|| tracing::warn!(f = 0.5, "b"));
    });
    collector.counter("c").tag("k", "v").add(u32::MAX);
    collector.histogram("h").record(3);
    assert!(collector.shutdown(SOON).is_complete());
    let kept = memory.kept();
    let span: Span = through_json(&kept.spans[0]);
    let event: Event = through_json(&kept.events[0]);
    assert_eq!((&span, &event), (&kept.spans[0], &kept.events[0]));
    for metric in &kept.metrics {
        assert_eq!(&through_json::<Metric>(metric), metric);
    }
    let config: Config = through_json(collector.config());
    assert_eq!(&config, collector.config());
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn hand_made_items_pass_and_carry_the_global_tags() {
    let (seen, lines) = std::sync::mpsc::channel();
    let (collector, memory) = collector(|b| b.tag("app_name", "shop"));
    let exporter =
        move |batch: &Batch| seen.send(batch.resource().tags().get("app_name").map(str::to_owned)).unwrap();
    collector.exporter(exporter).unwrap();
    collector.record("custom", 0.42);
    collector.collect_event(&Event::new(Level::ERROR, "by hand", 12).name("n").field("f", 1u64));
    assert!(collector.shutdown(SOON).is_complete());
    let kept = memory.kept();
    assert_eq!((kept.metrics[0].number().as_f64(), &*kept.event("by hand").name), (0.42, "n"));
    drop(collector);
    let tags: Vec<Option<String>> = lines.iter().collect();
    assert!(tags.len() == 2 && tags.iter().all(|t| t.as_deref() == Some("shop")), "{tags:?}");
}

#[test]
fn with_back_pressure_threads_wait_for_room() {
    let discard = Discard::new();
    let (telemetry, _) = collector(|b| {
        b.exporter(discard.clone()).configure(|config| {
            (config.buffer_bytes, config.buffer_size) = (8 << 10, usize::MAX / 9);
            config.back_pressure = Some(SOON);
        })
    });
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry));
    let dispatch = tracing::Dispatch::new(subscriber);
    let record = || {
        tracing::dispatcher::with_default(&dispatch, || {
            (0..5_000).for_each(|n| tracing::info_span!("work", n).in_scope(|| ()));
        });
    };
    std::thread::scope(|s| (0..3).for_each(|_| drop(s.spawn(record))));
    let report = telemetry.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().lost() == 0, "{report}");
    assert_eq!(discard.discarded(Signal::Spans), 15_000);
}
