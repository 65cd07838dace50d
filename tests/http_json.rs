//! From `tracing` macros and instruments to an endpoint that takes JSON and knows nothing of telemetry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

#[path = "otlp_receiver.rs"]
mod receiver;
use receiver::{all_taken, receiver};

#[test]
fn spans_events_and_metrics_arrive_as_json() {
    let (address, received) = receiver(all_taken);
    let url = format!("http://{address}/in?header=x-tenant:shop&token=secret");
    let collector = Collector::builder().ignore_env().tag("env", "test").endpoint(url).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("order", id = 7).in_scope(|| tracing::warn!(left = 2_u64, "little is left"));
    });
    collector.counter("orders").add(3_u64);
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
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

/// Such an endpoint answers 500 while it is restarted.
#[test]
fn an_endpoint_that_fails_once_gets_the_same_again() {
    let has_failed = Arc::new(AtomicBool::new(false));
    let (address, received) = receiver({
        let has_failed = Arc::clone(&has_failed);
        move |_| (if has_failed.swap(true, SeqCst) { 204 } else { 500 }, Vec::new())
    });
    let url = format!("http://{address}/in?signals=spans");
    let collector = Collector::builder().ignore_env().on_export(|_| ()).endpoint(url).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("order")));
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    let bodies = received.bodies("/in");
    assert!(bodies.len() == 2 && bodies[0] == bodies[1], "{bodies:?}");
}
