use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::clock::Anchors;
use crate::metrics::Snapshot;
use crate::model::record::{Chunk, EventHead, FieldBuf, Key, Links, Site, SpanHead, Time};
use crate::model::{
    Kind, Metric, Resource, SpanContext, SpanId, SpanKind, StatusRef, Tags, TraceId, Value, ValueRef,
};

fn resource() -> Arc<Resource> {
    let found = [("process.pid".into(), Value::U64(7))];
    Arc::new(Resource::new(Tags::parse("env: test").unwrap(), "shop").unwrap().with_attributes(found))
}

/// Texts of these lengths in an item each.
fn batch(signal: Signal, lengths: &[usize]) -> Batch {
    let context = SpanContext::new(TraceId::new(10).unwrap(), SpanId::new(11).unwrap(), true);
    let site = Site::Inline { name: "pay", target: "app", level: tracing_core::Level::WARN };
    let (mut chunk, mut metrics) = (Chunk::default(), Vec::new());
    for length in lengths {
        let (mut fields, text) = (FieldBuf::new(), "\"".repeat(*length));
        fields.push(Key::Name("text"), ValueRef::Str(&text));
        let time = Time::Unix(5);
        match signal {
            Signal::Spans => chunk.push_span(
                &SpanHead {
                    context,
                    parent: None,
                    parent_is_remote: None,
                    start: time,
                    duration_nano: 7,
                    kind: SpanKind::Client,
                    status: StatusRef::Ok,
                    name: None,
                    site,
                    cut: 0,
                    trace_state: "",
                    links: Links::default(),
                },
                &fields,
            ),
            Signal::Events => {
                let (trace_id, span_id) = (Some(context.trace_id), Some(context.span_id));
                chunk.push_event(
                    &EventHead { trace_id, span_id, sampled: true, random: true, time, site, cut: 0 },
                    &fields,
                );
            }
            Signal::Metrics => metrics.push(Metric::new(Kind::Counter, text, *length as u64, 9)),
        }
    }
    match signal {
        Signal::Spans => Batch::of_spans(chunk, resource(), Arc::new(Anchors::default())),
        Signal::Events => Batch::of_events(chunk, resource(), Arc::new(Anchors::default())),
        Signal::Metrics => Batch::of_metrics(Snapshot::new(metrics, resource()), resource()),
    }
}

/// The body for the first items of a batch, and how many these are.
fn body(batch: &Batch, max_bytes: usize) -> (usize, Vec<u8>) {
    let mut body = b"before".to_vec();
    let items = put_batch(&mut body, batch, max_bytes).unwrap();
    (items, body.strip_prefix(b"before").unwrap().to_vec())
}

fn read(body: &[u8]) -> Json {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_request_says_signal_and_resource_and_has_the_items_of_file() {
    let tags = json!({"env": "test", "service.name": "shop"});
    let resource = json!({"env": "test", "service.name": "shop", "process.pid": 7});
    let (items, spans) = body(&batch(Signal::Spans, &[1, 0]), usize::MAX);
    let span = |text: &str| {
        json!({
            "trace_id": "0000000000000000000000000000000a", "span_id": "000000000000000b",
            "parent_span_id": null, "name": "pay", "kind": "client", "level": "warn", "target": "app",
            "start_unix_nano": 5, "duration_nano": 7, "status": "ok", "fields": {"text": text}, "tags": tags,
        })
    };
    let want = json!({"signal": "spans", "resource": resource, "items": [span("\""), span("")]});
    assert_eq!((items, read(&spans)), (2, want));
    let (_, events) = body(&batch(Signal::Events, &[1]), usize::MAX);
    let events = read(&events);
    assert_eq!((&events["signal"], &events["resource"]), (&json!("events"), &resource));
    assert_eq!((&events["items"][0]["level"], &events["items"][0]["tags"]), (&json!("warn"), &tags));
    let (_, metrics) = body(&batch(Signal::Metrics, &[3]), usize::MAX);
    let metrics = read(&metrics);
    assert_eq!((&metrics["signal"], &metrics["items"][0]["value"]), (&json!("metrics"), &json!(3)));
}

proptest! {
    /// No byte more than the limit, and no item less than fits.
    #[test]
    fn as_many_items_as_fit_are_taken(
        signal in 0..3_usize,
        lengths in prop::collection::vec(0..200_usize, 1..30),
        max_bytes in 0..9000_usize,
    ) {
        let mut rest = batch(Signal::EACH[signal], &lengths);
        let all = read(&body(&rest, usize::MAX).1)["items"].clone();
        let mut arrived = Vec::new();
        while !rest.is_empty() {
            let (items, one) = body(&rest, max_bytes);
            prop_assert!(items == 1 || one.len() <= max_bytes, "{} items in {} bytes", items, one.len());
            if items < rest.len() {
                let more = rest.clone().take_first(items + 1);
                prop_assert!(body(&more, usize::MAX).1.len() > max_bytes);
            }
            let one = read(&one)["items"].as_array().unwrap().clone();
            prop_assert_eq!(one.len(), items);
            arrived.extend(one);
            rest.take_first(items);
        }
        prop_assert_eq!(Json::from(arrived), all);
    }
}
