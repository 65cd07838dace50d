//! What becomes of the fields of spans and events.

mod declared;
mod error_chain;
mod log_record;
mod metric_fields;
mod otel;
mod plan;
mod span_metrics;
mod taking;
mod visit;

pub(crate) use declared::declared;
pub(crate) use log_record::write_log_record;
pub(crate) use metric_fields::Measurements;
pub(crate) use otel::{Failure, OtelFields, StatusCode};
pub(crate) use plan::{CallsitePlan, CallsitePlans, EventKind, Gives, Rules, SpanMetricSites, plan_of};
pub use span_metrics::SpanMetrics;
pub(crate) use taking::taking;
pub(crate) use visit::{Action, REDACTED, Recorder};
