//! Any texts and numbers, as an independent parser reads them, and `InfluxDB` itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use telemetry_core::__private::influxdb::Writer;
use telemetry_layer::model::{Kind, Metric, Tags};
use telemetry_layer::{Batch, Collector};
use telemetry_tests::SOON;
use telemetry_tests::process::{missing, succeeds};

use super::expected::said;
use super::server::Server;

#[derive(Clone, Debug)]
struct Case {
    name: String,
    tags: Vec<(String, String)>,
    number: Number,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Int(i64),
    Float(f64),
}

/// Texts in which all that means something in a line is not rare.
fn texts() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(
        ",= \"\\#\n\r\t\0\u{1b}\u{7f}\u{85}\u{a0}\u{2028}'{}i0eé🦀".chars().collect::<Vec<_>>(),
    );
    prop::collection::vec(prop_oneof![4 => awkward, 1 => any::<char>()], 0..12).prop_map(String::from_iter)
}

fn cases() -> impl Strategy<Value = Case> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-9..9_i64).prop_map(Number::Int),
        // The parser takes those nearer to 0 for errors.
        any::<f64>().prop_filter("a number", |x| x.is_normal() || *x == 0.0).prop_map(Number::Float),
    ];
    let tags = prop::collection::vec(("[a-z_./ß-]{1,6}|time|value|_field", texts()), 0..5);
    (texts(), tags, number).prop_map(|(name, tags, number)| Case { name, tags, number })
}

/// As many as are asked for.
fn some_cases() -> Vec<Case> {
    let config = Config::default();
    let many = config.cases as usize;
    let mut runner = TestRunner::new(config);
    (0..many).map(|_| cases().new_tree(&mut runner).unwrap().current()).collect()
}

impl Case {
    /// With its place among all as its time.
    fn metric(&self, at: usize) -> Metric {
        let time = at as u64 + 1;
        let metric = match self.number {
            Number::Int(n) => Metric::new(Kind::Gauge, self.name.clone(), n, time),
            Number::Float(x) => Metric::new(Kind::Gauge, self.name.clone(), x, time),
        };
        let mut tags = Tags::new();
        self.tags.iter().for_each(|(key, value)| tags.insert(key.clone(), value.clone()).unwrap());
        metric.tags(tags)
    }

    /// What a line says of it.
    fn check(&self, name: &str, tags: &[(String, String)]) {
        let own = self
            .name
            .strip_prefix('#')
            .map_or_else(|| said(&self.name), |rest| format!("\\u{{23}}{}", said(rest)));
        assert_eq!(name, own, "{self:?}");
        let metric = self.metric(0);
        let all = metric.identity.tags.or(&Tags::parse("service.name: test").unwrap());
        let key = |key: &str| {
            let mut name = key.to_owned();
            if ["time", "value", "_field"].contains(&key) {
                name.push('_');
                while all.get(&name).is_some() {
                    name.push('_');
                }
            }
            name
        };
        let value = |value: &str| if value.is_empty() { "\"\"".to_owned() } else { said(value) };
        let mut own: Vec<_> = all.iter().map(|(k, v)| (key(k), value(v))).collect();
        own.sort();
        let mut tags = tags.to_vec();
        tags.sort();
        assert_eq!(tags, own, "{self:?}");
    }
}

/// The lines of some cases, whose places are their times. Those without a name have none.
fn written(cases: &[Case]) -> String {
    let lines = Arc::<Mutex<Vec<u8>>>::default();
    let body = Arc::clone(&lines);
    let exporter = move |batch: &Batch| {
        let encoded = Writer::default().write(batch, usize::MAX, &mut body.lock().unwrap());
        assert_eq!(encoded.items, batch.len());
    };
    let builder = Collector::builder().ignore_env().service("test", "").exporter(exporter);
    let collector = builder.exporter_bytes(512 << 20).start().unwrap();
    cases.iter().enumerate().for_each(|(at, case)| collector.collect_metric(case.metric(at)));
    assert!(collector.shutdown(SOON).is_complete());
    let lines = lines.lock().unwrap().clone();
    let lines = String::from_utf8(lines).unwrap();
    // What telemetry says of itself.
    lines.split_inclusive('\n').filter(|line| !line.starts_with("telemetry.")).collect()
}

fn parsed(lines: &str) -> Option<Vec<Value>> {
    if !succeeds(Command::new("python3").args(["-c", "import line_protocol_parser"])) {
        return missing("Python's `line-protocol-parser`");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/influx_lines.py");
    let mut command = Command::new("python3");
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, lines) = (child.stdin.take().unwrap(), lines.to_owned());
    let write = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    write.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn another_parser_reads_what_was_written() {
    let cases = some_cases();
    let Some(parsed) = parsed(&written(&cases)) else { return };
    let named: Vec<_> = cases.iter().enumerate().filter(|(_, case)| !case.name.is_empty()).collect();
    assert_eq!(parsed.len(), named.len());
    for ((at, case), line) in named.into_iter().zip(parsed) {
        assert_eq!(line["time"], at + 1, "{case:?}");
        let tags = line["tags"].as_object().unwrap();
        let tags: Vec<_> = tags.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
        case.check(line["measurement"].as_str().unwrap(), &tags);
        let fields = line["fields"].as_object().unwrap();
        let float: f64 = fields["value"].as_str().unwrap().parse().unwrap();
        match case.number {
            Number::Int(n) => {
                assert_eq!(float, n as f64, "{case:?}");
                let exact = (n.unsigned_abs() > 1 << 53).then(|| Value::from(format!("{n}i")));
                assert_eq!(fields.get("value_int"), exact.as_ref(), "{case:?}");
            }
            Number::Float(x) => assert_eq!((float.to_bits(), fields.len()), (x.to_bits(), 1), "{case:?}"),
        }
    }
}

#[test]
fn influxdb_takes_every_line() {
    let cases = some_cases();
    let Some(server) = Server::start() else { return };
    // A database is made slowly of so many measurements.
    for (number, cases) in cases.chunks(256).enumerate() {
        let database = format!("any{number}");
        server.create(&database);
        // It has to take all of them.
        server.write(&database, &written(cases));
        let lines = server.lines(&database);
        let named = cases.iter().filter(|case| !case.name.is_empty()).count();
        assert_eq!(lines.len(), named);
        for line in lines {
            let tags: Vec<_> = line.tags.into_iter().collect();
            cases[line.time as usize - 1].check(&line.name, &tags);
        }
        server.remove(&database);
    }
}
