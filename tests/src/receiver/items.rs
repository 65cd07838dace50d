//! Which items a body holds.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

/// What a request holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Span ids.
    pub spans: Vec<u64>,
    /// What the attribute `id` of log records says.
    pub logs: Vec<u64>,
    /// Names of metrics.
    pub metrics: Vec<String>,
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.metrics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a span or a log record of that id is among them.
    pub fn has(&self, id: u64) -> bool {
        self.spans.contains(&id) || self.logs.contains(&id)
    }
}

/// Reads the body of a request to that path; none where it is no such body. Each protocol brings its own.
pub type Reader = fn(path: &str, body: &[u8]) -> Option<Items>;

/// OTLP in protobuf, as OpenTelemetry's own types read it.
pub fn otlp(path: &str, body: &[u8]) -> Option<Items> {
    let mut items = Items::default();
    match path {
        "/v1/traces" => {
            let all = ExportTraceServiceRequest::decode(body).ok()?.resource_spans;
            for span in all.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans) {
                items.spans.push(u64::from_be_bytes(span.span_id.try_into().ok()?));
            }
        }
        "/v1/logs" => {
            let all = ExportLogsServiceRequest::decode(body).ok()?.resource_logs;
            for record in all.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records) {
                items.logs.push(id(&record)?);
            }
        }
        "/v1/metrics" => {
            let all = ExportMetricsServiceRequest::decode(body).ok()?.resource_metrics;
            let metrics = all.into_iter().flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics);
            items.metrics = metrics.map(|metric| metric.name).collect();
        }
        _ => return None,
    }
    Some(items)
}

fn id(record: &LogRecord) -> Option<u64> {
    let id = record.attributes.iter().find(|attribute| attribute.key == "id")?;
    match id.value.as_ref()?.value.as_ref()? {
        Value::IntValue(id) => u64::try_from(*id).ok(),
        _ => None,
    }
}
