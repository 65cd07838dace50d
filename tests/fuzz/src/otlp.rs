//! What a request of OTLP has to say.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use telemetry_core::model::{Resource, Value};
use tracing_core::Metadata;

use crate::{Items, MadeEvent, MadeSpan, metrics};

const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Panics unless a body says of some of the items, from one on, and of the resource what they are.
pub fn assert_is(body: &[u8], items: &Items, range: std::ops::Range<usize>, resource: &Resource) {
    match items {
        Items::Spans(made) => same(body, &traces(&made[range], resource)),
        Items::Events(made) => same(body, &logs(&made[range], resource)),
        Items::Metrics(made) => metrics::assert_is(body, &made[range], resource),
    }
}

/// Equal as bytes, so that a NaN is equal to itself.
pub fn same<M: Message + Default + std::fmt::Debug>(body: &[u8], want: &M) {
    let is = M::decode(body).expect("protobuf");
    assert!(is.encode_to_vec() == want.encode_to_vec(), "{is:#?}\nis not\n{want:#?}");
}

fn traces(made: &[MadeSpan], resource: &Resource) -> ExportTraceServiceRequest {
    let scopes = by_scope(made.iter().map(MadeSpan::otlp)).into_iter();
    let scopes =
        scopes.map(|(name, spans)| ScopeSpans { scope: Some(scope(&name)), spans, ..ScopeSpans::default() });
    let of_resource = ResourceSpans {
        resource: Some(of_resource(resource)),
        scope_spans: scopes.collect(),
        schema_url: SCHEMA.to_owned(),
    };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }
}

fn logs(made: &[MadeEvent], resource: &Resource) -> ExportLogsServiceRequest {
    let scopes = by_scope(made.iter().map(MadeEvent::otlp)).into_iter();
    let scopes = scopes.map(|(name, log_records)| ScopeLogs {
        scope: Some(scope(&name)),
        log_records,
        ..ScopeLogs::default()
    });
    let of_resource = ResourceLogs {
        resource: Some(of_resource(resource)),
        scope_logs: scopes.collect(),
        schema_url: SCHEMA.to_owned(),
    };
    ExportLogsServiceRequest { resource_logs: vec![of_resource] }
}

/// Items by scope, as they come.
fn by_scope<T>(items: impl IntoIterator<Item = (String, T)>) -> Vec<(String, Vec<T>)> {
    let mut scopes: Vec<(String, Vec<T>)> = Vec::new();
    for (name, item) in items {
        match scopes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, items)) => items.push(item),
            None => scopes.push((name, vec![item])),
        }
    }
    scopes
}

/// A scope without version and attributes.
pub fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() }
}

/// What a program is, and with what it measures.
pub fn of_resource(resource: &Resource) -> OtlpResource {
    let sdk = [("language", "rust"), ("name", "telemetry"), ("version", "0.1.0")];
    let sdk = sdk.map(|(key, value)| attribute(&format!("telemetry.sdk.{key}"), &Value::from(value)));
    let known = resource.attributes().map(|(key, value)| attribute(key, &value.to_value()));
    OtlpResource { attributes: known.chain(sdk).collect(), ..OtlpResource::default() }
}

/// A value; a whole number that OTLP's are too small for is a text.
pub fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(is) => Any::BoolValue(*is),
        Value::I64(n) => Any::IntValue(*n),
        Value::U64(n) => i64::try_from(*n).map_or_else(|_| Any::StringValue(n.to_string()), Any::IntValue),
        Value::F64(x) => Any::DoubleValue(*x),
        Value::Str(text) => Any::StringValue(text.clone()),
        other => unreachable!("{other:?} is not made"),
    };
    AnyValue { value: Some(value) }
}

/// A name and a value.
pub fn attribute(key: &str, value: &Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// What a call site adds to the attributes of its items.
pub fn place(site: Option<&'static Metadata<'static>>) -> Vec<KeyValue> {
    let Some(site) = site.filter(|site| site.fields().field("code.file.path").is_none()) else {
        return Vec::new();
    };
    let file = site.file().map(|file| attribute("code.file.path", &Value::from(file)));
    let line = site.line().map(|line| attribute("code.line.number", &Value::from(line)));
    file.into_iter().chain(line).collect()
}
