//! The clients of the older systems and ours are given the same points, and the same arrives: potsdb 1.0.3 and Apptuit's client 2.4.2
//! for Python; and what Zibrato documents is true of ours. What is not installed is left out, unless `TELEMETRY_REQUIRE_SERVERS` is 1.

mod apptuit;
mod potsdb;
#[path = "../backends/read_back.rs"]
mod read_back;
#[allow(dead_code, reason = "one of its servers is needed")]
#[path = "../backends/servers.rs"]
mod servers;
mod zibrato;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use telemetry_layer::Collector;
use telemetry_layer::model::{DataPoint, Number, Tags};
use telemetry_tests::collector;
use telemetry_tests::process::{missing, succeeds};

/// In seconds.
const TIME: u64 = 1_700_000_000;

/// A point that both are given. No two have the same second: potsdb leaves out what it has sent in the one before.
struct Point {
    name: &'static str,
    value: Number,
    tags: Pairs,
    time: u64,
}

type Pairs = Vec<(&'static str, &'static str)>;

/// The same points for both.
fn points(all: Vec<(&'static str, Number, Pairs)>) -> Vec<Point> {
    let times = TIME..;
    all.into_iter().zip(times).map(|((name, value, tags), time)| Point { name, value, tags, time }).collect()
}

impl Point {
    fn ours(&self) -> DataPoint {
        let mut tags = Tags::new();
        self.tags.iter().for_each(|(key, value)| tags.insert(*key, *value).unwrap());
        DataPoint::new(self.name, self.value).tags(tags).at(self.time * 1_000_000_000)
    }

    fn theirs(&self) -> Value {
        let value = match self.value {
            Number::Int(n) => json!(n),
            Number::Uint(n) => json!(n),
            other => json!(other.as_f64()),
        };
        let tags: serde_json::Map<_, _> =
            self.tags.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({"name": self.name, "value": value, "tags": tags, "time": self.time})
    }
}

/// Ours sends them to that URL, without a tag of its own but those that the URL names.
fn send(url: &str, points: &[Point]) {
    // A tag without a value is not sent.
    let (collector, _) = collector(|builder| builder.tag("service.name", "").endpoint(url));
    send_all(&collector, points);
    let report = collector.shutdown(telemetry_tests::SOON);
    assert!(report.is_complete(), "{report}");
}

fn send_all(collector: &Collector, points: &[Point]) {
    collector.send(points.iter().map(Point::ours)).unwrap();
}

/// The client of that name sends them; false where it is not installed.
#[track_caller]
fn they_send(client: &str, told: Value, points: &[Point]) -> bool {
    if !succeeds(Command::new("python3").args(["-c", &format!("import {client}")])) {
        return missing::<()>(&format!("Python's `{client}`")).is_some();
    }
    let mut told = told;
    told["points"] = points.iter().map(Point::theirs).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/parity.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(client).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}
