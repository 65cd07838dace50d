use std::fs;
use std::sync::Arc;

use serde_json::Value as Json;

use super::*;
use crate::clock::Anchors;
use crate::metrics::Snapshot;
use crate::model::record::{Chunk, EventHead, FieldBuf, Key, Links, Site, SpanHead, Time};
use crate::model::{
    Buckets, HistogramValue, Kind, Metric, MetricValue, Resource, SpanContext, SpanId, SpanKind, StatusRef,
    Tags, TraceId, ValueRef,
};

fn resource() -> Arc<Resource> {
    Arc::new(Resource::new(Tags::parse("env: test").unwrap(), "shop").unwrap())
}

fn context() -> SpanContext {
    SpanContext::new(TraceId::new(10).unwrap(), SpanId::new(11).unwrap(), true)
}

fn spans(names: &[&str]) -> Batch {
    let mut chunk = Chunk::default();
    let mut fields = FieldBuf::new();
    fields.push(Key::Name("text"), ValueRef::Str("a \"b\"\n\u{1}"));
    fields.push(Key::Name("nan"), ValueRef::F64(f64::NAN));
    fields.push(Key::Name("big"), ValueRef::U64(u64::MAX));
    for name in names {
        let site = Site::Inline { name, target: "app", level: tracing_core::Level::WARN };
        let head = SpanHead {
            context: context(),
            parent: SpanId::new(12),
            parent_is_remote: Some(false),
            start: Time::Unix(1_700_000_000_000_000_000),
            duration_nano: 5,
            kind: SpanKind::Client,
            status: StatusRef::Error("no stock"),
            name: None,
            site,
            cut: 2,
            trace_state: "",
            links: Links::default(),
        };
        chunk.push_span(&head, &fields);
    }
    Batch::of_spans(chunk, resource(), Arc::new(Anchors::default()))
}

fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_span_line_has_the_documented_fields() {
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path()).unwrap().export(&spans(&["pay"])).unwrap();
    assert_eq!(
        lines(&dir.path().join("spans.jsonl")),
        [serde_json::json!({
            "trace_id": "0000000000000000000000000000000a", "span_id": "000000000000000b",
            "parent_span_id": "000000000000000c", "name": "pay", "kind": "client", "level": "warn", "target": "app",
            "start_unix_nano": 1_700_000_000_000_000_000u64, "duration_nano": 5,
            "status": "error", "status_message": "no stock",
            "fields": {"text": "a \"b\"\n\u{1}", "nan": "NaN", "big": u64::MAX}, "dropped_fields": 2,
            "tags": {"env": "test", "service.name": "shop"},
        })]
    );
}

#[test]
fn the_resource_is_written_once_and_not_on_each_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resource.json");
    let detected = [("process.pid".into(), 7.into()), ("os.type".into(), "linux".into())];
    let resource = Arc::new(Resource::clone(&resource()).with_attributes(detected));
    let mut file = File::create(dir.path()).unwrap();
    assert!(!path.exists(), "it is known with the first batch");
    file.export(&spans(&["pay"]).with_resource(&resource)).unwrap();
    let read = || serde_json::from_slice::<Json>(&fs::read(&path).unwrap()).unwrap();
    let all =
        serde_json::json!({"env": "test", "service.name": "shop", "process.pid": 7, "os.type": "linux"});
    assert_eq!(read(), all);
    fs::write(&path, "0").unwrap();
    file.export(&spans(&["pay"]).with_resource(&resource)).unwrap();
    assert_eq!(read(), 0);
    let tags = serde_json::json!({"env": "test", "service.name": "shop"});
    assert!(lines(&dir.path().join("spans.jsonl")).iter().all(|line| line["tags"] == tags));
}

#[test]
fn an_event_line_has_the_documented_fields() {
    let dir = tempfile::tempdir().unwrap();
    let mut chunk = Chunk::default();
    let mut fields = FieldBuf::new();
    fields.push(Key::Name("message"), ValueRef::Str("sold out"));
    fields.push(Key::Name("left"), ValueRef::I64(-1));
    let site = Site::Inline { name: "stock", target: "app", level: tracing_core::Level::INFO };
    for context in [Some(context()), None] {
        let (trace_id, span_id) = (context.map(|c| c.trace_id), context.map(|c| c.span_id));
        let head = EventHead {
            trace_id,
            span_id,
            sampled: context.is_some(),
            random: false,
            time: Time::Unix(7),
            site,
            cut: 0,
        };
        chunk.push_event(&head, &fields);
    }
    let batch = Batch::of_events(chunk, resource(), Arc::new(Anchors::default()));
    File::create(dir.path()).unwrap().export(&batch).unwrap();
    let lines = lines(&dir.path().join("events.jsonl"));
    assert_eq!(
        lines[0],
        serde_json::json!({
            "time_unix_nano": 7, "level": "info", "target": "app", "name": "stock", "message": "sold out",
            "trace_id": "0000000000000000000000000000000a", "span_id": "000000000000000b", "sampled": true,
            "fields": {"left": -1}, "tags": {"env": "test", "service.name": "shop"},
        })
    );
    assert_eq!((&lines[1]["trace_id"], &lines[1]["sampled"]), (&Json::Null, &Json::Bool(false)));
}

#[test]
fn a_metric_line_has_the_documented_fields() {
    let dir = tempfile::tempdir().unwrap();
    let sum =
        Metric::new(Kind::Counter, "a", 3u64, 9).tags(Tags::parse("env: own, k: v").unwrap()).unit("By");
    let value = HistogramValue {
        count: 3,
        sum: 9.0,
        min: Some(1.0),
        max: Some(4.0),
        buckets: Buckets::Exponential {
            scale: 0,
            zero_count: 0,
            positive: vec![(-1, 1), (1, 2)],
            negative: Vec::new(),
        },
        exemplars: Vec::new(),
        octaves: None,
    };
    let histogram =
        Metric { value: MetricValue::Histogram(value.into()), ..Metric::new(Kind::Histogram, "h", 0, 9) };
    let batch = Batch::of_metrics(Snapshot::new(vec![sum, histogram], resource()), resource());
    File::create(dir.path()).unwrap().export(&batch).unwrap();
    let lines = lines(&dir.path().join("metrics.jsonl"));
    assert_eq!(
        lines[0],
        serde_json::json!({
            "name": "a", "kind": "counter", "unit": "By", "time_unix_nano": 9, "temporality": "cumulative",
            "value": 3, "tags": {"env": "own", "k": "v", "service.name": "shop"},
        })
    );
    assert_eq!(lines[1]["buckets"], serde_json::json!([[1.0, 1], [4.0, 2]]));
    assert_eq!((&lines[1]["count"], &lines[1]["sum"]), (&Json::from(3), &Json::from(9.0)));
}

#[test]
fn a_value_that_json_has_no_number_for_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let of = |x: f64| Metric::new(Kind::Gauge, "heat", x, 9);
    let metrics = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5].map(of);
    let batch = Batch::of_metrics(Snapshot::new(metrics, resource()), resource());
    File::create(dir.path()).unwrap().export(&batch).unwrap();
    let lines = lines(&dir.path().join("metrics.jsonl"));
    let values: Vec<&Json> = lines.iter().map(|line| &line["value"]).collect();
    assert_eq!(values, [&Json::from("NaN"), &"Infinity".into(), &"-Infinity".into(), &(-0.5).into()]);
}

#[test]
fn of_a_large_batch_not_all_is_text_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path()).unwrap();
    let names: Vec<String> = (0..10_000).map(|n| format!("span {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = spans(&names);
    assert!(batch.bytes() > 1 << 20, "{}", batch.bytes());
    assert_eq!(file.export(&batch).unwrap().rejected(), 0);
    let lines = lines(&dir.path().join("spans.jsonl"));
    assert!(lines.iter().map(|line| line["name"].as_str().unwrap()).eq(names));
    assert!(file.buffer.capacity() < 2 << 20, "{}", file.buffer.capacity());
}

#[test]
fn full_files_are_put_aside_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path()).unwrap().rotate_bytes(400).keep(2);
    for name in ["one", "two", "three", "four"] {
        file.export(&spans(&[name])).unwrap();
    }
    let name = |file: &str| lines(&dir.path().join(file))[0]["name"].clone();
    assert_eq!([name("spans.jsonl"), name("spans.1.jsonl"), name("spans.2.jsonl")], ["four", "three", "two"]);
    assert!(!dir.path().join("spans.3.jsonl").exists());
}

#[test]
fn a_torn_line_spoils_no_other() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("spans.jsonl"), "{\"trace_id\": \"00").unwrap();
    File::create(dir.path()).unwrap().export(&spans(&["whole"])).unwrap();
    let text = fs::read_to_string(dir.path().join("spans.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(serde_json::from_str::<Json>(lines[1]).unwrap()["name"], "whole");
}

#[test]
fn what_is_deleted_from_outside_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for keep in [0, 2] {
        let mut file = File::create(&out).unwrap().rotate_bytes(1).keep(keep);
        file.export(&spans(&["one"])).unwrap();
        fs::remove_dir_all(&out).unwrap();
        // The first attempt may still hold the deleted file.
        let attempts: Vec<bool> = (0..3).map(|_| file.export(&spans(&["two"])).is_ok()).collect();
        assert!(attempts[2], "{attempts:?}");
        assert_eq!(lines(&out.join("spans.jsonl"))[0]["name"], "two");
    }
}

#[test]
fn a_rotation_that_fails_takes_no_file_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path()).unwrap().rotate_bytes(1).keep(3);
    for name in ["one", "two", "three"] {
        file.export(&spans(&[name])).unwrap();
    }
    // A directory that nothing can be renamed over stands in the way.
    fs::create_dir_all(dir.path().join("spans.3.jsonl/full")).unwrap();
    (0..5).for_each(|_| assert!(file.export(&spans(&["four"])).unwrap_err().is_retryable()));
    fs::remove_dir_all(dir.path().join("spans.3.jsonl")).unwrap();
    file.export(&spans(&["four"])).unwrap();
    let name = |file: &str| lines(&dir.path().join(file))[0]["name"].clone();
    let names = ["spans.jsonl", "spans.1.jsonl", "spans.2.jsonl", "spans.3.jsonl"].map(name);
    assert_eq!(names, ["four", "three", "two", "one"]);
}

/// OpenTelemetry's own types read each line.
#[cfg(feature = "otlp")]
#[test]
fn in_otlps_format_each_line_is_a_request() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message as _;
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create_otlp(dir.path()).unwrap();
    file.export(&spans(&["one", "two"])).unwrap();
    let names: Vec<String> = (0..9000).map(|n| format!("span {n}")).collect();
    file.export(&spans(&names.iter().map(|name| &**name).collect::<Vec<_>>())).unwrap();
    let text = fs::read_to_string(dir.path().join("traces.otlp.jsonl")).unwrap();
    assert!(text.ends_with('\n') && text.contains(r#"{"key":"nan","value":{"doubleValue":"NaN"}}"#));
    // The types can't read that.
    let text = text.replace("\"NaN\"", "0.5");
    let requests = text.lines().map(|line| serde_json::from_str::<ExportTraceServiceRequest>(line).unwrap());
    let all = requests.map(|request| {
        let bytes = request.encoded_len();
        let of = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
        (bytes, of.flat_map(|of| of.spans).map(|span| span.name).collect::<Vec<_>>())
    });
    let all: Vec<_> = all.collect();
    assert_eq!(all[0].1, ["one", "two"]);
    assert!(all.iter().all(|(bytes, _)| *bytes <= 1 << 20) && all[1].0 > 100_000);
    assert_eq!(
        all[1..].iter().flat_map(|(_, names)| names).collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
}

#[cfg(feature = "otlp")]
#[test]
fn both_formats_stand_in_one_directory_and_are_put_aside_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let mut json = File::create(dir.path()).unwrap();
    let mut otlp = File::create_otlp(dir.path()).unwrap().rotate_bytes(400).keep(1);
    for name in ["one", "two", "three"] {
        json.export(&spans(&[name])).unwrap();
        otlp.export(&spans(&[name])).unwrap();
    }
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let want = [
        "events.jsonl",
        "logs.otlp.jsonl",
        "metrics.jsonl",
        "metrics.otlp.jsonl",
        "resource.json",
        "spans.jsonl",
        "telemetry.lock",
        "telemetry.otlp.lock",
        "traces.otlp.1.jsonl",
        "traces.otlp.jsonl",
    ];
    assert_eq!(names, want);
    let name = |file: &str| {
        lines(&dir.path().join(file))[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"].clone()
    };
    assert_eq!([name("traces.otlp.jsonl"), name("traces.otlp.1.jsonl")], ["three", "two"]);
    assert_eq!(lines(&dir.path().join("spans.jsonl")).len(), 3);
}
