//! Fields of events that are measurements: `monotonic_counter.x`, `counter.x`, `histogram.x`, `gauge.x`.
//!
//! The names are those of `tracing-opentelemetry`. The other fields of the event, as they are recorded, are the tags, without
//! its message; any number counts, however it was recorded. `otel.unit` and `otel.description` are neither fields nor tags, but
//! what the metrics are declared with.

use std::fmt;

use telemetry_core::__private::cut::{MAX_NAME, formatted};
use telemetry_core::__private::record::FieldBuf;
use telemetry_core::__private::{CellKind, EventMetric, Sink};
use telemetry_core::model::{Number, ValueRef};
use tracing::Metadata;

use super::declared::keep;
use super::error_chain::EXCEPTION_MESSAGE;

const PREFIXES: [(&str, CellKind); 4] = [
    ("counter.", CellKind::UpDownCounter),
    ("monotonic_counter.", CellKind::Counter),
    ("histogram.", CellKind::Histogram),
    ("gauge.", CellKind::Gauge),
];

/// What metrics are declared with.
const UNIT: &str = "otel.unit";
const DESCRIPTION: &str = "otel.description";

fn metric_of(field: &'static str) -> Option<(CellKind, &'static str)> {
    PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, field.strip_prefix(prefix)?)))
}

/// Whether events of that call site carry measurements.
pub(crate) fn has_metrics(site: &'static Metadata<'static>) -> bool {
    site.fields().iter().any(|field| metric_of(field.name()).is_some())
}

/// The measurements of one event, each metric of a kind once.
#[derive(Debug, Default)]
pub(crate) struct Measurements {
    values: Vec<(CellKind, &'static str, Number)>,
    /// Of all of these metrics.
    unit: &'static str,
    description: &'static str,
}

impl Measurements {
    /// Whether a field of that name is one.
    pub(super) fn takes(field: &'static str) -> bool {
        metric_of(field).is_some()
    }

    /// Whether a field says what the metrics are declared with.
    pub(super) fn declares(&mut self, field: &str, text: &dyn fmt::Display, max_text: usize) -> bool {
        let text = |most| keep(&formatted(format_args!("{text}"), most));
        match field {
            UNIT => self.unit = text(MAX_NAME),
            DESCRIPTION => self.description = text(max_text),
            _ => return false,
        }
        true
    }

    /// Takes the value of a field that is one.
    pub(super) fn take(&mut self, field: &'static str, value: ValueRef<'_>) {
        let Some((kind, metric)) = metric_of(field) else { return };
        // What is no number is refused where measurements are refused, which says so.
        let value = number_of(value).unwrap_or(Number::Float(f64::NAN));
        self.values.retain(|(of, name, _)| (*of, *name) != (kind, metric));
        self.values.push((kind, metric, value));
    }

    /// Records them, with the other fields of their event as tags.
    /// That spans give it these as well, is asked only where there is something to measure.
    pub(crate) fn measure(
        &self,
        fields: &FieldBuf<'_>,
        site: &'static Metadata<'static>,
        sink: &Sink,
        given: impl FnOnce() -> Vec<(String, String)>,
    ) {
        if self.values.is_empty() {
            return;
        }
        let is_tag = |name: &str| {
            let is_other = matches!(name, "message" | EXCEPTION_MESSAGE | UNIT | DESCRIPTION);
            !is_other
                && !name.starts_with("log.")
                && !PREFIXES.iter().any(|(prefix, _)| name.starts_with(prefix))
        };
        let all = fields.to_values(site).into_iter().filter(|(name, _)| is_tag(name));
        let tags: Vec<_> = all.map(|(name, value)| (name, value.to_string())).collect();
        let (own, given) = (tags.len(), given());
        let mut tags: Vec<(&str, &str)> =
            tags.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let is_new = |(key, _): &&(String, String)| tags[..own].iter().all(|(own, _)| own != key);
        let given: Vec<(&str, &str)> =
            given.iter().filter(is_new).map(|(key, value)| (key.as_str(), value.as_str())).collect();
        tags.extend(given);
        let &Self { unit, description, .. } = self;
        let (level, place) = (*site.level(), (site.file(), site.line()));
        for &(kind, name, value) in &self.values {
            // What is added in one span may be taken off in another.
            let is_given = !matches!(kind, CellKind::UpDownCounter | CellKind::Gauge);
            let tags = if is_given { &tags[..] } else { &tags[..own] };
            sink.measure(&EventMetric { kind, name, unit, description, level, place }, tags, value);
        }
    }
}

fn number_of(value: ValueRef<'_>) -> Option<Number> {
    match value {
        ValueRef::U64(n) => Some(n.into()),
        ValueRef::I64(n) => Some(n.into()),
        ValueRef::F64(x) => Some(x.into()),
        ValueRef::Str(text) => number(text),
        _ => None,
    }
}

fn number(text: &str) -> Option<Number> {
    let float = || text.parse().ok().map(Number::Float);
    text.parse::<i128>().ok().map(Number::from).or_else(float)
}
