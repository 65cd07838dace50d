//! Which items a body holds.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;
use serde_json::Value;
use telemetry_layer::Signal;

/// The data points of a [`Program`](crate::program::Program) have this name, and their id in a tag of the name [`ID`].
pub const POINT: &str = "point";
/// The name of a tag.
pub const ID: &str = "id";

/// What a request holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Span ids.
    pub spans: Vec<u64>,
    /// What the attribute `id` of log records says.
    pub logs: Vec<u64>,
    /// What the tag [`ID`] of data points says.
    pub points: Vec<u64>,
    /// Names of metrics that are none of these data points.
    pub metrics: Vec<String>,
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.points.len() + self.metrics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of those of one signal.
    pub fn ids(&self, signal: Signal) -> &[u64] {
        match signal {
            Signal::Spans => &self.spans,
            Signal::Events => &self.logs,
            _ => &self.points,
        }
    }

    /// Whether one of that id is among them.
    pub fn has(&self, id: u64) -> bool {
        [&self.spans, &self.logs, &self.points].iter().any(|ids| ids.contains(&id))
    }

    /// Adds a data point by what its tag says, or a metric that is none of these. None where a data point has no id.
    pub(super) fn add_point(&mut self, name: &str, id: Option<&str>) -> Option<()> {
        if name == POINT {
            self.points.push(id?.parse().ok()?);
        } else {
            self.metrics.push(name.to_owned());
        }
        Some(())
    }

    /// What they are; a request holds items of one signal.
    pub fn signal(&self) -> Signal {
        match self {
            Self { spans, .. } if !spans.is_empty() => Signal::Spans,
            Self { logs, .. } if !logs.is_empty() => Signal::Events,
            _ => Signal::Metrics,
        }
    }
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Spans),
        "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Events),
        "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
            Some(Signal::Metrics)
        }
        _ => None,
    }
}

/// OTLP in protobuf, as OpenTelemetry's own types read it.
pub(super) fn protobuf(path: &str, body: &[u8]) -> Option<Items> {
    let mut items = Items::default();
    match signal(path)? {
        Signal::Spans => {
            let all = ExportTraceServiceRequest::decode(body).ok()?.resource_spans;
            for span in all.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans) {
                items.spans.push(u64::from_be_bytes(span.span_id.try_into().ok()?));
            }
        }
        Signal::Events => {
            let all = ExportLogsServiceRequest::decode(body).ok()?.resource_logs;
            for record in all.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records) {
                items.logs.push(id(&record)?);
            }
        }
        _ => {
            let all = ExportMetricsServiceRequest::decode(body).ok()?.resource_metrics;
            let metrics = all.into_iter().flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics);
            items.metrics = metrics.map(|metric| metric.name).collect();
        }
    }
    Some(items)
}

fn id(record: &LogRecord) -> Option<u64> {
    let id = record.attributes.iter().find(|attribute| attribute.key == "id")?;
    match id.value.as_ref()?.value.as_ref()? {
        any_value::Value::IntValue(id) => u64::try_from(*id).ok(),
        _ => None,
    }
}

/// OTLP in JSON: ids in hexadecimal digits, 64 bits as text.
pub(super) fn json(path: &str, body: &[u8]) -> Option<Items> {
    let all: Value = serde_json::from_slice(body).ok()?;
    let mut items = Items::default();
    match signal(path)? {
        Signal::Spans => {
            for span in below(&all, ["resourceSpans", "scopeSpans", "spans"]) {
                items.spans.push(hex(&span["spanId"])?);
            }
        }
        Signal::Events => {
            for record in below(&all, ["resourceLogs", "scopeLogs", "logRecords"]) {
                let attributes = record["attributes"].as_array()?;
                let id = attributes.iter().find(|attribute| attribute["key"] == "id")?;
                items.logs.push(id["value"]["intValue"].as_str()?.parse().ok()?);
            }
        }
        _ => {
            for metric in below(&all, ["resourceMetrics", "scopeMetrics", "metrics"]) {
                items.metrics.push(metric["name"].as_str()?.to_owned());
            }
        }
    }
    Some(items)
}

/// The members of the last of these lists, each of which stands in the members of the one before.
fn below<'a>(all: &'a Value, lists: [&str; 3]) -> Vec<&'a Value> {
    lists.iter().fold(vec![all], |above, list| {
        above.into_iter().filter_map(|of| of.get(list)?.as_array()).flatten().collect()
    })
}

fn hex(id: &Value) -> Option<u64> {
    u64::from_str_radix(id.as_str()?, 16).ok()
}

/// Batches in JSON.
pub(super) fn batch(body: &[u8]) -> Option<Items> {
    let all: Value = serde_json::from_slice(body).ok()?;
    let mut items = Items::default();
    for item in all["items"].as_array()? {
        match all["signal"].as_str()? {
            "spans" => items.spans.push(hex(&item["span_id"])?),
            "events" => items.logs.push(item["fields"]["id"].as_u64()?),
            "metrics" => items.add_point(item["name"].as_str()?, item["tags"][ID].as_str())?,
            _ => return None,
        }
    }
    Some(items)
}
