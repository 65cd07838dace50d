//! From `tracing` macros and instruments to receivers over HTTP: what arrives, and what comes with it. What goes wrong on the way
//! is in `network_faults`, and every field of OTLP in `otlp`.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

#[path = "otlp_receiver.rs"]
mod receiver;
use receiver::{Received, receiver};

/// What a program sends to that endpoint.
fn sent(url: impl Fn(&str) -> String) -> Received {
    let (address, received) = receiver();
    let url = url(&address);
    let collector = Collector::builder().ignore_env().tag("env", "test").endpoint(url).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("order", id = 7).in_scope(|| tracing::warn!(left = 2_u64, "little is left"));
    });
    collector.counter("orders").add(3_u64);
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    received
}

#[test]
fn otlp_arrives() {
    let received = sent(|address| format!("otlp://{address}?header=x-tenant:shop&token=let%20me%20in"));
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
fn batches_of_json_arrive() {
    let received = sent(|address| format!("http://{address}/in?header=x-tenant:shop&token=secret"));
    let bodies: Vec<Value> =
        received.bodies("/in").iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
    let of = |signal: &str| bodies.iter().find(|body| body["signal"] == signal).unwrap();
    let (span, event) = (&of("spans")["items"][0], &of("events")["items"][0]);
    assert_eq!((&span["name"], &span["fields"]["id"]), (&"order".into(), &7.into()));
    assert_eq!((&event["message"], &event["span_id"]), (&"little is left".into(), &span["span_id"]));
    let orders = of("metrics")["items"].as_array().unwrap().iter().find(|item| item["name"] == "orders");
    assert_eq!(orders.unwrap()["value"], 3);
    assert!(bodies.iter().all(|body| body["resource"]["env"] == "test"));
    for (_, headers, body) in received.0.lock().unwrap().iter() {
        assert!(headers["x-tenant"] == "shop" && headers["authorization"] == "Bearer secret", "{headers:?}");
        assert!(body.is_empty() || headers["content-type"] == "application/json");
    }
}
