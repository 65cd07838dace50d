use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::exporters::protocol::Encoded;
use crate::exporters::{Batch, Protocol as _};
use crate::metrics::Snapshot;
use crate::model::{Buckets, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Tags, Temporality};

const SECOND: u64 = 1_000_000_000;

fn batch(metrics: Vec<Metric>) -> Batch {
    let resource = Arc::new(Resource::new(Tags::new(), "shop").unwrap());
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
}

fn metric(kind: Kind, name: &str, tags: &str, value: impl Into<Number>, second: u64) -> Metric {
    let temporality = if kind == Kind::Counter { Temporality::Delta } else { Temporality::Cumulative };
    let metric = Metric::new(kind, name.to_owned(), value, second * SECOND).tags(Tags::parse(tags).unwrap());
    Metric { temporality, ..metric }
}

fn histogram(name: &str, tags: &str, values: &[f64], second: u64) -> Metric {
    let bounds = vec![1.0, 2.0, 4.0];
    let mut counts = vec![0; bounds.len() + 1];
    values.iter().for_each(|value| counts[bounds.partition_point(|bound| bound < value)] += 1);
    let ends =
        values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[min, max], x| [min.min(*x), max.max(*x)]);
    let of = HistogramValue::of(Buckets::Explicit { bounds, counts }, values.iter().sum(), ends, Vec::new());
    Metric { value: MetricValue::Histogram(of.into()), ..metric(Kind::Histogram, name, tags, 0, second) }
}

/// Those of the first request, and what is said of them.
fn written(writer: &Writer, metrics: Vec<Metric>) -> (Encoded, Json) {
    let mut body = b"before".to_vec();
    let encoded = writer.write(&batch(metrics), usize::MAX, &mut body);
    let body: Json = serde_json::from_slice(body.strip_prefix(b"before").unwrap()).unwrap();
    (encoded, body["gauges"].clone())
}

fn gauges(metrics: Vec<Metric>) -> Json {
    let items = metrics.len();
    let (encoded, gauges) = written(&Writer::default(), metrics);
    assert_eq!(encoded, Encoded::from(items));
    gauges
}

#[test]
fn a_request_is_gauges_with_source_and_second() {
    let all = vec![
        metric(Kind::Gauge, "a", "", -1.5, 7),
        metric(Kind::Counter, "b", "source: till", 3, 8),
        metric(Kind::UpDownCounter, "c", "source: ALL", -4, 9),
        metric(Kind::Gauge, "d", "source: ", u64::MAX, 0),
    ];
    let want = json!([
        { "name": "a", "source": "shop", "measure_time": 7, "value": -1.5 },
        { "name": "b", "source": "till", "measure_time": 8, "value": 3 },
        { "name": "c", "source": "ALL_", "measure_time": 9, "value": -4 },
        { "name": "d", "source": "shop", "measure_time": 0, "value": u64::MAX },
    ]);
    assert_eq!(gauges(all), want);
}

#[test]
fn ends_that_only_buckets_tell_of_are_left_out_where_librato_takes_none_such() {
    let buckets =
        Buckets::Exponential { scale: 0, zero_count: 1, positive: vec![(500, 1)], negative: Vec::new() };
    let of = HistogramValue { count: 2, sum: 1.5, buckets, ..HistogramValue::default() };
    let of = Metric { value: MetricValue::Histogram(of.into()), ..metric(Kind::Histogram, "h", "", 0, 7) };
    let gauges = gauges(vec![of]);
    let want =
        json!({ "name": "h", "source": "shop", "measure_time": 7, "count": 2, "sum": 1.5, "min": 0.0 });
    assert_eq!(gauges[0], want, "{gauges}");
}

#[test]
fn sums_that_differ_in_other_tags_are_added_up() {
    let sums = |kind| {
        vec![
            metric(kind, "hits", "route: /a", 3, 7),
            metric(kind, "Hits", "route: /b", 4, 7),
            metric(kind, "hits", "route: /b, source: till", 5, 7),
            metric(kind, "hits", "route: /b", 6, 8),
        ]
    };
    for kind in [Kind::Counter, Kind::UpDownCounter] {
        let values: Vec<_> =
            gauges(sums(kind)).as_array().unwrap().iter().map(|of| of["value"].clone()).collect();
        assert_eq!(values, [7, 5, 6]);
    }
    let large = vec![
        metric(Kind::Counter, "a", "x: 1", 1_u64 << 62, 1),
        metric(Kind::Counter, "a", "x: 2", 1_u64 << 62, 1),
    ];
    assert_eq!(gauges(large)[0]["value"], json!(1_u64 << 63));
}

#[test]
fn gauges_that_differ_in_other_tags_are_samples_of_one() {
    let depths = [("mail", 3.0), ("web", 5.0), ("sms", -1.0)];
    let all = depths.map(|(queue, depth)| metric(Kind::Gauge, "depth", &format!("queue: {queue}"), depth, 7));
    let want = json!([{
        "name": "depth", "source": "shop", "measure_time": 7,
        "count": 3, "sum": 7.0, "min": -1.0, "max": 5.0, "sum_squares": 35.0,
    }]);
    assert_eq!(gauges(all.to_vec()), want);
    let apart =
        written(&Writer::default().name_tags(["queue".to_owned(), "none".to_owned()]), all.to_vec()).1;
    let names: Vec<_> = apart.as_array().unwrap().iter().map(|of| (&of["name"], &of["value"])).collect();
    let want = [
        (&json!("depth.mail"), &json!(3.0)),
        (&json!("depth.web"), &json!(5.0)),
        (&json!("depth.sms"), &json!(-1.0)),
    ];
    assert_eq!(names, want);
}

#[test]
fn what_is_said_twice_counts_once() {
    let again = |kind, first, then| {
        gauges(vec![metric(kind, "a", "x: 1", first, 7), metric(kind, "a", "x: 1", then, 7)])[0].clone()
    };
    assert_eq!(again(Kind::UpDownCounter, 5, 6)["value"], 6);
    // The same gauge, which was not set since.
    assert_eq!(again(Kind::Gauge, 5, 5)["value"], 5);
    assert_eq!(again(Kind::Counter, 5, 6)["value"], 11);
    // Set twice in one second.
    let mut later = metric(Kind::Gauge, "a", "", 9, 7);
    later.time_unix_nano += 1;
    assert_eq!(gauges(vec![metric(Kind::Gauge, "a", "", 5, 7), later])[0]["count"], 2);
}

#[test]
fn histograms_are_samples_and_quantiles() {
    let all = || vec![histogram("t", "route: /a", &[1.0, 2.0], 7), histogram("t", "route: /b", &[4.0], 7)];
    let merged = gauges(all());
    let want = json!({ "name": "t", "source": "shop", "measure_time": 7, "count": 3, "sum": 7.0, "min": 1.0, "max": 4.0 });
    assert_eq!(merged[0], want);
    let names: Vec<_> = merged.as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["t", "t.p50", "t.p90", "t.p95", "t.p99"]);
    assert_eq!(
        (&merged[4]["value"], &merged[4]["source"], &merged[4]["measure_time"]),
        (&json!(4.0), &json!("shop"), &json!(7))
    );
    let (_, plain) = written(&Writer::default().without_quantiles(), all());
    assert_eq!(plain, json!([want]));
    // A gauge that is called as a quantile is.
    let both = gauges(vec![metric(Kind::Gauge, "t.p99", "", 6.0, 7), histogram("t", "", &[2.0], 7)]);
    assert_eq!((&both[0]["count"], &both[0]["sum"]), (&json!(2), &json!(8.0)));
    // Nobody knows the quantiles of a mixture.
    let mixed = gauges(vec![metric(Kind::Gauge, "t", "", 6.0, 7), histogram("t", "", &[2.0], 7)]);
    assert_eq!(
        (mixed.as_array().unwrap().len(), &mixed[0]["count"], &mixed[0].get("sum_squares")),
        (1, &json!(2), &None)
    );
}

#[test]
fn what_librato_does_not_take_is_left_out_and_counted() {
    let all = || {
        vec![
            metric(Kind::Gauge, "a", "", f64::NAN, 7),
            metric(Kind::Gauge, "b", "", f64::INFINITY, 7),
            metric(Kind::Gauge, "c", "", 1.1e126, 7),
            metric(Kind::Gauge, "d", "", -1e126, 7),
            metric(Kind::Counter, "e", "x: 1", 1e126, 7),
            metric(Kind::Counter, "e", "x: 2", 1e126, 7),
            metric(Kind::Gauge, "f", "x: 1", 1e126, 7),
            metric(Kind::Gauge, "f", "x: 2", 1e125, 7),
            metric(Kind::Gauge, "g", "x: 1", 1e70, 7),
            metric(Kind::Gauge, "g", "x: 2", 1e70, 7),
            histogram("h", "", &[], 7),
            histogram("i", "", &[1e300], 7),
            metric(Kind::Gauge, "", "", 1, 7),
        ]
    };
    let (encoded, gauges) = written(&Writer::default(), all());
    let reason = "a value that is no finite number".into();
    assert_eq!(encoded, Encoded { items: 13, rejected: 8, reason });
    let names: Vec<_> = gauges.as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["d", "e", "f", "g"]);
    // The squares alone are too much.
    assert_eq!((&gauges[3]["sum"], gauges[3].get("sum_squares")), (&json!(2e70), None));
}

#[test]
fn a_request_has_300_measurements_and_whole_metrics() {
    let some = |name: &'static str, many| {
        (0..many).map(move |n| metric(Kind::Gauge, name, &format!("source: s{n:03}"), n, 7))
    };
    // Where it can be, what has one name stays together.
    let (encoded, gauges) = written(&Writer::default(), some("a", 200).chain(some("b", 200)).collect());
    assert_eq!((encoded.items, gauges.as_array().unwrap().len()), (200, 200));
    let (encoded, gauges) = written(&Writer::default(), some("a", 301).collect());
    assert_eq!((encoded.items, gauges.as_array().unwrap().len()), (300, 300));
    // Also where it is one name only as it is written.
    let apart = |name: &'static str, sources: std::ops::Range<u32>| {
        sources.map(move |n| metric(Kind::Gauge, name, &format!("source: s{n:03}"), 1, 7))
    };
    let all = some("0", 200).chain(apart("a/b", 0..90)).chain(apart("a_b", 90..180)).collect();
    assert_eq!(written(&Writer::default(), all).0.items, 200);
    // It is counted with what histograms become.
    let histograms: Vec<_> = (0..61).map(|n| histogram(&format!("h{n:02}"), "", &[1.0], 7)).collect();
    let (encoded, gauges) = written(&Writer::default(), histograms.clone());
    assert_eq!((encoded.items, gauges.as_array().unwrap().len()), (60, 300));
    assert_eq!(written(&Writer::default().without_quantiles(), histograms).0.items, 61);
    // What becomes one is one.
    let routes: Vec<_> =
        (0..5000).map(|n| metric(Kind::Counter, "hits", &format!("route: {n}"), 1, 7)).collect();
    let (encoded, gauges) = written(&Writer::default(), routes);
    assert_eq!((encoded.items, &gauges[0]["value"]), (5000, &json!(5000)));
}

#[test]
fn it_wants_changes_of_what_only_grows() {
    let settings = crate::exporters::http::Settings::new("http://localhost").unwrap();
    let librato = Librato::new(settings, Writer::default()).unwrap();
    let kinds = [Kind::Counter, Kind::UpDownCounter, Kind::Histogram].map(|kind| librato.temporality(kind));
    assert_eq!(kinds, [Temporality::Delta, Temporality::Cumulative, Temporality::Delta]);
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Counter), Just(Kind::UpDownCounter), Just(Kind::Gauge)]
}

/// Few names and tags, so that many meet; whole numbers, whose sums are exact.
fn metrics() -> impl Strategy<Value = Vec<Metric>> {
    let one = (kinds(), "[aA/b]", 0..3_u32, 0..3_u32, -9..9_i32, 0..2_u64, 0..2_u64);
    let one = one.prop_map(|(kind, name, source, other, value, second, nanos)| {
        let source = if source == 0 { String::new() } else { format!(", source: s{source}") };
        let mut metric = metric(kind, &name, &format!("other: {other}{source}"), value, second);
        metric.time_unix_nano += nanos;
        metric
    });
    prop::collection::vec(one, 1..80)
}

/// What all of it becomes, said in another way than the writer says it.
fn expected(metrics: &[Metric]) -> BTreeMap<(String, String, u64), f64> {
    let mut met: BTreeMap<_, Vec<&Metric>> = BTreeMap::new();
    for (at, metric) in metrics.iter().enumerate() {
        let is_same = |other: &Metric| {
            (other.identity == metric.identity
                && other.time_unix_nano / SECOND == metric.time_unix_nano / SECOND)
                && match metric.identity.kind {
                    Kind::Counter => false,
                    Kind::Gauge => other.time_unix_nano == metric.time_unix_nano,
                    _ => true,
                }
        };
        // A name that is written in another case is another series.
        if metrics[at + 1..].iter().any(is_same) {
            continue;
        }
        let name = metric.identity.name.replace('/', "_").to_lowercase();
        let source = metric.identity.tags.get("source").unwrap_or("shop").to_owned();
        met.entry((name, source, metric.time_unix_nano / SECOND)).or_default().push(metric);
    }
    let sum = |all: Vec<&Metric>| all.iter().map(|metric| metric.number().as_f64()).sum();
    met.into_iter().map(|(key, all)| (key, sum(all))).collect()
}

proptest! {
    #[test]
    fn nothing_gets_lost_where_measurements_meet(metrics in metrics()) {
        let items = metrics.len();
        let (encoded, gauges) = written(&Writer::default(), metrics.clone());
        prop_assert_eq!(encoded, Encoded::from(items));
        let mut found = BTreeMap::new();
        for of in gauges.as_array().unwrap() {
            let text = |name: &str| of[name].as_str().unwrap().to_lowercase();
            let key = (text("name"), text("source"), of["measure_time"].as_u64().unwrap());
            let sum = of.get("value").or_else(|| of.get("sum")).unwrap().as_f64().unwrap();
            prop_assert!(found.insert(key, sum).is_none(), "twice: {}", of);
        }
        prop_assert_eq!(found, expected(&metrics));
    }

    /// Each item is in one request, and no request is too long.
    #[test]
    fn requests_are_bounded(
        names in prop::collection::vec("[a-z]{1,300}|.{0,40}", 1..20),
        many in 1..12_usize,
        max_bytes in 0..40_000_usize,
    ) {
        let one = |(n, name): (usize, &String)| (0..many).map(move |source| (n, name.clone(), source)).collect::<Vec<_>>();
        let all: Vec<_> = names.iter().enumerate().flat_map(one).map(|(n, name, source)| {
            let tags = format!("source: {source}");
            match n % 3 {
                0 => histogram(&name, &tags, &[n as f64], 7),
                1 => metric(Kind::Counter, &name, &tags, 1, 7),
                _ => metric(Kind::Gauge, &name, &tags, n as f64 / 7.0, 7),
            }
        }).collect();
        let mut rest = batch(all);
        while !rest.is_empty() {
            let mut body = Vec::new();
            let encoded = Writer::default().write(&rest, max_bytes, &mut body);
            prop_assert!((1..=rest.len()).contains(&encoded.items));
            prop_assert!(encoded.items == 1 || body.len() <= max_bytes, "{} of {max_bytes} bytes", body.len());
            let read: Json = serde_json::from_slice(&body).unwrap();
            let gauges = read["gauges"].as_array().unwrap();
            prop_assert!(gauges.len() <= 300 && (gauges.is_empty() == (encoded.rejected == encoded.items)));
            for of in gauges {
                for label in [&of["name"], &of["source"]].map(|label| label.as_str().unwrap()) {
                    prop_assert!((1..=255).contains(&label.len()));
                    prop_assert!(label.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b)));
                }
            }
            rest.take_first(encoded.items);
        }
    }

    /// Serde reads each number as it was.
    #[test]
    fn every_number_is_read_back(float: f64, whole: u64, signed: i64) {
        let numbers = [Number::Float(float), whole.into(), signed.into()];
        for number in numbers.into_iter().filter(|number| value::fitting(*number).is_ok()) {
            let read = gauges(vec![metric(Kind::Gauge, "a", "", number, 7)])[0]["value"].clone();
            let want = match number {
                Number::Int(n) => json!(n),
                Number::Uint(n) => json!(n),
                Number::Float(x) => json!(x),
            };
            prop_assert_eq!(read, want);
        }
    }
}
