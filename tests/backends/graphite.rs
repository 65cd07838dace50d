//! Graphite: carbon, which writes a file of doubles for each series; VictoriaMetrics; and carbon's own reader of lines.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use telemetry_layer::Collector;
use telemetry_layer::ledger::ExporterAccount;
use telemetry_layer::model::{DataPoint, Kind, Metric, Number, Tags};
use telemetry_tests::process::{missing, succeeds};
use telemetry_tests::{SOON, collector};

use crate::scenarios::{Exported, Point, builder, export, export_of};
use crate::servers::{CARBON_KEEPS, Carbon, VictoriaMetrics, is_kept_as, until};

const NANOS: u64 = 1_000_000_000;

/// What stands on the wire for a text.
fn shown(text: &str) -> String {
    let ends = |c: char| c == ';' || c.is_whitespace() || c.is_control();
    let text = text.replace(ends, "_");
    if text.starts_with('~') { text.replacen('~', "_", 1) } else { text }
}

fn tags(of: &Point) -> BTreeMap<String, String> {
    let all = of.tags.iter().filter(|(_, value)| !value.is_empty());
    all.map(|(key, value)| (key.clone(), shown(value))).collect()
}

/// As carbon calls a series: the tags are sorted with their values.
fn path(name: &str, tags: &BTreeMap<String, String>) -> String {
    let mut all: Vec<_> = tags.iter().map(|(key, value)| format!(";{key}={value}")).collect();
    all.sort_unstable();
    format!("{name}{}", all.concat())
}

/// What is written to a port until the collector has ended: there may be a connection that looks whether somebody is there, and one
/// for the lines.
fn written(listener: TcpListener) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        loop {
            let mut one = Vec::new();
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_to_end(&mut one).unwrap();
            if one == END {
                return all;
            }
            all.extend(one);
        }
    })
}

const END: &[u8] = b"no more";

/// All that was written there.
fn end(at: SocketAddr, written: std::thread::JoinHandle<Vec<u8>>) -> Vec<u8> {
    TcpStream::connect(at).unwrap().write_all(END).unwrap();
    written.join().unwrap()
}

/// Whether a line can say it.
fn is_sayable(point: &Point) -> bool {
    point.can_be_said() && point.time >= NANOS
}

/// A series, and a second.
type Key = (String, BTreeMap<String, String>, u64);

/// All numbers, in their order. Two series that differ in a tag with an empty value alone are one there.
fn numbers(exported: &Exported) -> BTreeMap<Key, Vec<f64>> {
    let mut all: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for point in exported.points.iter().filter(|point| is_sayable(point)) {
        for (of, number) in point.numbers() {
            let name =
                if of.is_empty() { shown(&point.name) } else { format!("{}.{of}", shown(&point.name)) };
            all.entry((name, tags(point), point.time / NANOS)).or_default().push(number.as_f64());
        }
    }
    assert!(all.len() > 100, "{}", all.len());
    all
}

/// What can be said was handed on, all else was refused.
#[track_caller]
fn is_all(exported: &Exported) {
    let ExporterAccount { delivered, rejected, .. } = exported.account("graphite");
    let sayable = exported.points.iter().filter(|point| is_sayable(point)).count() as u64;
    assert_eq!((delivered, rejected), (sayable, exported.points.len() as u64 - sayable));
    assert!(rejected > 3);
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn carbon_keeps_what_was_recorded() {
    // One line is longer than a packet where nobody says more.
    for (transport, option) in [("", ""), ("+udp", "&packet_bytes=8192")] {
        let Some(carbon) = Carbon::start() else { return };
        let url = format!("graphite{transport}://127.0.0.1:{}?temporality=cumulative{option}", carbon.port);
        let exported = export(&url);
        is_all(&exported);
        let kept_since = now() - CARBON_KEEPS;
        for ((name, tags, second), numbers) in numbers(&exported) {
            if second < kept_since && name != "dated" {
                continue;
            }
            let series = path(&name, &tags);
            let value = until(&series, || carbon.value(&series, second).ok_or(carbon.refused().join("\n")));
            // Of several in a second, the last one stays.
            let last = numbers.last().unwrap();
            assert_eq!(value.to_bits(), last.to_bits(), "{series}: {value} for {numbers:?}");
        }
        assert_eq!(carbon.refused(), [""; 0]);
    }
}

#[test]
fn victoria_metrics_keeps_what_was_recorded() {
    let Some(server) = VictoriaMetrics::start() else { return };
    let url = format!("graphite://127.0.0.1:{}?temporality=cumulative", server.ports.graphite);
    let exported = export(&url);
    is_all(&exported);
    let wanted = numbers(&exported);
    let lines: usize = wanted.values().map(Vec::len).sum();
    until("all points", || match server.taken_and_refused("graphite") {
        (taken, 0) if taken as usize >= lines => Ok(()),
        counts => Err(format!("{counts:?} of {lines}")),
    });
    let mut found: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for series in server.series(".*") {
        for (millis, value) in series.points {
            assert_eq!(millis % 1_000, 0);
            found.entry((series.name.clone(), series.tags.clone(), millis / 1_000)).or_default().push(value);
        }
    }
    assert!(found.keys().eq(wanted.keys()), "{found:#?}");
    for (key, numbers) in &wanted {
        let kept = &found[key];
        let is_one = |kept: &f64| numbers.iter().any(|number| is_kept_as(*number, *kept));
        assert!(!kept.is_empty() && kept.iter().all(is_one), "{key:?}: {kept:?} for {numbers:?}");
    }
}

#[test]
fn histograms_are_of_the_time_since_the_last_export_and_names_have_a_prefix() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (collector, _) =
        collector(|b| b.endpoint(format!("graphite://{at}?prefix=shop.eu&names=took,orders")));
    let written = written(listener);
    for value in [1.0, 2.0] {
        collector.counter("orders").inc();
        collector.histogram("took").record(value);
        assert!(collector.flush(SOON).is_complete());
    }
    assert!(collector.shutdown(SOON).is_complete());
    let all = String::from_utf8(end(at, written)).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let of = |line: &str| line.split(';').next() == Some(name);
        let lines = all.lines().filter(|line| of(line));
        lines.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect()
    };
    assert_eq!(values("shop.eu.orders")[..2], [1.0, 2.0], "{all}");
    assert_eq!(values("shop.eu.took.count")[..2], [1.0, 1.0], "{all}");
    assert_eq!(values("shop.eu.took.sum")[..2], [1.0, 2.0], "{all}");
}

/// Points of different seconds, so that each of them counts.
fn send(collector: &Collector, seconds: std::ops::Range<u64>) {
    let start = now() - 3_600;
    collector.send(seconds.map(|n| DataPoint::new("kept", n).at((start + n) * NANOS))).unwrap();
}

#[test]
fn a_server_that_goes_away_and_comes_back_misses_nothing() {
    let Some(mut server) = VictoriaMetrics::start() else { return };
    let url = format!("graphite://127.0.0.1:{}?names=kept&linger_ms=1", server.ports.graphite);
    let (collector, _) = collector(|b| builder(b).endpoint(&url));
    send(&collector, 0..100);
    assert!(collector.flush(SOON).is_complete());
    until("the first points", || match server.taken_and_refused("graphite") {
        (100, 0) => Ok(()),
        counts => Err(format!("{counts:?}")),
    });
    server.stop();
    send(&collector, 100..200);
    let report = collector.flush(Duration::from_millis(300));
    assert!(!report.is_complete(), "{report}");
    send(&collector, 200..300);
    server.come_back();
    until("the rest", || match collector.flush(SOON) {
        report if report.is_complete() => Ok(()),
        report => Err(report.to_string()),
    });
    let series =
        server.series_until(|all| all.iter().map(|series| series.points.len()).sum::<usize>() >= 300);
    let values: Vec<_> =
        series.iter().flat_map(|series| series.points.iter().map(|(_, value)| *value)).collect();
    assert!(values.into_iter().eq((0..300).map(f64::from)), "{series:#?}");
    let report = collector.shutdown(SOON);
    let account = report.ledger().exporter("graphite", telemetry_layer::Signal::Metrics).unwrap();
    assert_eq!((account.delivered, account.rejected, account.dropped.total()), (300, 0, 0), "{report}");
}

#[test]
fn each_interval_has_the_ends_of_a_histogram() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let written = written(listener);
    let (collector, _) = collector(|b| b.endpoint(format!("graphite://{at}?names=took")));
    for millis in [30, 300, 3_000] {
        collector.timer("took").record(Duration::from_millis(millis));
        assert!(collector.flush(SOON).is_complete());
    }
    assert!(collector.shutdown(SOON).is_complete());
    let text = String::from_utf8(end(at, written)).unwrap();
    for part in ["min", "max"] {
        let of = text.lines().filter(|line| line.starts_with(&format!("took.{part}")));
        let values: Vec<f64> = of.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        assert!(values.len() >= 3, "{text}");
        for (value, want) in values.iter().zip([0.03, 0.3, 3.0]) {
            assert!((value / want - 1.0).abs() < 0.05, "{values:?}");
        }
    }
}

/// A Python that has carbon.
fn python() -> Option<&'static str> {
    let has = |python: &&str| succeeds(Command::new(python).args(["-c", "import carbon.util"]));
    ["python3", "/usr/bin/python3"].into_iter().find(has)
}

/// Texts with what ends something on this wire, or looks like it.
fn texts() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(
        " ;=!^~\"{}\n\r\t\0\u{b}\u{1c}\u{7f}\u{85}\u{a0}\u{2028}.ü🦀a1".chars().collect::<Vec<_>>(),
    );
    prop::collection::vec(prop_oneof![8 => awkward, 1 => any::<char>()], 0..9).prop_map(String::from_iter)
}

/// As many as a property has cases.
fn made() -> Vec<Metric> {
    let tag = (prop_oneof![Just("name".to_owned()), "[a-zä._/-]{1,4}"], texts());
    let number =
        prop_oneof![any::<i64>().prop_map(Number::Int), prop::num::f64::NORMAL.prop_map(Number::Float)];
    let all = (texts(), prop::collection::vec(tag, 0..4), number, NANOS..u64::MAX);
    let mut runner = TestRunner::default();
    let cases = u64::from(runner.config().cases);
    let made = (0..cases).map(|n| {
        let (name, all, number, time) = all.new_tree(&mut runner).unwrap().current();
        let mut tags = Tags::new();
        all.into_iter().for_each(|(key, value)| tags.insert(key, value).unwrap());
        tags.insert("0id", n.to_string()).unwrap();
        // A name that is empty, another test has.
        Metric::new(Kind::Gauge, format!("n{name}"), number, time).tags(tags)
    });
    made.collect()
}

#[test]
fn carbon_reads_lines_as_they_were_meant() {
    let Some(python) = python() else { return missing("Python's `carbon`").unwrap_or_default() };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let url = format!("graphite://{at}?names=n*");
    let written = written(listener);
    let made = made();
    let exported =
        export_of(&url, |collector| made.iter().for_each(|metric| collector.collect_metric(metric.clone())));
    assert_eq!(exported.account("graphite").delivered, made.len() as u64, "{}", exported.ledger);
    let lines = end(at, written);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/support/carbon_lines.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writes = std::thread::spawn(move || stdin.write_all(&lines).unwrap());
    let output = child.wait_with_output().unwrap();
    writes.join().unwrap();
    assert!(output.status.success());
    let mut read = HashMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let point: Value = serde_json::from_str(line).unwrap();
        let id = point["tags"]["0id"].as_str().unwrap_or_else(|| panic!("{point}")).to_owned();
        assert!(read.insert(id, point.clone()).is_none(), "a second line: {point}");
    }
    assert_eq!(read.len(), made.len());
    for metric in &made {
        let point = &read[metric.identity.tags.get("0id").unwrap()];
        assert_eq!(point["second"].as_u64(), Some(metric.time_unix_nano / NANOS), "{point}");
        assert_eq!(point["value"].as_f64(), Some(metric.number().as_f64()), "{point}");
        let quote = |text: String| text.replace("\"}", "_}");
        assert_eq!(quote(point["name"].as_str().unwrap().to_owned()), quote(shown(&metric.identity.name)));
        let mut wanted = BTreeMap::new();
        for (key, value) in metric.identity.tags.iter().filter(|(_, value)| !value.is_empty()) {
            wanted.insert(if key == "name" { "_name" } else { key }.to_owned(), quote(shown(value)));
        }
        for (key, value) in [("env", "test"), ("service.name", "größe")] {
            wanted.entry(key.to_owned()).or_insert(value.to_owned());
        }
        let found = point["tags"].as_object().unwrap().iter();
        let found: BTreeMap<_, _> =
            found.map(|(key, value)| (key.clone(), quote(value.as_str().unwrap().to_owned()))).collect();
        assert_eq!(found, wanted, "{metric:?}");
    }
}
