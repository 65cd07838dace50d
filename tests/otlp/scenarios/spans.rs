//! Spans: kinds, values of every type, names and fields that come late, depth, links, errors.

use serde_json::{Value, json};
use telemetry_layer::model::{Span, SpanContext, SpanId, SpanKind, Status};
use telemetry_layer::prelude::*;
use telemetry_layer::with_remote_parent;
use tracing::field::Empty;
use tracing::{error, info_span, instrument};

use super::{UNICODE, attribute, context};
use crate::decoder::Decoded;
use crate::expected::float;

const DEPTH: usize = 60;
/// More than is kept of a text, which is 8 KiB; `é` takes two bytes.
const LONG: usize = 10_000;

pub(crate) fn record(collector: &Collector) {
    for kind in ["internal", "server", "client", "producer", "consumer"] {
        drop(info_span!("kinds", otel.kind = kind, kind));
    }
    values();
    late();
    deep(0);
    links();
    errors();
    by_hand(collector);
}

fn values() {
    drop(info_span!(
        "values",
        yes = true,
        no = false,
        zero = 0,
        low = i64::MIN,
        high = i64::MAX,
        beyond = u64::MAX,
        tiny = f64::MIN_POSITIVE,
        huge = f64::MAX,
        minus_zero = -0.0,
        nan = f64::NAN,
        infinite = f64::INFINITY,
        less = f64::NEG_INFINITY,
        empty = "",
        unicode = UNICODE,
        debug = ?Some("x"),
        display = %1.5,
        never = Empty,
        a_name_of_more_than_thirty_two_bytes_goes_another_way = 1,
    ));
    drop(info_span!("long", text = "é".repeat(LONG)));
    let part = "x".repeat(8_000);
    let part = part.as_str();
    drop(info_span!("too much", a = part, b = part, c = part, d = part, e = part, f = part));
    drop(info_span!(
        "25 fields",
        f1 = 1,
        f2 = 2,
        f3 = 3,
        f4 = 4,
        f5 = 5,
        f6 = 6,
        f7 = 7,
        f8 = 8,
        f9 = 9,
        f10 = 10,
        f11 = 11,
        f12 = 12,
        f13 = 13,
        f14 = 14,
        f15 = 15,
        f16 = 16,
        f17 = 17,
        f18 = 18,
        f19 = 19,
        f20 = 20,
        f21 = 21,
        f22 = 22,
        f23 = 23,
        f24 = 24,
        f25 = 25,
    ));
    drop(info_span!(target: "", "no target"));
    drop(info_span!(target: "größe::价格", "unicode", otel.name = UNICODE));
}

fn late() {
    let span = info_span!("early", otel.name = Empty, status = Empty);
    span.record("otel.name", "GET /late");
    span.record("status", 200);
}

fn deep(depth: usize) {
    let span = info_span!("deep", depth).entered();
    if depth + 1 < DEPTH {
        deep(depth + 1);
    }
    drop(span);
}

fn far() -> SpanContext {
    let mut far = context(1, 0xfa5);
    far.is_remote = true;
    far
}

fn links() {
    let first = info_span!("first");
    let second = info_span!("linked");
    second.follows_from(&first);
    second.add_link(far());
    let mut context = telemetry_tests::remote(true);
    context.trace_state = "vendor=a,other=b".into();
    drop(with_remote_parent(Some(context), || info_span!("remote")));
}

#[instrument(err, name = "fails")]
fn fails() -> Result<(), String> {
    Err(format!("no stock of {UNICODE}"))
}

fn errors() {
    let _ = fails();
    drop(info_span!("empty error", error = true));
    info_span!("error of an event").in_scope(|| error!(error = "refused", "it went wrong"));
    drop(info_span!("ok", otel.status_code = "ok"));
}

fn by_hand(collector: &Collector) {
    let mut span = Span::new(context(u128::MAX, u64::MAX), "by hand", 1, u64::MAX)
        .child_of(SpanId::new(1).unwrap())
        .field("", "no name")
        .field("beyond", u64::MAX)
        .link(far())
        .status(Status::Error(UNICODE.to_owned()));
    span.kind = SpanKind::Consumer;
    span.target = "by hand".into();
    span.trace_state = "k=v".into();
    collector.collect_span(&span);
    collector.collect_span(&Span::new(context(1, 1), "", 0, 0));
}

fn named<'a>(decoded: &'a Decoded, name: &str) -> Vec<&'a Value> {
    decoded.spans.iter().map(|item| &item.it).filter(|span| span["name"] == name).collect()
}

#[track_caller]
fn span<'a>(decoded: &'a Decoded, name: &str) -> &'a Value {
    let found = named(decoded, name);
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    found[0]
}

pub(crate) fn check(decoded: &Decoded) {
    let kinds: Vec<_> = named(decoded, "kinds").iter().map(|span| span["kind"].as_u64().unwrap()).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5]);
    check_values(decoded);
    let late = span(decoded, "GET /late");
    assert_eq!(attribute(late, "status"), &json!({"int_value": 200}));
    let mut below = json!("");
    let deep = named(decoded, "deep");
    assert_eq!(deep.len(), DEPTH);
    for depth in 0..DEPTH {
        let at = |span: &&&Value| attribute(span, "depth") == &json!({"int_value": depth});
        let span = deep.iter().find(at).unwrap();
        assert_eq!((&span["parent_span_id"], &span["trace_id"]), (&below, &deep[0]["trace_id"]));
        below = span["span_id"].clone();
    }
    check_links(decoded);
    check_errors(decoded);
    let by_hand = span(decoded, "by hand");
    assert_eq!((&by_hand["trace_id"], &by_hand["span_id"]), (&json!("f".repeat(32)), &json!("f".repeat(16))));
    assert_eq!(by_hand["end_time_unix_nano"], u64::MAX, "it can't be later");
    let empty = span(decoded, "");
    assert_eq!((&empty["start_time_unix_nano"], &empty["end_time_unix_nano"]), (&json!(0), &json!(0)));
}

fn check_values(decoded: &Decoded) {
    let values = span(decoded, "values");
    let text = |text: &str| json!({"string_value": text});
    let double = |x: f64| json!({"double_value": float(x)});
    for (key, value) in [
        ("yes", json!({"bool_value": true})),
        ("no", json!({"bool_value": false})),
        ("zero", json!({"int_value": 0})),
        ("low", json!({"int_value": i64::MIN})),
        ("high", json!({"int_value": i64::MAX})),
        ("beyond", text("18446744073709551615")),
        ("tiny", double(f64::MIN_POSITIVE)),
        ("huge", double(f64::MAX)),
        ("minus_zero", double(-0.0)),
        ("nan", double(f64::NAN)),
        ("infinite", double(f64::INFINITY)),
        ("less", double(f64::NEG_INFINITY)),
        ("empty", text("")),
        ("unicode", text(UNICODE)),
        ("debug", text("Some(\"x\")")),
        ("display", text("1.5")),
        ("a_name_of_more_than_thirty_two_bytes_goes_another_way", json!({"int_value": 1})),
    ] {
        assert_eq!(attribute(values, key), &value, "{key}");
    }
    // With the two of the place.
    assert_eq!(values["attributes"].as_array().unwrap().len(), 17 + 2);
    let long = attribute(span(decoded, "long"), "text")["string_value"].as_str().unwrap();
    let kept = long.strip_suffix("..").expect("a mark where it was cut");
    assert!(long.len() >= 8_000 && kept.chars().all(|c| c == 'é'), "{} bytes", long.len());
    let too_much = span(decoded, "too much");
    let there = too_much["attributes"].as_array().unwrap().len() - 2;
    assert_eq!(too_much["dropped_attributes_count"], 6 - there);
    assert!((3..6).contains(&there), "{there}");
    let many = span(decoded, "25 fields");
    (1..=25).for_each(|n| assert_eq!(attribute(many, &format!("f{n}")), &json!({"int_value": n})));
    let scopes: Vec<_> = decoded.spans.iter().map(|item| &*item.scope).collect();
    assert!(scopes.contains(&"") && scopes.contains(&"größe::价格"), "{scopes:?}");
    assert_eq!(named(decoded, UNICODE).len(), 1);
}

fn check_links(decoded: &Decoded) {
    let (first, linked) = (span(decoded, "first"), span(decoded, "linked"));
    let links = linked["links"].as_array().unwrap();
    assert_eq!((&links[0]["span_id"], &links[0]["trace_id"]), (&first["span_id"], &first["trace_id"]));
    assert_eq!(links[0]["flags"], 0x103, "sampled, random, not remote");
    assert_eq!((&links[1]["span_id"], &links[1]["flags"]), (&json!("0000000000000fa5"), &json!(0x301)));
    let remote = span(decoded, "remote");
    assert_eq!((&remote["trace_state"], &remote["flags"]), (&json!("vendor=a,other=b"), &json!(0x301)));
    assert_eq!(
        (&remote["trace_id"], &remote["parent_span_id"]),
        (&json!(format!("{:032x}", 7)), &json!("0000000000000008"))
    );
}

fn check_errors(decoded: &Decoded) {
    let status = |name: &str| span(decoded, name)["status"].clone();
    let failed = |message: &str| json!({"message": message, "code": 2});
    assert_eq!(status("fails"), failed(&format!("no stock of {UNICODE}")));
    assert_eq!(status("empty error"), failed(""));
    assert_eq!(status("error of an event"), failed("refused"));
    assert_eq!(status("ok"), json!({"message": "", "code": 1}));
    assert_eq!(status("first"), Value::Null);
}
