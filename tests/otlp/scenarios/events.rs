//! Events in and out of spans, of every level, without text, by hand; a panic.

use serde_json::{Value, json};
use telemetry_layer::model::Event;
use telemetry_layer::{Collector, Level};
use tracing::{debug, error, info, info_span, trace, warn};

use super::{UNICODE, attribute, context};
use crate::decoder::Decoded;
use crate::expected::float;

pub(crate) fn record(collector: &Collector) {
    info!("outside");
    info_span!("around").in_scope(|| {
        trace!("at trace");
        debug!("at debug");
        info!("at info");
        warn!("at warn");
        error!("at error");
        info!(name: "named", target: "shop::orders", amount = 7, currency = "EUR", "an order of {}", 7);
    });
    info!(nothing = "to say");
    info!(text = "", "");
    info!(unicode = UNICODE, "{UNICODE}");
    info!(nan = f64::NAN, infinite = f64::INFINITY, beyond = u64::MAX, yes = true, "values");
    info!("{}", "long ".repeat(3_000));
    telemetry_layer::install_panic_hook();
    let run = || info_span!("broken").in_scope(|| panic!("out of luck"));
    std::panic::catch_unwind(run).unwrap_err();
    by_hand(collector);
}

fn by_hand(collector: &Collector) {
    let context = context(u128::MAX, u64::MAX);
    let event = Event::new(Level::WARN, "by hand", u64::MAX).name("hand.made").target("by hand");
    collector.collect_event(&event.within(context).field("size", -1_i64).field("", ""));
    collector.collect_event(&Event::new(Level::TRACE, "", 0));
}

fn with_body<'a>(decoded: &'a Decoded, body: &str) -> &'a Value {
    let all = decoded.records.iter().map(|item| &item.it);
    let found: Vec<_> = all.filter(|record| record["body"]["string_value"] == body).collect();
    assert_eq!(found.len(), 1, "{body}: {found:#?}");
    found[0]
}

pub(crate) fn check(decoded: &Decoded) {
    let record = |body| with_body(decoded, body);
    let outside = record("outside");
    assert_eq!(
        (&outside["trace_id"], &outside["span_id"], &outside["flags"]),
        (&json!(""), &json!(""), &json!(0))
    );
    let around = decoded.spans.iter().find(|item| item.it["name"] == "around").unwrap();
    for (body, number, text) in [
        ("at trace", 1, "TRACE"),
        ("at debug", 5, "DEBUG"),
        ("at info", 9, "INFO"),
        ("at warn", 13, "WARN"),
        ("at error", 17, "ERROR"),
    ] {
        let record = record(body);
        assert_eq!((&record["severity_number"], &record["severity_text"]), (&json!(number), &json!(text)));
        assert_eq!(
            (&record["trace_id"], &record["span_id"]),
            (&around.it["trace_id"], &around.it["span_id"])
        );
        assert_eq!((&record["event_name"], &record["flags"]), (&json!(""), &json!(3)));
    }
    let order = record("an order of 7");
    assert_eq!(order["event_name"], "named");
    assert_eq!(attribute(order, "amount"), &json!({"int_value": 7}));
    assert_eq!(attribute(order, "currency"), &json!({"string_value": "EUR"}));
    let values = record("values");
    assert_eq!(attribute(values, "nan"), &json!({"double_value": float(f64::NAN)}));
    assert_eq!(attribute(values, "infinite"), &json!({"double_value": float(f64::INFINITY)}));
    assert_eq!(attribute(values, "beyond"), &json!({"string_value": u64::MAX.to_string()}));
    assert_eq!(attribute(values, "yes"), &json!({"bool_value": true}));
    assert_eq!(attribute(record(UNICODE), "unicode"), &json!({"string_value": UNICODE}));
    check_without_text(decoded);
    check_panic(decoded, record("panicked"));
    let by_hand = record("by hand");
    assert_eq!((&by_hand["time_unix_nano"], &by_hand["event_name"]), (&json!(u64::MAX), &json!("hand.made")));
}

fn check_without_text(decoded: &Decoded) {
    let all = decoded.records.iter().map(|item| &item.it);
    let without: Vec<_> = all.filter(|record| record["body"].is_null()).collect();
    let has = |record: &Value, key: &str| {
        record["attributes"].as_array().unwrap().iter().any(|attribute| attribute["key"] == key)
    };
    // One with a field, one whose text is empty, one by hand, and that of `#[instrument(err)]`.
    assert_eq!(without.len(), 4, "{without:#?}");
    assert!(["nothing", "text", "error"].iter().all(|key| without.iter().any(|record| has(record, key))));
}

fn check_panic(decoded: &Decoded, panic: &Value) {
    let span = decoded.spans.iter().find(|item| item.it["name"] == "broken").unwrap();
    assert_eq!(span.it["status"], json!({"message": "out of luck", "code": 2}));
    assert_eq!((&panic["event_name"], &panic["span_id"]), (&json!("exception"), &span.it["span_id"]));
    assert_eq!(attribute(panic, "exception.type"), &json!({"string_value": "panic"}));
    assert_eq!(attribute(panic, "exception.message"), &json!({"string_value": "out of luck"}));
    assert_eq!(attribute(panic, "code.file.path"), &json!({"string_value": file!()}));
}
