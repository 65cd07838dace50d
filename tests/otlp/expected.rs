//! What was exported, as the exporter of the test kit keeps it, written down as OTLP's schema has it: by this file alone,
//! with none of the writer's code.

use serde_json::{Value, json};
use telemetry_layer::Level;
use telemetry_layer::model::{
    Buckets, Event, Exemplar, HistogramValue, Kind, Metric, Number, Span, SpanContext, Status, Tags,
    Temporality, TraceId, Value as Field,
};
use telemetry_layer::testing::Kept;

use crate::decoder::Item;

/// Every item with its scope.
pub(crate) struct Expected {
    pub(crate) spans: Vec<Item>,
    pub(crate) records: Vec<Item>,
    pub(crate) points: Vec<Item>,
}

impl Expected {
    pub(crate) fn of(kept: &Kept) -> Self {
        let item = |scope: &str, it| Item { scope: scope.to_owned(), it };
        Self {
            spans: kept.spans.iter().map(|of| item(&of.target, span(of))).collect(),
            records: kept.events.iter().map(|of| item(&of.target, record(of))).collect(),
            points: kept.metrics.iter().map(|of| item("telemetry", point(of))).collect(),
        }
    }
}

/// As the decoder writes them: 17 digits name each one.
pub(crate) fn float(x: f64) -> String {
    format!("{x:.16e}")
}

fn span(of: &Span) -> Value {
    let parent = of.parent_span_id;
    let remote = match of.trace_id.get() {
        7 => 0x300,
        // Of a parent of a span made by hand nobody knows.
        1 | u128::MAX if parent.is_some() => 0,
        _ => 0x100,
    };
    json!({
        "trace_id": of.trace_id.to_string(),
        "span_id": of.span_id.to_string(),
        "trace_state": of.trace_state,
        "parent_span_id": parent.map(|id| id.to_string()).unwrap_or_default(),
        "flags": 1 | random(of.trace_id) | remote,
        "name": &*of.name,
        "kind": of.kind as u8 + 1,
        "start_time_unix_nano": of.start_unix_nano,
        "end_time_unix_nano": of.end_unix_nano(),
        "attributes": fields(&of.fields),
        "events": [],
        "dropped_events_count": 0,
        "links": of.links.iter().map(link).collect::<Vec<_>>(),
        "dropped_links_count": 0,
        "status": match &of.status {
            Status::Ok => json!({"message": "", "code": 1}),
            Status::Error(message) => json!({"message": message, "code": 2}),
            _ => Value::Null,
        },
    })
}

/// Who makes a trace id by hand, or gets it from elsewhere, does not vouch for it.
fn random(trace: TraceId) -> u16 {
    if [1, 7, u128::MAX].contains(&trace.get()) { 0 } else { 2 }
}

fn link(of: &SpanContext) -> Value {
    let flag = |is, flag| if is { flag } else { 0 };
    json!({
        "trace_id": of.trace_id.to_string(),
        "span_id": of.span_id.to_string(),
        "trace_state": "",
        "attributes": [],
        "dropped_attributes_count": 0,
        "flags": 0x100 | flag(of.sampled, 1) | flag(of.random, 2) | flag(of.is_remote, 0x200),
    })
}

fn record(of: &Event) -> Value {
    let severity = match of.level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    };
    json!({
        "time_unix_nano": of.time_unix_nano,
        "observed_time_unix_nano": of.time_unix_nano,
        "severity_number": severity,
        "severity_text": of.level.as_str(),
        "body": if of.message.is_empty() { Value::Null } else { json!({"string_value": of.message}) },
        "attributes": fields(&of.fields),
        "flags": of.trace_id.map_or(0, |trace| 1 | random(trace)),
        "trace_id": of.trace_id.map(|id| id.to_string()).unwrap_or_default(),
        "span_id": of.span_id.map(|id| id.to_string()).unwrap_or_default(),
        "event_name": &*of.name,
    })
}

fn fields<T: AsRef<str>>(of: &[(T, Field)]) -> Vec<Value> {
    let value = |field: &Field| match field {
        Field::Bool(is) => json!({"bool_value": is}),
        Field::I64(n) => json!({"int_value": n}),
        Field::U64(n) if i64::try_from(*n).is_ok() => json!({"int_value": n}),
        // OTLP has no larger numbers.
        Field::U64(n) => json!({"string_value": n.to_string()}),
        Field::F64(x) => json!({"double_value": float(*x)}),
        Field::Str(text) => json!({"string_value": text}),
        other => panic!("{other:?}"),
    };
    of.iter()
        .map(|(key, field)| json!({"key": key.as_ref(), "value": value(field), "key_strindex": 0}))
        .collect()
}

fn attributes(of: &Tags) -> Vec<Value> {
    let attribute = |(key, text)| json!({"key": key, "value": {"string_value": text}, "key_strindex": 0});
    of.iter().map(attribute).collect()
}

fn point(of: &Metric) -> Value {
    let identity = &of.identity;
    let (sort, value) = match of.histogram() {
        Some(histogram) => histogram_point(histogram),
        None if matches!(identity.kind, Kind::Counter | Kind::UpDownCounter) => ("sum", number(of.number())),
        None => ("gauge", number(of.number())),
    };
    let mut point = json!({
        "attributes": attributes(&identity.tags),
        "start_time_unix_nano": of.start_time_unix_nano.unwrap_or(0),
        "time_unix_nano": of.time_unix_nano,
        "flags": 0,
    });
    point.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    let mut metric = json!({
        "name": &*identity.name,
        "description": &*identity.description,
        "unit": &*identity.unit,
        "metadata": [],
        "sort": sort,
        "point": point,
    });
    if sort != "gauge" {
        metric["aggregation_temporality"] = json!(if of.temporality == Temporality::Delta { 1 } else { 2 });
    }
    if sort == "sum" {
        metric["is_monotonic"] = json!(identity.kind == Kind::Counter);
    }
    metric
}

fn number(of: Number) -> Value {
    match of {
        Number::Int(n) => json!({"as_int": n, "exemplars": []}),
        Number::Float(x) => json!({"as_double": float(x), "exemplars": []}),
        other => panic!("{other:?}"),
    }
}

fn histogram_point(of: &HistogramValue) -> (&'static str, Value) {
    let mut value = json!({
        "count": of.count,
        "sum": float(of.sum),
        "min": of.min.map(float),
        "max": of.max.map(float),
        "exemplars": of.exemplars.iter().map(exemplar).collect::<Vec<_>>(),
    });
    match &of.buckets {
        Buckets::Explicit { bounds, counts, .. } => {
            value["bucket_counts"] = json!(counts);
            value["explicit_bounds"] = bounds.iter().copied().map(float).collect();
            ("histogram", value)
        }
        Buckets::Exponential { scale, zero_count, positive, negative, .. } => {
            value["scale"] = json!(scale);
            value["zero_count"] = json!(zero_count);
            value["zero_threshold"] = json!(float(0.0));
            value["positive"] = dense(positive);
            value["negative"] = dense(negative);
            ("exponential_histogram", value)
        }
        other => panic!("{other:?}"),
    }
}

/// Without gaps.
fn dense(buckets: &[(i32, u64)]) -> Value {
    let (Some((first, _)), Some((last, _))) = (buckets.first(), buckets.last()) else { return Value::Null };
    let count = |index| buckets.iter().find(|(at, _)| *at == index).map_or(0, |(_, count)| *count);
    json!({"offset": first, "bucket_counts": (*first..=*last).map(count).collect::<Vec<_>>()})
}

fn exemplar(of: &Exemplar) -> Value {
    json!({
        "filtered_attributes": [],
        "time_unix_nano": of.time_unix_nano,
        "as_double": float(of.value),
        "trace_id": of.trace_id.to_string(),
        "span_id": of.span_id.to_string(),
    })
}
