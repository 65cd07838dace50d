//! OTLP in its three forms over a network, as `mock-collector` reads it: texts are data there, and arrive as they are.

use mock_collector::{MockServer, Protocol};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use telemetry_layer::model::{StatusRef, Text, Value};
use telemetry_tests::receiver::Form;
use tokio::runtime::Runtime;

use crate::{hostile, recorded};

/// All texts of an item, in an order of their own.
type Item = Vec<String>;

fn text(of: Option<&AnyValue>) -> String {
    match of.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(n)) => n.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Without those that say where it stands in the source.
fn attributes(of: &[KeyValue]) -> Item {
    let of = of.iter().filter(|of| !of.key.starts_with("code."));
    of.flat_map(|of| [of.key.clone(), text(of.value.as_ref())]).collect()
}

fn fields(of: &[(Text, Value)]) -> Item {
    of.iter().flat_map(|(key, value)| [key.to_string(), value.to_string()]).collect()
}

#[track_caller]
fn same(mut came: Vec<Item>, mut want: Vec<Item>) {
    assert_eq!(came.len(), want.len());
    came.sort_unstable();
    want.sort_unstable();
    for (came, want) in came.iter().zip(&want) {
        assert_eq!(came, want);
    }
}

#[test]
fn texts_arrive_as_they_are() {
    for (protocol, form) in [
        (Protocol::HttpBinary, Form::Otlp),
        (Protocol::HttpJson, Form::OtlpJson),
        (Protocol::Grpc, Form::OtlpGrpc),
    ] {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::builder().protocol(protocol).start()).unwrap();
        let kept = recorded(|b| b.endpoint(form.url(server.addr(), Form::ALL)));
        runtime.block_on(server.with_collector(|collector| {
            let env = [("env", &*hostile::texts()[7])];
            collector.expect_span().with_resource_attributes(env).assert_count(kept.spans.len());
            let spans = collector.spans().iter().map(|of| {
                let span = of.span();
                let error = span.status.clone().unwrap().message;
                [vec![span.name.clone(), error], attributes(&span.attributes)].concat()
            });
            let want = kept.spans.iter().map(|span| {
                let StatusRef::Error(error) = span.status.as_ref() else { panic!("{span:?}") };
                [vec![span.name.to_string(), error.to_owned()], fields(&span.fields)].concat()
            });
            same(spans.collect(), want.collect());
            let records = collector.logs().iter().map(|of| {
                let record = of.log_record();
                let head = vec![record.event_name.clone(), text(record.body.as_ref())];
                [head, attributes(&record.attributes)].concat()
            });
            let want = kept.events.iter().map(|event| {
                [vec![event.name.to_string(), event.message.clone()], fields(&event.fields)].concat()
            });
            same(records.collect(), want.collect());
            let points = collector.metrics().iter().flat_map(|of| {
                let metric = of.metric();
                let points = match metric.data.as_ref().unwrap() {
                    Data::Gauge(of) => &of.data_points,
                    Data::Sum(of) => &of.data_points,
                    other => panic!("{other:?}"),
                };
                let head = || vec![metric.name.clone(), metric.unit.clone()];
                points
                    .iter()
                    .map(|point| [head(), attributes(&point.attributes)].concat())
                    .collect::<Vec<_>>()
            });
            let want = kept.metrics.iter().map(|metric| {
                let identity = &metric.identity;
                let tags = identity.tags.iter().flat_map(|(key, value)| [key.to_owned(), value.to_owned()]);
                [identity.name.to_string(), identity.unit.to_string()].into_iter().chain(tags).collect()
            });
            same(points.collect(), want.collect());
        }));
    }
}
