//! Items as plain JSON, which is no form of OTLP: the batches that `http:` posts and the lines that `file:` writes.

use std::fs;
use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use telemetry_layer::model::{
    Event, Exemplar, HistogramValue, Kind, Metric, Number, Span, SpanContext, Status, Temporality,
    Value as Field,
};
use telemetry_layer::testing::Kept;
use telemetry_layer::{Collector, Level};

use crate::decoder::{Item, OWN};
use crate::{export, same, scenarios};

#[path = "../otlp_receiver.rs"]
mod receiver;
use receiver::receiver;

const SCENARIOS: [fn(&Collector); 2] = [scenarios::record, scenarios::many::record];

#[test]
fn batches_of_json_hold_what_was_recorded() {
    for record in SCENARIOS {
        for compression in ["none", "gzip"] {
            let (address, received) = receiver();
            let kept = export(&format!("http://{address}/in?compression={compression}"), record);
            let mut items = Vec::new();
            for body in received.bodies("/in") {
                assert!(compression != "none" || body.len() <= 1 << 20, "{} bytes", body.len());
                let mut batch: Value = serde_json::from_slice(&unpacked(&body, compression)).unwrap();
                let resource = &batch["resource"];
                assert_eq!((&resource["service.name"], &resource["env"]), (&json!("größe"), &json!("test")));
                let signal = batch["signal"].as_str().unwrap().to_owned();
                let Value::Array(of) = batch["items"].take() else { panic!("{batch}") };
                items.extend(of.into_iter().map(|it| item(&signal, it)));
            }
            compare(&kept, items);
        }
    }
}

#[test]
fn lines_of_files_hold_what_was_recorded() {
    for record in SCENARIOS {
        let directory = tempfile::tempdir().unwrap();
        let kept = export(&format!("file:{}", directory.path().display()), record);
        let mut items = Vec::new();
        for signal in ["spans", "events", "metrics"] {
            let lines = fs::read_to_string(directory.path().join(format!("{signal}.jsonl"))).unwrap();
            items.extend(lines.lines().map(|line| item(signal, serde_json::from_str(line).unwrap())));
        }
        compare(&kept, items);
    }
}

fn unpacked(body: &[u8], compression: &str) -> Vec<u8> {
    let mut all = Vec::new();
    match compression {
        "none" => all.extend_from_slice(body),
        _ => _ = GzDecoder::new(body).read_to_end(&mut all).unwrap(),
    }
    all
}

/// One that came. What the kept one does not have is looked at here: the place in the source, how much was cut, quantiles.
fn item(signal: &str, mut it: Value) -> Item {
    let of = it.as_object_mut().unwrap();
    let (file, line) = (of.remove("code_file"), of.remove("code_line"));
    if signal != "metrics" && of["target"].as_str().unwrap().starts_with(OWN) {
        let file = file.unwrap();
        assert!(file.as_str().unwrap().starts_with("tests/otlp/scenarios/"), "{file}");
        assert!(line.unwrap().as_u64().is_some_and(|line| line > 0));
    }
    assert!(of.remove("dropped_fields").is_none() || of["name"] == "too much", "{of:?}");
    let quantiles: Vec<f64> =
        ["p50", "p90", "p99", "p999"].iter().filter_map(|of_all| of.remove(*of_all)?.as_f64()).collect();
    if of.get("min").is_some_and(Value::is_number) {
        let [min, max] = ["min", "max"].map(|end| of[end].as_f64().unwrap());
        assert!(quantiles.len() == 4 && quantiles.is_sorted(), "{of:?}");
        assert!(min <= quantiles[0] && quantiles[3] <= max, "{quantiles:?} in {of:?}");
    }
    Item { scope: signal.to_owned(), it }
}

#[track_caller]
fn compare(kept: &Kept, items: Vec<Item>) {
    let item = |signal: &str, it| Item { scope: signal.to_owned(), it };
    let spans = kept.spans.iter().map(|of| item("spans", span(of)));
    let events = kept.events.iter().map(|of| item("events", event(of)));
    let metrics = kept.metrics.iter().map(|of| item("metrics", metric(of)));
    same("item", spans.chain(events).chain(metrics).collect(), items);
}

/// Those of `export`.
fn global_tags() -> Map<String, Value> {
    [("env", "test"), ("service.name", "größe")]
        .map(|(key, text)| (key.to_owned(), json!(text)))
        .into_iter()
        .collect()
}

fn level(of: Level) -> String {
    of.as_str().to_ascii_lowercase()
}

/// What JSON has no number for is text.
fn float(x: f64) -> Value {
    match x {
        x if x.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        x => json!(x),
    }
}

fn fields<T: AsRef<str>>(of: &[(T, Field)]) -> Value {
    let value = |field: &Field| match field {
        Field::Bool(is) => json!(is),
        Field::I64(n) => json!(n),
        Field::U64(n) => json!(n),
        Field::F64(x) => float(*x),
        Field::Str(text) => json!(text),
        other => panic!("{other:?}"),
    };
    of.iter().map(|(key, field)| (key.as_ref().to_owned(), value(field))).collect()
}

fn span(of: &Span) -> Value {
    let kinds = ["internal", "server", "client", "producer", "consumer"];
    let mut it = json!({
        "trace_id": of.trace_id.to_string(),
        "span_id": of.span_id.to_string(),
        "parent_span_id": of.parent_span_id.map(|id| id.to_string()),
        "name": &*of.name,
        "kind": kinds[of.kind as usize],
        "level": level(of.level),
        "target": &*of.target,
        "start_unix_nano": of.start_unix_nano,
        "duration_nano": of.duration_nano,
        "fields": fields(&of.fields),
        "tags": global_tags(),
    });
    let (status, message) = match &of.status {
        Status::Ok => ("ok", ""),
        Status::Error(message) => ("error", &**message),
        _ => ("unset", ""),
    };
    it["status"] = json!(status);
    if !message.is_empty() {
        it["status_message"] = json!(message);
    }
    if !of.links.is_empty() {
        let link = |to: &SpanContext| json!([to.trace_id.to_string(), to.span_id.to_string()]);
        it["links"] = of.links.iter().map(link).collect();
    }
    if !of.trace_state.is_empty() {
        it["trace_state"] = json!(of.trace_state);
    }
    it
}

fn event(of: &Event) -> Value {
    let mut it = json!({
        "time_unix_nano": of.time_unix_nano,
        "level": level(of.level),
        "target": &*of.target,
        "message": of.message,
        "trace_id": of.trace_id.map(|id| id.to_string()),
        "span_id": of.span_id.map(|id| id.to_string()),
        "sampled": of.trace_id.is_some(),
        "fields": fields(&of.fields),
        "tags": global_tags(),
    });
    if !of.name.is_empty() {
        it["name"] = json!(&*of.name);
    }
    it
}

fn metric(of: &Metric) -> Value {
    let (identity, kinds) = (&of.identity, ["counter", "up_down_counter", "gauge", "histogram"]);
    let own = identity.tags.iter().map(|(key, text)| (key.to_owned(), json!(text)));
    let tags: Map<String, Value> = global_tags().into_iter().chain(own).collect();
    let mut it = json!({
        "name": &*identity.name,
        "kind": kinds[identity.kind as usize],
        "unit": &*identity.unit,
        "time_unix_nano": of.time_unix_nano,
        "tags": tags,
    });
    if !identity.description.is_empty() {
        it["description"] = json!(&*identity.description);
    }
    if let Some(start) = of.start_time_unix_nano {
        it["start_time_unix_nano"] = json!(start);
    }
    if identity.kind != Kind::Gauge {
        it["temporality"] = json!(if of.temporality == Temporality::Delta { "delta" } else { "cumulative" });
    }
    match of.histogram() {
        Some(of) => it.as_object_mut().unwrap().extend(histogram(of)),
        None => {
            it["value"] = match of.number() {
                Number::Int(n) => json!(n),
                Number::Float(x) => float(x),
                other => panic!("{other:?}"),
            }
        }
    }
    it
}

fn histogram(of: &HistogramValue) -> Map<String, Value> {
    let zeros = of.buckets.zero_count();
    let buckets = of.by_upper_bound().filter(|(upper, _)| *upper != 0.0 || zeros == 0);
    let exemplar = |of: &Exemplar| {
        json!({
            "value": of.value,
            "time_unix_nano": of.time_unix_nano,
            "trace_id": of.trace_id.to_string(),
            "span_id": of.span_id.to_string(),
        })
    };
    let mut it = json!({
        "count": of.count,
        "sum": of.sum,
        "min": of.min,
        "max": of.max,
        "zero_count": zeros,
        "buckets": buckets.map(|(upper, count)| json!([upper, count])).collect::<Vec<_>>(),
    });
    if !of.exemplars.is_empty() {
        it["exemplars"] = of.exemplars.iter().map(exemplar).collect();
    }
    let Value::Object(it) = it else { unreachable!() };
    it
}
