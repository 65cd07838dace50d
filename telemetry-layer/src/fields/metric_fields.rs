//! Fields of events that are measurements: `monotonic_counter.x`, `counter.x`, `histogram.x`, `gauge.x`.
//!
//! The names are those of `tracing-opentelemetry`. The other fields of the event are the tags, without its
//! message; any number counts, however it was recorded.

use std::fmt;

use telemetry_core::__private::CellKind;
use telemetry_core::__private::Sink;
use telemetry_core::__private::cut;
use telemetry_core::model::Number;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::visit::{Action, REDACTED};

const PREFIXES: [(&str, CellKind); 4] = [
    ("counter.", CellKind::UpDownCounter),
    ("monotonic_counter.", CellKind::Counter),
    ("histogram.", CellKind::Histogram),
    ("gauge.", CellKind::Gauge),
];

fn metric_of(field: &'static str) -> Option<(CellKind, &'static str)> {
    PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, field.strip_prefix(prefix)?)))
}

/// Whether events of that call site carry measurements.
pub(crate) fn has_metrics(site: &'static Metadata<'static>) -> bool {
    site.fields().iter().any(|field| metric_of(field.name()).is_some())
}

/// Takes the measurements of an event.
pub(crate) fn measure(event: &Event<'_>, sink: &Sink, actions: &[Action]) {
    let mut found = Found { actions, values: Vec::new(), tags: Vec::new() };
    event.record(&mut found);
    let tags: Vec<(&str, &str)> = found.tags.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let place = (event.metadata().file(), event.metadata().line());
    for (kind, name, value) in found.values {
        sink.measure(kind, name, *event.metadata().level(), place, &tags, value);
    }
}

struct Found<'a> {
    /// What is done with each field, by its place.
    actions: &'a [Action],
    values: Vec<(CellKind, &'static str, Number)>,
    tags: Vec<(&'static str, String)>,
}

impl Found<'_> {
    fn put(&mut self, field: &Field, number: Option<Number>, text: &dyn fmt::Display) {
        let name = field.name();
        let text: &dyn fmt::Display = match self.actions.get(field.index()) {
            Some(Action::Drop) => return,
            Some(Action::Redact) => &REDACTED,
            Some(Action::Keep) | None => text,
        };
        match (metric_of(name), number) {
            (Some((kind, metric)), Some(number)) => self.values.push((kind, metric, number)),
            // Not a number: refused where measurements are refused, which says so.
            (Some((kind, metric)), None) => self.values.push((kind, metric, Number::Float(f64::NAN))),
            (None, _) if name == "message" || name.starts_with("log.") => {}
            (None, _) => self.tags.push((name.strip_prefix("r#").unwrap_or(name), text.to_string())),
        }
    }
}

impl Visit for Found<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Some(value.into()), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Some(value.into()), &value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, Some(value.into()), &value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, Some(value.into()), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Some(value.into()), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, None, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = cut::name(value);
        self.put(field, number(&text), &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = cut::formatted(format_args!("{value:?}"), cut::MAX_NAME);
        self.put(field, number(&text), &text);
    }
}

fn number(text: &str) -> Option<Number> {
    let float = || text.parse().ok().map(Number::Float);
    text.parse::<i128>().ok().map(Number::from).or_else(float)
}
