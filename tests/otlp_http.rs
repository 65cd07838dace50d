//! From `tracing` macros and instruments to a receiver of OTLP over HTTP, as OpenTelemetry's own types read it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

#[path = "otlp_receiver.rs"]
mod receiver;
use receiver::{all_taken, receiver};

#[test]
fn spans_events_and_metrics_arrive() {
    let (address, received) = receiver(all_taken);
    let url = format!("otlp://{address}?header=x-tenant:shop&token=let%20me%20in");
    let collector = Collector::builder().ignore_env().tag("env", "test").endpoint(url).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("order", id = 7).in_scope(|| tracing::warn!(left = 2_u64, "little is left"));
    });
    collector.counter("orders").add(3_u64);
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    let traces = ExportTraceServiceRequest::decode(received.bodies("/v1/traces")[0].clone()).unwrap();
    let of = &traces.resource_spans[0];
    let env = of.resource.as_ref().unwrap().attributes.iter().any(|attribute| attribute.key == "env");
    assert!(env && of.scope_spans[0].spans[0].name == "order");
    let logs = ExportLogsServiceRequest::decode(received.bodies("/v1/logs")[0].clone()).unwrap();
    let record = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.trace_id, of.scope_spans[0].spans[0].trace_id);
    let metrics = ExportMetricsServiceRequest::decode(received.bodies("/v1/metrics")[0].clone()).unwrap();
    assert_eq!(metrics.resource_metrics[0].scope_metrics[0].metrics[0].name, "orders");
    for (_, headers, _) in received.0.lock().unwrap().iter() {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((header("x-tenant"), header("authorization")), (Some("shop"), Some("Bearer let me in")));
        assert_eq!(header("content-type"), Some("application/x-protobuf"));
    }
}

#[test]
fn what_a_receiver_rejects_of_a_request_is_counted_and_not_sent_again() {
    let partly = |path: &str| {
        let message = "two have no name".to_owned();
        let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: message };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
        (200, if path == "/v1/traces" { answer.encode_to_vec() } else { Vec::new() })
    };
    let (address, received) = receiver(partly);
    let (reports, seen) = std::sync::mpsc::channel();
    let collector = Collector::builder()
        .ignore_env()
        .endpoint(format!("otlp://{address}?signals=spans"))
        .on_export(move |report| reports.send(report.clone()).unwrap())
        .start()
        .unwrap();
    (1..=5).for_each(|n| collector.collect_span(&span(n)));
    assert!(!collector.flush(SOON).is_complete());
    let ledger = collector.ledger();
    let account = ledger.exporter("otlp", Signal::Spans).unwrap();
    assert_eq!((account.delivered, account.rejected, received.bodies("/v1/traces").len()), (3, 2, 1));
    assert_eq!(seen.recv_timeout(SOON).unwrap().error.as_deref(), Some("two have no name"));
}

#[test]
fn json_arrives_where_it_is_wanted_and_is_answered_in_json() {
    let partly = |path: &str| {
        let partial = br#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one has no name"}}"#;
        (200, if path == "/v1/traces" { partial.to_vec() } else { b"{}".to_vec() })
    };
    let (address, received) = receiver(partly);
    let url = format!("otlp://{address}?protocol=http/json");
    let collector = Collector::builder().ignore_env().on_export(|_| ()).endpoint(url).start().unwrap();
    (1..=3).for_each(|n| collector.collect_span(&span(n)));
    collector.counter("orders").add(3_u64);
    assert!(!collector.flush(SOON).is_complete());
    let ledger = collector.ledger();
    let account = ledger.exporter("otlp", Signal::Spans).unwrap();
    assert_eq!((account.delivered, account.rejected), (2, 1));
    let read = |path| serde_json::from_slice::<serde_json::Value>(&received.bodies(path)[0]).unwrap();
    let spans = &read("/v1/traces")["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!((&spans[2]["spanId"], &spans[3]), (&"0000000000000003".into(), &serde_json::Value::Null));
    let orders = &read("/v1/metrics")["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
    assert_eq!((&orders["name"], &orders["sum"]["dataPoints"][0]["asInt"]), (&"orders".into(), &"3".into()));
    let json = received.0.lock().unwrap();
    assert!(json.iter().all(|(_, headers, _)| headers["content-type"] == "application/json"));
}

#[test]
fn a_receiver_that_is_away_gets_all_when_it_is_back() {
    let away = Arc::new(Mutex::new(3));
    let left = Arc::clone(&away);
    let (address, received) = receiver(move |_| {
        let mut left = left.lock().unwrap();
        if *left == 0 {
            return (200, Vec::new());
        }
        *left -= 1;
        (503, Vec::new())
    });
    let url = format!("otlp://{address}?signals=spans&compression=none");
    let collector = Collector::builder().ignore_env().on_export(|_| ()).endpoint(url).start().unwrap();
    (1..=100).for_each(|n| collector.collect_span(&span(n)));
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    let last = received.bodies("/v1/traces").pop().unwrap();
    let spans = ExportTraceServiceRequest::decode(last).unwrap();
    let ids = spans.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans);
    assert_eq!(ids.map(|span| &span.span_id).collect::<std::collections::HashSet<_>>().len(), 100);
}

#[test]
fn nobody_at_the_other_end_costs_no_more_than_the_deadline() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("otlp://{free}");
    let collector = Collector::builder().ignore_env().on_export(|_| ()).endpoint(url).start().unwrap();
    collector.collect_span(&span(1));
    let report = collector.shutdown(Duration::from_millis(500));
    let lost = report.ledger().exporter("otlp", Signal::Spans).unwrap().dropped.total();
    assert_eq!((report.is_complete(), lost), (false, 1));
}

fn span(n: u64) -> telemetry_layer::model::Span {
    use telemetry_layer::model::{Span, SpanContext, SpanId, TraceId};
    let context = SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(n).unwrap(), true);
    Span::new(context, "s", 1_000, 5)
}
