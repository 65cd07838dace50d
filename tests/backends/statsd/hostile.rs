//! Names and tags of any characters: npm's statsd-parser, which knows nothing of what writes them, reads of each line what it is to
//! say, and Etsy's server has neither more nor less.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use telemetry_layer::model::{Kind, Metric, MetricValue, Number, Tags, Temporality};
use telemetry_tests::{SOON, collector};

use super::etsy::{Etsy, modules, top};
use super::{flush, name_of, received};
use crate::scenarios::{builder, points};

const TEXT: &str =
    r#"[a-z]{1,4}|[:|@#,;=~/_ .\\\n\r\t\u{0}{}"'é価🦀\u{2028}\u{85}+-]{1,5}|_sc|_e\{1,1\}|__|.{0,8}"#;

fn metric() -> impl Strategy<Value = Metric> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        (-9..9_i64).prop_map(Number::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Number::from),
        (-1e6..1e6).prop_map(Number::from),
    ];
    let tags = prop::collection::vec(("[a-z]{1,3}|[a-z._/-]{1,4}", TEXT), 0..4);
    (TEXT, tags, number, any::<bool>(), 1..u64::MAX).prop_map(|(name, tags, number, is_counter, time)| {
        let mut all = Tags::new();
        tags.into_iter().for_each(|(key, value)| all.insert(key, value).unwrap());
        let kind = if is_counter { Kind::Counter } else { Kind::Gauge };
        // Another than any other, also where both become one.
        let mut metric = Metric::new(kind, format!("{}.{name}", kind.name()), number, time).tags(all);
        metric.temporality = if is_counter { Temporality::Delta } else { Temporality::Cumulative };
        metric
    })
}

/// What statsd-parser says of a line.
#[derive(Debug, Deserialize, PartialEq)]
struct Stat {
    #[serde(rename = "stat")]
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: String,
}

#[test]
fn no_text_begins_another_line_or_field() {
    let (Some(etsy), Some(modules)) = (Etsy::start(), modules()) else { return };
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256);
    let (mut runner, metric) = (TestRunner::default(), metric());
    let all: Vec<Metric> = (0..cases).map(|_| metric.new_tree(&mut runner).unwrap().current()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (memory, text) = received(
        || listener.accept().map(|(stream, _)| stream),
        || TcpStream::connect(("127.0.0.1", port)),
        || {
            let (collector, memory) = collector(|b| {
                let b = builder(b).endpoint(format!("statsd+tcp://127.0.0.1:{}", etsy.port));
                b.endpoint(format!("statsd+tcp://127.0.0.1:{port}"))
            });
            all.iter().for_each(|metric| collector.collect_metric(metric.clone()));
            flush(&collector);
            collector.gauge("zzz").set(1);
            let report = collector.shutdown(SOON);
            assert!(report.is_complete(), "{report}");
            memory
        },
    );
    let mut want = Vec::new();
    let (mut counters, mut gauges) = (BTreeMap::<String, f64>::new(), BTreeMap::new());
    for point in points(&memory.kept()) {
        let MetricValue::Number(number) = point.value else { panic!("{point:?}") };
        let (stat, number) = (name_of(&point), number.as_f64());
        if point.kind == Kind::Counter {
            *counters.entry(stat.clone()).or_default() += number;
            want.push((stat, number, "c"));
            continue;
        }
        if number < 0.0 {
            want.push((stat.clone(), 0.0, "g"));
        }
        gauges.insert(stat.clone(), number);
        want.push((stat, number, "g"));
    }
    let stats = parsed(&modules, &String::from_utf8(text).unwrap());
    let read: Vec<_> = stats
        .iter()
        .map(|stat| (stat.name.clone(), stat.value.parse::<f64>().unwrap(), &*stat.kind))
        .collect();
    assert_eq!(read.len(), want.len());
    read.iter().zip(&want).for_each(|(read, want)| assert_eq!(read, want));
    etsy.wait_for(&want.last().unwrap().0);
    let seen = etsy.end().own();
    assert_eq!(seen.counters.len(), counters.len());
    // JSON has no infinities, which sums may become.
    seen.counters.iter().zip(&counters).for_each(|(seen, want)| {
        assert_eq!(seen.0, want.0);
        assert!(seen.1 == want.1 || !want.1.is_finite(), "{seen:?} for {want:?}");
    });
    assert_eq!(seen.gauges, gauges);
}

fn parsed(modules: &std::path::Path, text: &str) -> Vec<Stat> {
    let mut command = Command::new("node");
    command.arg(top().join("tests/support/statsd_parser.cjs")).arg(modules);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let out = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(text.as_bytes()));
        child.wait_with_output().unwrap()
    });
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines = String::from_utf8(out.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
