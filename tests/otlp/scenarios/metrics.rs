//! What has to be found of the metrics that are recorded.

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use super::recorded::{full_of_tags, record};
use super::{UNICODE, attribute};
use crate::decoder::Decoded;
use crate::expected::float;

/// Of a metric, the points with these tags.
fn points<'a>(decoded: &'a Decoded, name: &str, tags: &[(&str, &str)]) -> Vec<&'a Value> {
    let all = decoded.points.iter().map(|item| &item.it).filter(|of| of["name"] == name);
    let has = |of: &&Value| {
        let attributes = of["point"]["attributes"].as_array().unwrap();
        attributes.len() == tags.len()
            && tags.iter().all(|(key, text)| {
                attributes.iter().any(|of| of["key"] == *key && of["value"]["string_value"] == *text)
            })
    };
    all.filter(has).collect()
}

#[track_caller]
fn point<'a>(decoded: &'a Decoded, name: &str, tags: &[(&str, &str)]) -> &'a Value {
    let found = points(decoded, name, tags);
    assert_eq!(found.len(), 1, "{name} {tags:?}: {found:#?}");
    found[0]
}

pub(crate) fn check(decoded: &Decoded) {
    check_sums(decoded);
    check_histograms(decoded);
    check_by_hand(decoded);
}

fn check_sums(decoded: &Decoded) {
    let of = |name, tags: &[_]| point(decoded, name, tags).clone();
    let orders = of("orders", &[]);
    assert_eq!((&orders["unit"], &orders["description"]), (&json!("{order}"), &json!("Orders taken, größe")));
    assert_eq!((&orders["sort"], &orders["aggregation_temporality"]), (&json!("sum"), &json!(2)));
    assert_eq!((&orders["is_monotonic"], &orders["point"]["as_int"]), (&json!(true), &json!(3)));
    let much = of("orders", &[("currency", "EUR"), ("place", UNICODE)]);
    assert_eq!(much["point"]["as_int"], i64::MAX);
    assert_eq!(of("orders", &[("currency", "")])["point"]["as_int"], 0);
    assert_eq!(of("weight", &[])["point"]["as_double"], float(0.1));
    let open = of("open", &[]);
    // All series of a metric are of one type, and another one of it is no whole number.
    assert_eq!((&open["point"]["as_double"], &open["is_monotonic"]), (&json!(float(-5.0)), &json!(false)));
    assert_eq!(of("open", &[("door", "left")])["point"]["as_double"], float(2.5));
    let heat = of("heat", &[]);
    assert_eq!((&heat["sort"], &heat["point"]["as_double"]), (&json!("gauge"), &json!(float(f64::MIN))));
    assert_eq!(of("heat", &[("room", "1")])["point"]["as_double"], float(-273.15));
    assert_eq!(of("heat", &[("room", "2")])["point"]["as_double"], float(i64::MIN as f64));
    assert_eq!(of("observed", &[])["point"]["as_int"], 42);
    let tags = full_of_tags("value");
    assert_eq!(of("tagged", &tags.iter().collect::<Vec<_>>())["point"]["as_int"], 1);
    assert!(points(decoded, "silent", &[]).is_empty());
}

fn check_histograms(decoded: &Decoded) {
    let size = point(decoded, "size", &[]);
    let of = &size["point"];
    assert_eq!((&size["sort"], &size["unit"]), (&json!("exponential_histogram"), &json!("By")));
    assert_eq!((&of["count"], &of["zero_count"]), (&json!(9), &json!(1)));
    assert_eq!((&of["min"], &of["max"]), (&json!(float(-1e9)), &json!(float(1e300))));
    let counted = |buckets: &Value| {
        buckets["bucket_counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((counted(&of["positive"]), counted(&of["negative"])), (6, 2));
    let positive = &point(decoded, "positive", &[])["point"];
    // 5 lies in (2^(18/8), 2^(19/8)].
    assert_eq!(
        (&positive["scale"], &positive["positive"]),
        (&json!(3), &json!({"offset": 18, "bucket_counts": [1]}))
    );
    assert_eq!((&positive["negative"], &positive["sum"]), (&Value::Null, &json!(float(5.0))));
    let beyond = &point(decoded, "beyond", &[])["point"];
    assert_eq!(
        (&beyond["sum"], &beyond["count"]),
        (&json!(float(f64::MAX)), &json!(2)),
        "it is not infinite"
    );
    let bounds = point(decoded, "bounds", &[]);
    assert_eq!(bounds["sort"], "histogram");
    assert_eq!(bounds["point"]["bucket_counts"], json!([2, 0, 2, 1, 1]));
    assert_eq!(bounds["point"]["explicit_bounds"], json!([-1.0, 0.0, 10.0, 1e12].map(float)));
    for name in ["work", "explicit"] {
        check_exemplars(decoded, &point(decoded, name, &[])["point"]);
    }
    assert_eq!(point(decoded, "work", &[])["unit"], "s");
    assert_eq!(point(decoded, "explicit", &[])["point"]["bucket_counts"], json!([1, 2, 1]));
    assert_eq!(point(decoded, "work", &[("outside", "of spans")])["point"]["exemplars"], json!([]));
}

/// Each of them was measured in the span whose field has its value.
fn check_exemplars(decoded: &Decoded, point: &Value) {
    let exemplars = point["exemplars"].as_array().unwrap();
    assert!((2..=4).contains(&exemplars.len()), "{exemplars:#?}");
    for exemplar in exemplars {
        let is_its = |span: &&Value| span["span_id"] == exemplar["span_id"];
        let span = decoded.spans.iter().map(|item| &item.it).find(is_its).unwrap();
        assert_eq!((&span["name"], &span["trace_id"]), (&json!("timed"), &exemplar["trace_id"]));
        let millis = attribute(span, "millis")["int_value"].as_u64().unwrap();
        assert_eq!(exemplar["as_double"], float(Duration::from_millis(millis).as_secs_f64()));
    }
}

fn check_by_hand(decoded: &Decoded) {
    let of = |name| point(decoded, name, &[]);
    for (name, x) in [("nan", f64::NAN), ("infinite", f64::INFINITY), ("less", f64::NEG_INFINITY)] {
        assert_eq!((&of(name)["point"]["as_double"], &of(name)["unit"]), (&json!(float(x)), &json!("1")));
    }
    let tags = full_of_tags(UNICODE);
    let delta = point(decoded, "delta by hand", &tags.iter().collect::<Vec<_>>());
    assert_eq!(
        (&delta["aggregation_temporality"], &delta["point"]["start_time_unix_nano"]),
        (&json!(1), &json!(1_000))
    );
    let unnamed = of("");
    assert_eq!((&unnamed["point"]["as_double"], &unnamed["sort"]), (&json!(float(-1.5)), &json!("sum")));
    assert_eq!(of("one value")["point"]["as_int"], 3);
    assert_eq!(of("recorded")["point"]["as_double"], float(1.25));
    let two: Vec<_> = points(decoded, "point", &[]).iter().map(|of| &of["point"]["time_unix_nano"]).collect();
    assert_eq!(two, [99, 98]);
    let series = points(decoded, "series", &[("k", "v")]);
    let series: Vec<_> = series.iter().map(|of| of["point"]["as_int"].as_u64().unwrap()).collect();
    assert_eq!(series, [1, 4, 9, 16, 25]);
    assert!(points(decoded, "refused", &[]).is_empty());
}
