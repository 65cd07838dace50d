//! So much of each signal that one request can't hold it.

use telemetry_layer::model::{Event, Kind, Metric, Span};
use telemetry_layer::{Collector, Level};

use super::context;
use super::metrics::full_of_tags;
use crate::decoder::Decoded;

const ITEMS: u64 = 750;
const POINTS: u64 = 370;

pub(crate) fn record(collector: &Collector) {
    let text = "some text ".repeat(600);
    for n in 1..=ITEMS {
        let context = context(1, n);
        collector.collect_span(&Span::new(context, "one of many", n, n).field("text", &*text));
        let event = Event::new(Level::INFO, &*text, n).target(format!("target {}", n % 7));
        collector.collect_event(&event.within(context));
    }
    let tags = full_of_tags(&"so long a value that all of them are much ".repeat(12));
    for n in 0..POINTS {
        let name = format!("metric {}", n / 150);
        collector.collect_metric(Metric::new(Kind::Gauge, name, n, n).tags(tags.clone()));
    }
}

pub(crate) fn check(decoded: &Decoded) {
    assert_eq!((decoded.spans.len() as u64, decoded.records.len() as u64), (ITEMS, ITEMS));
    assert_eq!(decoded.points.len() as u64, POINTS);
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        let sizes: Vec<u64> =
            decoded.requests(path).map(|request| request["bytes"].as_u64().unwrap()).collect();
        assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= 4 << 20), "{path}: {sizes:?}");
    }
}
