//! All that is written is read by the types that OpenTelemetry generates from its own definitions.

mod answers;
mod events;
mod json;
mod metrics;
mod sizes;
mod spans;

use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use proptest::prelude::*;
use prost::Message;
use tracing_core::callsite::Identifier;
use tracing_core::field::FieldSet;
use tracing_core::{Callsite, Interest, Kind, Level, Metadata};

use super::Writer;
use crate::exporters::Batch;
use crate::model::{Resource, Tags, Value};

/// Some call sites, made as macros of `tracing` make them.
static SITES: LazyLock<[&'static Metadata<'static>; 4]> = LazyLock::new(|| {
    const LONG: &str = "a.name.that.is.longer.than.the.place.that.is.kept.for.it";
    [
        site("work", "shop::cart", Some(("src/cart.rs", 12)), &["user", "message", LONG, "r#type"]),
        site("späť", "shop::cart", Some(("src/cart.rs", 99)), &[]),
        site("event src/pay.rs:7", "shop::pay", Some(("src/pay.rs", 7)), &["code.file.path", "b"]),
        site("nowhere", "", None, &["a", "b"]),
    ]
});

fn site(
    name: &'static str,
    target: &'static str,
    place: Option<(&'static str, u32)>,
    fields: &'static [&'static str],
) -> &'static Metadata<'static> {
    struct Nobody;
    impl Callsite for Nobody {
        fn set_interest(&self, _: Interest) {}
        fn metadata(&self) -> &Metadata<'_> {
            SITES[0]
        }
    }
    static NOBODY: Nobody = Nobody;
    let (file, line) = place.unzip();
    let fields = FieldSet::new(fields, Identifier(&NOBODY));
    Box::leak(Box::new(Metadata::new(name, target, Level::WARN, file, line, None, fields, Kind::SPAN)))
}

fn resource(tags: &[(&'static str, &'static str)]) -> Arc<Resource> {
    let mut all = Tags::new();
    tags.iter().for_each(|(key, value)| all.insert(*key, *value).unwrap());
    let found = [("process.pid".into(), Value::U64(7)), ("os.type".into(), Value::Str("linux".to_owned()))];
    Arc::new(Resource::new(all, "test").unwrap().with_attributes(found))
}

/// The request for a whole batch, and what prost reads in it.
fn written<M: Message + Default>(writer: &Writer, batch: &Batch) -> M {
    let mut body = Vec::new();
    assert_eq!(writer.write(batch, usize::MAX, &mut body), batch.len());
    M::decode(&*body).unwrap()
}

/// Equal as bytes, so that a NaN is equal to itself.
fn assert_same<M: Message + std::fmt::Debug>(is: &M, want: &M) {
    assert!(is.encode_to_vec() == want.encode_to_vec(), "{is:#?}\nis not\n{want:#?}");
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.to_owned())) }
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(is) => Any::BoolValue(*is),
        Value::I64(n) => Any::IntValue(*n),
        Value::U64(n) => i64::try_from(*n).map_or_else(|_| Any::StringValue(n.to_string()), Any::IntValue),
        Value::F64(x) => Any::DoubleValue(*x),
        Value::Str(text) => Any::StringValue(text.clone()),
    };
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn attributes(tags: &Tags) -> Vec<KeyValue> {
    tags.iter().map(|(key, value)| attribute(key, text(value))).collect()
}

/// What a call site adds to the attributes of its items.
fn place(site: &Metadata<'_>) -> Vec<KeyValue> {
    if site.fields().field("code.file.path").is_some() {
        return Vec::new();
    }
    let file = site.file();
    let file = file.map(|file| attribute("code.file.path", text(file)));
    let line = site.line().map(|line| attribute("code.line.number", any(&Value::from(line))));
    file.into_iter().chain(line).collect()
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() }
}

fn otlp_resource(resource: &Resource) -> OtlpResource {
    let sdk = [("language", "rust"), ("name", "telemetry"), ("version", env!("CARGO_PKG_VERSION"))];
    let sdk = sdk.into_iter().map(|(key, value)| attribute(&format!("telemetry.sdk.{key}"), text(value)));
    let known = resource.attributes().map(|(key, value)| attribute(key, any(&value.to_value())));
    let attributes = known.chain(sdk).collect();
    OtlpResource { attributes, ..OtlpResource::default() }
}

const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

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

fn some_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::arbitrary::any::<bool>().prop_map(Value::Bool),
        proptest::arbitrary::any::<u64>().prop_map(Value::U64),
        (0..300_u64).prop_map(Value::U64),
        proptest::arbitrary::any::<i64>().prop_map(Value::I64),
        proptest::arbitrary::any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        ".{0,10}".prop_map(Value::Str),
        ".{60,140}".prop_map(Value::Str),
    ]
}

fn some_id() -> impl Strategy<Value = u64> {
    prop_oneof![1..300_u64, 1..u64::MAX]
}
