//! `file:` in both formats and batches over HTTP: one line an item, or one body a request, as plain as it is read back.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use telemetry_layer::Builder;
use telemetry_layer::model::{Event, Metric, Span, StatusRef, Text, Value as FieldValue};
use telemetry_tests::Kept;
use telemetry_tests::receiver::Form;

use crate::{hostile, recorded};

/// The lines of a file, each of which is JSON.
fn read(directory: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory.join(file)).unwrap();
    assert!(text.ends_with('\n'), "{file}");
    text.lines().map(parsed).collect()
}

#[track_caller]
fn parsed(line: &str) -> Value {
    hostile::is_one_line(line);
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

fn span(span: &Span) -> Value {
    let StatusRef::Error(error) = span.status.as_ref() else { panic!("{span:?}") };
    json!({"name": span.name, "target": span.target, "status_message": error, "fields": fields(&span.fields)})
}

fn event(event: &Event) -> Value {
    let fields = fields(&event.fields);
    json!({"name": event.name, "target": event.target, "message": event.message, "fields": fields})
}

fn fields(of: &[(Text, FieldValue)]) -> Value {
    Value::Object(of.iter().map(|(key, value)| (key.to_string(), json!(value))).collect())
}

fn metric(metric: &Metric) -> Value {
    let tags = metric.identity.tags.iter().map(|(key, value)| (key.to_owned(), json!(value)));
    json!({
        "name": metric.identity.name,
        "unit": metric.identity.unit,
        "tags": Value::Object(tags.collect()),
    })
}

/// What an item in a line or a body has of that.
fn part(of: &Value, keys: &Value) -> Value {
    let part = |key: &String| (key.clone(), of.get(key).cloned().unwrap_or_else(|| json!("")));
    Value::Object(keys.as_object().unwrap().keys().map(part).collect())
}

/// The items are those, in any order; of tags the global ones are passed over.
#[track_caller]
fn same(items: &[Value], want: impl Iterator<Item = Value>) {
    let mut want: Vec<Value> = want.collect();
    assert_eq!(items.len(), want.len());
    let mut items: Vec<Value> = items.iter().map(|item| part(item, &want[0])).collect();
    for item in &mut items {
        if let Some(tags) = item.get_mut("tags").and_then(Value::as_object_mut) {
            assert_eq!(tags.remove("env"), Some(json!(hostile::texts()[7])));
            tags.remove("service.name").unwrap();
        }
    }
    items.sort_by_key(Value::to_string);
    want.sort_by_key(Value::to_string);
    for (item, want) in items.iter().zip(&want) {
        assert_eq!(item, want);
    }
}

#[track_caller]
fn compare([spans, events, metrics]: [Vec<Value>; 3], kept: &Kept) {
    same(&spans, kept.spans.iter().map(span));
    same(&events, kept.events.iter().map(event));
    same(&metrics, kept.metrics.iter().map(metric));
}

#[test]
fn lines_of_files_are_lines() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let urls = ["", "?format=otlp"].map(|options| format!("file:{}{options}", at.display()));
    let kept = recorded(|b| urls.into_iter().fold(b, Builder::endpoint));
    compare(["spans.jsonl", "events.jsonl", "metrics.jsonl"].map(|file| read(at, file)), &kept);
    let resource = parsed(&fs::read_to_string(at.join("resource.json")).unwrap());
    assert_eq!(resource["env"], json!(hostile::texts()[7]));
    for (file, list, items) in [
        ("traces.otlp.jsonl", "spans", kept.spans.len()),
        ("logs.otlp.jsonl", "logRecords", kept.events.len()),
        ("metrics.otlp.jsonl", "metrics", kept.metrics.len()),
    ] {
        let (mut texts, mut many) = (HashSet::new(), 0);
        for request in read(at, file) {
            collect(&request, list, &mut texts, &mut many);
        }
        assert!(many == items || list == "metrics" && many > 1000, "{many} {list}, not {items}");
        assert!(hostile::texts().iter().all(|text| texts.contains(text)), "{file}");
    }
}

/// All texts in it, and how many items there are in lists of that name.
fn collect(of: &Value, list: &str, texts: &mut HashSet<String>, many: &mut usize) {
    match of {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(all) => all.iter().for_each(|it| collect(it, list, texts, many)),
        Value::Object(all) => {
            *many += all.get(list).and_then(Value::as_array).map_or(0, Vec::len);
            all.values().for_each(|it| collect(it, list, texts, many));
        }
        _ => {}
    }
}

/// In an array that need not have an end; what one item becomes stands in one line.
#[test]
fn lines_of_traces_are_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let kept = recorded(|b| b.endpoint(format!("chrome-trace:{}", path.display())));
    let text = fs::read_to_string(&path).unwrap();
    text.lines().for_each(hostile::is_one_line);
    let Value::Array(all) = parsed_of(&format!("{text}]")) else { panic!("no array") };
    let of = |ph: &'static str| all.iter().filter(move |event| event["ph"] == ph);
    assert_eq!(all[0]["args"]["resource"]["env"], json!(hostile::texts()[7]));
    let args = |event: &Value| {
        let mut args = event["args"].clone();
        args["name"] = event["name"].clone();
        args
    };
    let spans = of("X").chain(of("b")).map(args).collect::<Vec<_>>();
    same(&spans, kept.spans.iter().map(span));
    let events = of("i").map(|event| event["args"].clone()).collect::<Vec<_>>();
    let unnamed = |of: &Event| {
        let mut of = event(of);
        of.as_object_mut().unwrap().remove("name");
        of
    };
    same(&events, kept.events.iter().map(unnamed));
    // Series stand beside others of their metric. A number tells those that were made by hand from each other.
    let values = of("C").flat_map(|of| of["args"].as_object().unwrap().values());
    let mut found: Vec<u64> = values.filter_map(Value::as_u64).filter(|n| *n > 1).collect();
    let mut want: Vec<u64> =
        kept.metrics.iter().map(|metric| metric.number().as_f64() as u64).filter(|n| *n > 1).collect();
    found.sort_unstable();
    want.sort_unstable();
    want.dedup();
    found.dedup();
    assert_eq!(found, want);
    let tracks: HashSet<&str> = of("C").map(|of| of["name"].as_str().unwrap()).collect();
    for metric in &kept.metrics {
        let name = &*metric.identity.name;
        assert!(tracks.iter().any(|track| track.starts_with(name)), "{name:?}");
    }
}

#[track_caller]
fn parsed_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn batches_are_read_back() {
    let (address, received) = crate::receiver::receiver();
    let url = Form::Batches.url(address.parse().unwrap(), Form::ALL);
    let kept = recorded(|b| b.endpoint(url));
    let mut items = ["spans", "events", "metrics"].map(|signal| (signal, Vec::new()));
    for body in received.bodies("/ingest") {
        let body = parsed(str::from_utf8(&body).unwrap());
        assert_eq!(body["resource"]["env"], json!(hostile::texts()[7]));
        let (_, of) = items.iter_mut().find(|(signal, _)| body["signal"] == *signal).unwrap();
        of.extend(body["items"].as_array().unwrap().iter().cloned());
    }
    compare(items.map(|(_, items)| items), &kept);
}
