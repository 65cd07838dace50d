//! `mock-collector`, a receiver in Rust over tonic and axum: how much came, and of each item names, ids, times, attributes and
//! values.

use mock_collector::{MockCollector, MockServer, Protocol, ServerHandle};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric::Data};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::decoder::Item;
use crate::expected::{Expected, float};
use crate::forms::{Form, in_each_form};
use crate::scenarios::finite;
use crate::{export, same, without_places};

struct Mock {
    server: ServerHandle,
    runtime: Runtime,
}

impl Mock {
    fn start(form: &Form) -> Self {
        let protocol = match form.content_type {
            "application/grpc" => Protocol::Grpc,
            "application/json" => Protocol::HttpJson,
            _ => Protocol::HttpBinary,
        };
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::builder().protocol(protocol).start()).unwrap();
        Self { server, runtime }
    }

    #[track_caller]
    fn has(&self, expected: &Expected) {
        self.runtime.block_on(self.server.with_collector(|collector| {
            same("span", of(&expected.spans, &SPAN), without_places(&spans(collector)));
            same("record", of(&expected.records, &RECORD), without_places(&records(collector)));
            same("point", of(&expected.points, &POINT), without_places(&points(collector)));
            let service = || [("service.name", "größe"), ("env", "test")];
            let spans = collector.expect_span().with_resource_attributes(service());
            spans.assert_count(expected.spans.len());
            let records = collector.expect_log().with_resource_attributes(service());
            records.assert_count(expected.records.len());
            let metrics = collector.expect_metric().with_resource_attributes(service());
            metrics.assert_count(collector.metric_count());
        }));
    }
}

/// What is compared of an item, and of what is in it.
const SPAN: [&str; 7] = [
    "/trace_id",
    "/span_id",
    "/parent_span_id",
    "/name",
    "/start_time_unix_nano",
    "/end_time_unix_nano",
    "/attributes",
];
const RECORD: [&str; 7] =
    ["/trace_id", "/span_id", "/event_name", "/severity_text", "/body", "/time_unix_nano", "/attributes"];
const POINT: [&str; 8] = [
    "/name",
    "/unit",
    "/description",
    "/point/as_int",
    "/point/as_double",
    "/point/count",
    "/point/time_unix_nano",
    "/point/attributes",
];

fn of(items: &[Item], paths: &[&str]) -> Vec<Item> {
    let of = |item: &Item| {
        let part = |path: &&str| {
            let value = item.it.pointer(path).filter(|value| !value.is_null());
            Some((path.rsplit('/').next().unwrap().to_owned(), value?.clone()))
        };
        own(paths.iter().filter_map(part).collect())
    };
    items.iter().map(of).collect()
}

/// It keeps no names of scopes.
fn own(it: Value) -> Item {
    Item { scope: String::new(), it }
}

fn any(of: &AnyValue) -> Value {
    match of.value.as_ref().unwrap() {
        Any::BoolValue(is) => json!({"bool_value": is}),
        Any::IntValue(n) => json!({"int_value": n}),
        Any::DoubleValue(x) => json!({"double_value": float(*x)}),
        Any::StringValue(text) => json!({"string_value": text}),
        other => panic!("{other:?}"),
    }
}

fn attributes(of: &[KeyValue]) -> Vec<Value> {
    let attribute =
        |of: &KeyValue| json!({"key": of.key, "value": any(of.value.as_ref().unwrap()), "key_strindex": 0});
    of.iter().map(attribute).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn spans(collector: &MockCollector) -> Vec<Item> {
    let item = |span: &Span| {
        own(json!({
            "trace_id": hex(&span.trace_id),
            "span_id": hex(&span.span_id),
            "parent_span_id": hex(&span.parent_span_id),
            "name": span.name,
            "start_time_unix_nano": span.start_time_unix_nano,
            "end_time_unix_nano": span.end_time_unix_nano,
            "attributes": attributes(&span.attributes),
        }))
    };
    collector.spans().iter().map(|span| item(span.span())).collect()
}

fn records(collector: &MockCollector) -> Vec<Item> {
    let item = |record: &LogRecord| {
        let mut it = json!({
            "trace_id": hex(&record.trace_id),
            "span_id": hex(&record.span_id),
            "event_name": record.event_name,
            "severity_text": record.severity_text,
            "time_unix_nano": record.time_unix_nano,
            "attributes": attributes(&record.attributes),
        });
        if let Some(body) = &record.body {
            it["body"] = any(body);
        }
        own(it)
    };
    collector.logs().iter().map(|record| item(record.log_record())).collect()
}

fn points(collector: &MockCollector) -> Vec<Item> {
    collector.metrics().iter().flat_map(|metric| points_of(metric.metric())).collect()
}

fn points_of(metric: &Metric) -> Vec<Item> {
    let item = |tags: &[KeyValue], time: u64, (name, value): (&str, Value)| {
        own(json!({
            "name": metric.name,
            "unit": metric.unit,
            "description": metric.description,
            "time_unix_nano": time,
            "attributes": attributes(tags),
            name: value,
        }))
    };
    let number = |of: &NumberDataPoint| {
        let value = match of.value.as_ref().unwrap() {
            Number::AsInt(n) => ("as_int", json!(n)),
            Number::AsDouble(x) => ("as_double", json!(float(*x))),
        };
        item(&of.attributes, of.time_unix_nano, value)
    };
    let count = |tags: &[KeyValue], time, count: u64| item(tags, time, ("count", json!(count)));
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => gauge.data_points.iter().map(number).collect(),
        Data::Sum(sum) => sum.data_points.iter().map(number).collect(),
        Data::Histogram(of) => {
            of.data_points.iter().map(|of| count(&of.attributes, of.time_unix_nano, of.count)).collect()
        }
        Data::ExponentialHistogram(of) => {
            of.data_points.iter().map(|of| count(&of.attributes, of.time_unix_nano, of.count)).collect()
        }
        other @ Data::Summary(_) => panic!("{other:?}"),
    }
}

#[test]
fn mock_collector_reads_what_was_recorded() {
    in_each_form(|form| {
        for compression in ["none", "gzip", "zstd"] {
            let mock = Mock::start(form);
            let url = form.url([mock.server.addr().port(); 2], None, compression);
            mock.has(&Expected::of(&export(&url, |collector| {
                finite::of(form)(collector);
                finite::histograms(collector);
            })));
        }
    });
}
