//! Librato. The service is no more, so [`LibratoStandIn`](Librato) does what its documentation says. What Zibrato documents of its counters,
//! gauges, sources and levels is tested beside other clients, in `parity`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use telemetry_layer::Signal;
use telemetry_layer::clock::Clock;
use telemetry_layer::model::{Kind, Metric, Number, Tags};
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use telemetry_tests::receiver::{Answer, LibratoStandIn as Librato};

use crate::scenarios::{self, Point};

#[test]
fn other_tags_tell_no_counters_apart() {
    let librato = Librato::start();
    let (collector, _) = Librato::collector(&[librato.url(""), librato.url("name_tags=route")], |b| b);
    for route in ["cart", "pay", "cart"] {
        collector.counter("shop.hits").tag("route", route).tag("method", "GET").inc();
        collector.up_down_counter("shop.open").tag("route", route).add(2);
    }
    Librato::flush(&collector);
    let want = [
        Librato::measured("shop.hits", "shop", 0, 3.0),
        Librato::measured("shop.hits.cart", "shop", 0, 2.0),
        Librato::measured("shop.hits.pay", "shop", 0, 1.0),
        Librato::measured("shop.open", "shop", 0, 6.0),
        Librato::measured("shop.open.cart", "shop", 0, 4.0),
        Librato::measured("shop.open.pay", "shop", 0, 2.0),
    ];
    assert_eq!(librato.shown(), want);
}

#[test]
fn timers_are_samples_in_seconds() {
    let librato = Librato::start();
    let (collector, clock) = Librato::collector(&[librato.url("")], |b| b);
    for millis in [250, 750] {
        let timer = collector.timer("shop.pay").start();
        clock.advance(Duration::from_millis(millis));
        drop(timer);
    }
    Librato::flush(&collector);
    let gauges = librato.gauges();
    let pay = gauges.iter().find(|of| of["name"] == "shop.pay").unwrap();
    assert_eq!((&pay["count"], &pay["sum"], pay.get("value")), (&json!(2), &json!(1.0), None));
    for (name, near) in [("shop.pay.p50", 0.25), ("shop.pay.p99", 0.75)] {
        let quantile = gauges.iter().find(|of| of["name"] == name).unwrap();
        assert!((quantile["value"].as_f64().unwrap() / near - 1.0).abs() < 0.1, "{quantile}");
    }
}

#[test]
fn requests_have_300_measurements_at_most_whatever_is_in_them() {
    let librato = Librato::start();
    let (collector, _) = Librato::collector(&[librato.url("compression=gzip")], |b| b);
    for n in 0..700 {
        collector.gauge(format!("shop.g{n}")).set(n);
    }
    for n in 0..100 {
        collector.histogram(format!("shop.h{n}")).record(1.5);
    }
    Librato::flush(&collector);
    let taken = librato.taken();
    assert!(taken.iter().all(|taken| taken.gauges.len() <= 300));
    // Nearly as few as there can be.
    assert!(taken.len() <= 5, "{} requests", taken.len());
    assert_eq!(librato.gauges().len(), 700 + 5 * 100);
}

/// A status, headers, a body, whether its items are sent again, and what is said.
type Case = (u16, (&'static str, &'static str), &'static str, bool, &'static str);

const ANSWERS: [Case; 14] = [
    (
        400,
        ("content-type", "application/json"),
        r#"{"errors":{"params":{"name":["is too long"],"value":["is not a number"]}}}"#,
        false,
        "400 Bad Request: name: is too long; value: is not a number",
    ),
    (
        400,
        ("x-a", "b"),
        r#"{"errors":{"request":["no token 75AFDB82-hush-hush"]}}"#,
        false,
        "request: no token ***",
    ),
    (400, ("x-a", "b"), "not JSON {", false, "400 Bad Request: not JSON {"),
    (400, ("x-a", "b"), "<html>no</html>", false, "400 Bad Request"),
    (
        401,
        ("retry-after", "1"),
        r#"{"errors":{"request":["Authorization Required"]}}"#,
        true,
        "401 Unauthorized: request: Authorization Required",
    ),
    (403, ("x-a", "b"), "", true, "403 Forbidden"),
    (404, ("x-a", "b"), "", false, "404 Not Found"),
    (413, ("x-a", "b"), "", true, "413"),
    (415, ("x-a", "b"), "", false, "415 Unsupported Media Type"),
    (422, ("x-a", "b"), "", false, "422 Unprocessable"),
    (
        429,
        ("retry-after", "1"),
        r#"{"errors":{"request":["slowly"]}}"#,
        true,
        "429 Too Many Requests: request: slowly",
    ),
    (
        500,
        ("x-a", "b"),
        r#"{"errors":{"system":["maintenance"]}}"#,
        true,
        "500 Internal Server Error: system: maintenance",
    ),
    (503, ("x-a", "b"), "\u{1b}[2Jgone", true, "503 Service Unavailable: \\u{1b}[2Jgone"),
    (302, ("location", "https://elsewhere/"), "", false, "redirects"),
];

#[test]
fn answers_that_say_no_mean_what_is_documented() {
    telemetry_tests::each(ANSWERS, |(status, header, body, again, said)| {
        let librato = Librato::scripted(move |number| {
            (number == 1).then(|| Answer::of(status).header(header.0, header.1).body(body))
        });
        let all = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&all);
        let (collector, _) = Librato::collector(&[librato.url("")], |b| {
            b.on_export(move |report| keeps.lock().unwrap().extend(report.error.clone()))
                .clock(Clock::system())
        });
        collector.gauge("shop.a").set(1);
        collector.gauge("shop.b").set(2);
        let report = collector.shutdown(SOON);
        assert!(report.is_complete() == again && report.ledger().balances(), "{report}");
        let account = *report.ledger().exporter("librato", Signal::Metrics).unwrap();
        let want = if again { (2, 0) } else { (0, 2) };
        assert_eq!((account.delivered, account.rejected), want);
        assert_eq!(librato.gauges().len(), if again { 2 } else { 0 });
        let all = all.lock().unwrap();
        assert!(
            all[0].contains(said) && all[0].contains(&format!("{}/v1/metrics", librato.address)),
            "{all:?}"
        );
        let secrets = Librato::secrets();
        assert!(all.iter().all(|text| secrets.iter().all(|secret| !text.contains(secret))), "{all:?}");
    });
}

#[test]
fn each_answer_of_success_is_one() {
    telemetry_tests::each([200, 201, 202, 204], |status| {
        // Whatever it says besides.
        let librato = Librato::scripted(move |_| {
            Some(Answer::of(status).body(if status == 204 { "" } else { "thanks {" }))
        });
        let (collector, _) = Librato::collector(&[librato.url("")], |b| b);
        collector.counter("shop.a").inc();
        Librato::flush(&collector);
        assert_eq!(librato.shown(), [Librato::measured("shop.a", "shop", 0, 1.0)]);
    });
}

#[test]
fn nothing_is_counted_twice_or_lost_when_it_was_refused_for_a_while() {
    let librato = Librato::scripted(|number| (number <= 2).then(|| Answer::of(503)));
    let (collector, _) = Librato::collector(&[librato.url("")], |b| b.clock(Clock::system()));
    let hits = collector.counter("shop.hits");
    for n in 1..=3_u64 {
        hits.add(n);
        collector.flush(Duration::from_millis(1));
    }
    assert!(collector.shutdown(SOON).is_complete());
    let sum: f64 =
        librato.gauges().iter().map(|of| of.get("value").or(of.get("sum")).unwrap().as_f64().unwrap()).sum();
    assert_eq!(sum, 6.0);
}

#[test]
fn a_url_without_user_token_or_host_is_refused() {
    for (url, needed) in [
        ("librato:", "a user, a token and a host are needed"),
        ("librato://", "a user, a token and a host are needed"),
        ("librato://metrics-api.librato.com", "a user and a token are needed before the host"),
        ("librato://me@metrics-api.librato.com", "the token is missing behind the user"),
        ("librato+udp://me:hush-hush@h", "its transports are https, http"),
        ("librato://me:hush-hush@h?quantiles=p99", "one of true, false"),
        ("librato://me:hush-hush@h?a=b", "has no option `a`"),
        ("librato://me:hush-hush@h?token=hush-hush", "has no option `token`"),
        ("librato://me:hush-hush@h?max_items=300", "has no option `max_items`"),
        ("librato://me:$NO_SUCH_VARIABLE@h", "`NO_SUCH_VARIABLE` is not set"),
    ] {
        let refused = Collector::builder().ignore_env().endpoint(url).start().map(drop).unwrap_err();
        for said in [refused.to_string(), format!("{refused:?}")] {
            assert!(said.contains(needed) && !said.contains("hush-hush"), "{said}");
        }
    }
}

/// What Librato's API makes of a name.
fn label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".:-_".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// A metric, a source and a second; how many values there are, and their sum.
type Met = BTreeMap<(String, String, u64), (u64, f64)>;

/// How many there are of each metric, source and second, and their sum. Zero is nothing that was counted.
fn met(points: &[Point]) -> (Met, u64) {
    let (mut met, mut refused) = (Met::new(), 0);
    for point in points {
        let (count, sum) = match point.histogram() {
            Some(of) => (of.count, of.sum),
            None => (1, point.numbers().first().map_or(f64::NAN, |(_, number)| number.as_f64())),
        };
        let is_sum = point.kind == Kind::Counter;
        if is_sum && sum == 0.0 || point.kind == Kind::Histogram && count == 0 && point.name != "empty" {
            continue;
        }
        if sum.is_nan() || sum.abs() > 1e126 || point.name.is_empty() || count == 0 {
            refused += 1;
            continue;
        }
        let source = point.tags.get("source").unwrap_or(&point.tags["service.name"]);
        let key =
            (label(&point.name).to_lowercase(), label(source).to_lowercase(), point.time / 1_000_000_000);
        let (all, total) = met.entry(key).or_default();
        *all += count;
        *total += sum;
    }
    (met, refused)
}

#[test]
fn the_points_of_all_backends_arrive() {
    let librato = Librato::start();
    let exported = scenarios::export(&librato.url("quantiles=false"));
    let (mut wanted, refused) = met(&exported.points);
    assert_eq!(exported.account("librato").rejected, refused);
    for of in librato.gauges() {
        let text = |name: &str| of[name].as_str().unwrap().to_lowercase();
        let key = (text("name"), text("source"), of["measure_time"].as_u64().unwrap());
        let (count, sum) = wanted.remove(&key).unwrap_or_else(|| panic!("{of}"));
        let is = |name: &str| of[name].as_f64().unwrap();
        let said = if of.get("value").is_some() { is("value") } else { is("sum") };
        assert!((said - sum).abs() <= sum.abs() * 1e-12, "{of}: {sum}");
        if of.get("count").is_some() {
            assert_eq!(of["count"], count);
        }
    }
    assert!(wanted.is_empty(), "{wanted:#?}");
}

/// As [`Number`]s, exactly.
fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<f64>().prop_map(Number::Float),
        (-1e126..1e126).prop_map(Number::Float),
        any::<u64>().prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
    ]
}

#[test]
fn serde_and_python_read_what_was_measured() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/librato_json.py");
    if !Command::new("python3").args(["-c", "import json"]).status().is_ok_and(|status| status.success()) {
        return telemetry_tests::process::missing("python3").unwrap_or_default();
    }
    let librato = Librato::start();
    let builder =
        Collector::builder().ignore_env().tag("service.name", "shop").flush_interval(Duration::from_hours(1));
    let collector = builder.endpoint(librato.url("")).start().unwrap();
    let mut runner = TestRunner::new(Config::default());
    let points =
        (".{1,40}|[\"\\\\/\u{0}-\u{1f}\u{7f}\u{2028}a]{1,300}", ".{0,40}", numbers(), 0..1_u64 << 40);
    let cases: Vec<_> = (0..Config::default().cases)
        .map(|n| {
            let (name, text, number, second) = points.new_tree(&mut runner).unwrap().current();
            let mut tags = Tags::new();
            tags.insert("source", format!("{n}-{text}")).unwrap();
            tags.insert("text", text).unwrap();
            collector.collect_metric(Metric::new(Kind::Gauge, name, number, second * 1_000_000).tags(tags));
            (n.to_string(), second / 1000, number)
        })
        .collect();
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances(), "{report}");
    let bodies: Vec<String> = librato.taken().into_iter().map(|taken| taken.body).collect();
    let of_serde = librato.gauges();

    let mut python = Command::new("python3");
    let mut python = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let input = serde_json::to_vec(&bodies).unwrap();
    let writes = std::thread::spawn(move || stdin.write_all(&input));
    let output = python.wait_with_output().unwrap();
    writes.join().unwrap().unwrap();
    assert!(output.status.success());
    let lines: Vec<Vec<[String; 3]>> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), of_serde.len());

    let fits = |number: &Number| number.as_f64().is_finite() && number.as_f64().abs() <= 1e126;
    let mut wanted = cases.iter().filter(|(_, _, number)| fits(number));
    let mut found: Vec<_> = of_serde.iter().zip(&lines).filter(|(of, _)| of["source"] != "shop").collect();
    let number_of =
        |of: &Value| of["source"].as_str().unwrap().split('-').next().unwrap().parse::<u64>().unwrap();
    found.sort_by_key(|(of, _)| number_of(of));
    for (of, line) in found {
        let (source, second, number) = wanted.next().unwrap();
        let member = |name: &str| line.iter().find(|[member, ..]| member == name).unwrap();
        assert_eq!((number_of(of).to_string(), of["measure_time"].as_u64()), (source.clone(), Some(*second)));
        assert_eq!(
            (&member("name")[2], member("measure_time")[2].clone()),
            (&of["name"].as_str().unwrap().to_owned(), second.to_string())
        );
        let [_, kind, text] = member("value");
        match number {
            Number::Float(x) => {
                assert_eq!((&**kind, text.parse::<f64>().unwrap().to_bits()), ("float", x.to_bits()));
                assert_eq!(of["value"].as_f64().unwrap().to_bits(), x.to_bits());
            }
            whole => assert_eq!(
                (&**kind, text, of["value"].to_string()),
                ("int", &whole.to_string(), whole.to_string())
            ),
        }
    }
    assert!(wanted.next().is_none(), "all of them came");
}
