//! The SDK's way: from what its exporters are given to prost's types, and from these to bytes.

use super::{EVENT, N, POINT, REGION, SDK, SPAN, case, event, points, span};
use crate::case::{Case, Count, Entries};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::logs::{InMemoryLogExporter, LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use prost::Message;
use std::hint::black_box as bb;
use std::sync::{Arc, Mutex};
use tracing_subscriber::layer::SubscriberExt;

/// Spans as the tracing-opentelemetry layer makes them: with its own attributes (location, thread, busy time)
/// by default, or only the four fields.
fn spans(lean: bool) -> Vec<SpanData> {
    let x = InMemorySpanExporter::default();
    let p = SdkTracerProvider::builder().with_simple_exporter(x.clone()).build();
    let l = tracing_opentelemetry::layer().with_tracer(p.tracer("peers"));
    let l = l.with_location(!lean).with_threads(!lean).with_target(!lean).with_tracked_inactivity(!lean);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(l), || (0..N).for_each(span));
    let v = x.get_finished_spans().unwrap();
    assert_eq!(v.len() as u64, N);
    v
}
fn request(v: Vec<SpanData>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: group_spans_by_resource_and_scope(v, &ResourceAttributesWithSchema::default()),
    }
}

/// The same content as plain structs.
#[derive(serde::Serialize)]
struct Plain {
    trace_id: String,
    span_id: String,
    parent: String,
    name: String,
    start_ns: u128,
    end_ns: u128,
    attributes: Vec<(String, Value)>,
}
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Value {
    I(i64),
    S(String),
    B(bool),
}
fn plain(s: &SpanData) -> Plain {
    let ns = |t: std::time::SystemTime| t.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    Plain {
        trace_id: s.span_context.trace_id().to_string(),
        span_id: s.span_context.span_id().to_string(),
        parent: s.parent_span_id.to_string(),
        name: s.name.to_string(),
        start_ns: ns(s.start_time),
        end_ns: ns(s.end_time),
        attributes: s
            .attributes
            .iter()
            .map(|k| {
                let v = match &k.value {
                    opentelemetry::Value::I64(i) => Value::I(*i),
                    opentelemetry::Value::Bool(b) => Value::B(*b),
                    v => Value::S(v.to_string()),
                };
                (k.key.to_string(), v)
            })
            .collect(),
    }
}

/// The conversion takes the spans by value, as the exporter has them: a copy is made untimed.
fn owned(lean: bool, f: fn(Vec<SpanData>) -> u64) -> Case {
    let all = spans(lean);
    let next = Arc::new(Mutex::new(Vec::new()));
    let (slot, bytes) = (next.clone(), Count::default());
    let seen = bytes.clone();
    let run = move |_| {
        let v = std::mem::take(&mut *next.lock().unwrap());
        bytes.add(f(v))
    };
    let settled = Case::new(N, run).settle(move || *slot.lock().unwrap() = all.clone());
    settled.verify(move |_, runs| format!("{:.1} bytes each", seen.get() as f64 / runs as f64 / N as f64))
}

fn add_spans(e: &mut Entries) {
    e.add(SPAN, SDK, || owned(false, |v| bb(request(v).encode_to_vec()).len() as u64));
    e.add(SPAN, "opentelemetry-otlp, lean", || owned(true, |v| bb(request(v).encode_to_vec()).len() as u64));
    e.add(SPAN, "opentelemetry-otlp, types only", || {
        owned(false, |v| {
            bb(request(v));
            0
        })
    });
    e.add(SPAN, "opentelemetry-otlp, JSON", || {
        owned(false, |v| bb(serde_json::to_vec(&request(v)).unwrap()).len() as u64)
    });
    e.add(SPAN, "plain structs, serde_json", || {
        let v: Vec<Plain> = spans(true).iter().map(plain).collect();
        case(move |body| serde_json::to_writer(body, &v).unwrap())
    });
}

fn add_events(e: &mut Entries) {
    e.add(EVENT, SDK, || {
        let x = InMemoryLogExporter::default();
        let p = SdkLoggerProvider::builder().with_simple_exporter(x.clone()).build();
        let l = opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(&p);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(l), || (0..N).for_each(event));
        let logs = x.get_emitted_logs().unwrap();
        assert_eq!(logs.len() as u64, N);
        case(move |body| {
            let logs: Vec<_> = logs.iter().map(|log| (&log.record, &log.instrumentation)).collect();
            let (logs, resource) = (LogBatch::new(&logs), ResourceAttributesWithSchema::default());
            let resource_logs = group_logs_by_resource_and_scope(&logs, &resource);
            ExportLogsServiceRequest { resource_logs }.encode(body).unwrap()
        })
    });
}

fn metrics() -> Vec<ResourceMetrics> {
    let x = InMemoryMetricExporter::default();
    let p = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(x.clone()).build()).build();
    let meter = p.meter("peers");
    for (metric, host) in points() {
        let tags = [KeyValue::new("host", host), KeyValue::new(REGION.0, REGION.1)];
        meter.u64_counter(metric).build().add(1, &tags);
    }
    p.force_flush().unwrap();
    x.get_finished_metrics().unwrap()
}

fn add_points(e: &mut Entries) {
    e.add(POINT, SDK, || {
        let all = metrics();
        case(move |body| all.iter().for_each(|all| ExportMetricsServiceRequest::from(all).encode(body).unwrap()))
    });
}

pub(super) fn add(e: &mut Entries) {
    add_spans(e);
    add_events(e);
    add_points(e);
}
