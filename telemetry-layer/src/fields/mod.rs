//! What becomes of the fields of spans and events.

mod log_record;
mod metric_fields;
mod otel;
mod plan;
mod span_metrics;
mod visit;

pub(crate) use log_record::write_log_record;
pub(crate) use metric_fields::measure;
pub(crate) use otel::{OtelFields, StatusCode};
pub(crate) use plan::{CallsitePlan, CallsitePlans, EventKind, Rules, SpanMetricSites, plan_of};
pub use span_metrics::SpanMetrics;
pub(crate) use visit::Recorder;
