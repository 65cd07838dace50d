//! What is written in JSON is what is written in protobuf, as OpenTelemetry's own types read both, and keeps to the rules that
//! they don't look at.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::events::{batch as events, some_event};
use super::metrics::{batch as metrics, histogram, some_metric};
use super::spans::{batch as spans, made, some_spans};
use super::*;
use crate::exporters::Signal;
use crate::exporters::otlp::{Malformed, put_json};
use crate::model::{Buckets, Exemplar, Kind as Measures, Metric, MetricValue, SpanId, Status, TraceId};

/// The request for a whole batch.
fn body(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::new();
    assert_eq!(Writer::new().write(batch, usize::MAX, &mut body), batch.len());
    body
}

fn transcoded(signal: Signal, body: &[u8]) -> String {
    let mut out = b"before".to_vec();
    put_json(&mut out, signal, body).unwrap();
    let json = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
    assert!(!json.contains('\n'), "it is one line of a file");
    json
}

/// Its JSON, as it is and as the official types read it.
fn written_in_json<M: Message + Default + DeserializeOwned + std::fmt::Debug>(batch: &Batch) -> Json {
    let body = body(batch);
    let text = transcoded(batch.signal(), &body);
    let json = serde_json::from_str(&text).unwrap();
    let mut is_finite = true;
    check("", &json, &mut is_finite);
    // They can't read the texts that stand for NaN and infinities, and refuse a name that stands twice.
    if is_finite {
        assert_same(&serde_json::from_str::<M>(&text).unwrap(), &M::decode(&*body).unwrap());
    }
    json
}

const DOUBLES: [&str; 6] = ["doubleValue", "asDouble", "sum", "min", "max", "explicitBounds"];
const NUMBERS: [&str; 5] = ["kind", "code", "severityNumber", "aggregationTemporality", "flags"];
const UNSIGNED: [&str; 7] = [
    "startTimeUnixNano",
    "endTimeUnixNano",
    "timeUnixNano",
    "observedTimeUnixNano",
    "count",
    "zeroCount",
    "bucketCounts",
];
const TEXTS: [&str; 10] = [
    "stringValue",
    "name",
    "key",
    "unit",
    "description",
    "schemaUrl",
    "message",
    "traceState",
    "severityText",
    "eventName",
];

/// Each value has the form that the specification wants; the types take others too.
fn check(key: &str, value: &Json, is_finite: &mut bool) {
    let is_hex = |digits: usize| {
        let of = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        value.as_str().is_some_and(|text| text.len() == digits && of(text))
    };
    let is_right = match (key, value) {
        (_, Json::Object(fields)) => {
            return fields.iter().for_each(|(key, value)| check(key, value, is_finite));
        }
        (_, Json::Array(all)) => return all.iter().for_each(|value| check(key, value, is_finite)),
        ("traceId", _) => is_hex(32),
        ("spanId" | "parentSpanId", _) => is_hex(16),
        ("intValue" | "asInt", Json::String(n)) => n.parse::<i64>().is_ok_and(|is| is.to_string() == *n),
        (key, Json::String(n)) if UNSIGNED.contains(&key) => n.parse::<u64>().is_ok(),
        (key, n) if NUMBERS.contains(&key) => n.is_u64(),
        ("scale" | "offset", n) => n.is_i64(),
        ("droppedAttributesCount", n) => n.as_u64().is_some_and(|n| n > 0),
        (key, Json::String(text)) if DOUBLES.contains(&key) => {
            *is_finite = false;
            ["NaN", "Infinity", "-Infinity"].contains(&&**text)
        }
        (key, n) if DOUBLES.contains(&key) => n.is_f64(),
        ("boolValue" | "isMonotonic", is) => is.is_boolean(),
        (key, text) => TEXTS.contains(&key) && text.is_string(),
    };
    assert!(is_right, "{key}: {value}");
}

proptest! {
    #[test]
    fn spans_in_json_are_those_in_protobuf(made in some_spans()) {
        written_in_json::<ExportTraceServiceRequest>(&spans(&made));
    }

    #[test]
    fn events_in_json_are_those_in_protobuf(made in prop::collection::vec(some_event(), 1..12)) {
        written_in_json::<ExportLogsServiceRequest>(&events(&made));
    }

    #[test]
    fn points_in_json_are_those_in_protobuf(made in prop::collection::vec(some_metric(), 1..6)) {
        written_in_json::<ExportMetricsServiceRequest>(&metrics(&made));
    }

    /// It is JSON, or refused.
    #[test]
    fn no_body_is_too_strange(
        body in prop::collection::vec(prop_oneof![0..20_u8, proptest::num::u8::ANY], 0..60),
        signal in 0..3_usize,
    ) {
        let mut out = Vec::new();
        if put_json(&mut out, Signal::EACH[signal], &body).is_ok() {
            serde_json::from_slice::<Json>(&out).unwrap();
        }
    }

    #[test]
    fn a_body_that_was_cut_is_refused(made in some_spans(), cut in 1..100_usize) {
        let body = body(&spans(&made));
        let cut = &body[..body.len() - cut.min(body.len() - 1)];
        prop_assert_eq!(put_json(&mut Vec::new(), Signal::Spans, cut), Err(Malformed));
    }
}

#[test]
fn a_span_reads_as_the_specification_has_it() {
    let mut made = made(0xab);
    made.span.target = "shop".into();
    made.span.status = Status::Error("no\n\"stock\"".to_owned());
    made.span.fields = vec![
        ("n".into(), Value::I64(-5)),
        ("is".into(), Value::Bool(true)),
        ("x".into(), Value::F64(0.5)),
        ("big".into(), Value::U64(u64::MAX)),
    ];
    made.dropped = 2;
    let json: Json = serde_json::from_str(&transcoded(Signal::Spans, &body(&spans(&[made])))).unwrap();
    let of_resource = &json["resourceSpans"][0];
    assert_eq!(of_resource["schemaUrl"], SCHEMA);
    assert_eq!(
        of_resource["scopeSpans"],
        json!([{
            "scope": {"name": "shop"},
            "spans": [{
                "traceId": "00000000000000ab0000000000000007", "spanId": "00000000000000ab", "flags": 257,
                "name": "by hand", "kind": 1,
                "startTimeUnixNano": "1700000000000000171", "endTimeUnixNano": "1700000000000001171",
                "attributes": [
                    {"key": "n", "value": {"intValue": "-5"}},
                    {"key": "is", "value": {"boolValue": true}},
                    {"key": "x", "value": {"doubleValue": 0.5}},
                    {"key": "big", "value": {"stringValue": "18446744073709551615"}},
                ],
                "droppedAttributesCount": 2, "status": {"message": "no\n\"stock\"", "code": 2},
            }],
        }])
    );
}

#[test]
fn numbers_that_are_none_are_texts_wherever_they_stand() {
    const ODD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let texts = json!(["NaN", "Infinity", "-Infinity"]);
    for (x, text) in ODD.into_iter().zip(texts.as_array().unwrap()) {
        let mut made = made(1);
        made.span.fields = vec![("x".into(), Value::F64(x))];
        let json = written_in_json::<ExportTraceServiceRequest>(&spans(&[made]));
        let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["attributes"][0]["value"], json!({"doubleValue": text}));

        let gauge = Metric::new(Measures::Gauge, "g", x, 5);
        let exemplar = Exemplar {
            value: x,
            time_unix_nano: 5,
            trace_id: TraceId::new(1).unwrap(),
            span_id: SpanId::new(2).unwrap(),
        };
        let of = |buckets| {
            let mut value = histogram(buckets);
            (value.sum, value.min, value.max, value.exemplars) = (x, Some(x), Some(x), vec![exemplar]);
            let mut metric = Metric::new(Measures::Histogram, "h", 0, 5);
            metric.value = MetricValue::Histogram(Box::new(value));
            metric
        };
        let explicit = of(Buckets::Explicit { bounds: ODD.to_vec(), counts: vec![1; 4] });
        let (positive, negative) = (vec![(-3, 1), (-1, 2)], Vec::new());
        let exponential = of(Buckets::Exponential { scale: -2, zero_count: 3, positive, negative });
        let json = written_in_json::<ExportMetricsServiceRequest>(&metrics(&[gauge, explicit, exponential]));
        let all = &json["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        assert_eq!(all[0]["gauge"]["dataPoints"][0]["asDouble"], *text);
        for data in [&all[1]["histogram"], &all[2]["exponentialHistogram"]] {
            let point = &data["dataPoints"][0];
            assert_eq!(
                [&point["sum"], &point["min"], &point["max"], &point["exemplars"][0]["asDouble"]],
                [text; 4]
            );
        }
        assert_eq!(all[1]["histogram"]["dataPoints"][0]["explicitBounds"], texts);
        let point = &all[2]["exponentialHistogram"]["dataPoints"][0];
        assert_eq!(point["positive"], json!({"offset": -3, "bucketCounts": ["1", "0", "2"]}));
        assert_eq!((&point["scale"], &point["zeroCount"]), (&json!(-2), &json!("3")));
    }
}

/// In protobuf the last of several counts; in JSON a name stands once.
#[test]
fn of_two_messages_of_an_event_the_last_one_counts() {
    let mut made = super::events::made("first", 5);
    made.event.fields.push(("n".into(), Value::I64(1)));
    made.event.fields.push(("message".into(), Value::Str("last".to_owned())));
    made.event.fields.push(("m".into(), Value::I64(2)));
    let json = written_in_json::<ExportLogsServiceRequest>(&events(&[made]));
    let record = &json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"], json!({"stringValue": "last"}));
    assert_eq!(record["attributes"].as_array().unwrap().len(), 2);
}

#[test]
fn an_empty_request_has_an_empty_list() {
    let want = [r#"{"resourceSpans":[]}"#, r#"{"resourceLogs":[]}"#, r#"{"resourceMetrics":[]}"#];
    assert_eq!(Signal::EACH.map(|signal| transcoded(signal, &[])), want);
}
