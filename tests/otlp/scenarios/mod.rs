//! What is recorded through the public interface, and what of it has to be found at a receiver, by the values that stand in
//! the code. Each scenario is in one file: `record` and `check`.

pub(crate) mod events;
pub(crate) mod finite;
pub(crate) mod many;
pub(crate) mod metrics;
mod recorded;
pub(crate) mod spans;

use serde_json::Value;
use telemetry_layer::Collector;
use telemetry_layer::model::{SpanContext, SpanId, TraceId};

use crate::decoder::Decoded;

/// Texts that break writers which count characters, or take a text for ASCII.
pub(crate) const UNICODE: &str = "Größe 价格 🦀 e\u{301} \u{202e}rtl\u{202c} \0\t\u{10ffff}";

/// All but [`finite`] and [`many`].
pub(crate) fn record(collector: &Collector) {
    spans::record(collector);
    events::record(collector);
    metrics::record(collector);
}

/// Whether all of that is there.
pub(crate) fn check(decoded: &Decoded) {
    spans::check(decoded);
    events::check(decoded);
    metrics::check(decoded);
}

/// A sampled span of these ids.
pub(crate) fn context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap(), true)
}

/// The value of an attribute that stands in an item once.
#[track_caller]
pub(crate) fn attribute<'a>(item: &'a Value, key: &str) -> &'a Value {
    let all = item["attributes"].as_array().unwrap();
    let found: Vec<_> = all.iter().filter(|attribute| attribute["key"] == key).collect();
    assert_eq!(found.len(), 1, "`{key}` in {all:#?}");
    &found[0]["value"]
}
