//! VictoriaMetrics, which takes writes of InfluxDB 2.x. It makes a metric of each field, and keeps floats in milliseconds.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};

use super::expected::{Field, Line, expected};
use super::server::asked;
use crate::scenarios;

struct Victoria {
    port: u16,
    _process: Process,
    _directory: tempfile::TempDir,
}

/// Values by name and tags, in the order of their times.
type Series = BTreeMap<(String, BTreeMap<String, String>), Vec<(u64, f64)>>;

impl Victoria {
    /// None where it is not installed.
    fn start() -> Option<Self> {
        if !succeeds(Command::new("victoria-metrics").arg("-version")) {
            return missing("VictoriaMetrics");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [port]) = on_free_ports(|[port]| {
            let mut command = Command::new("victoria-metrics");
            command
                .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                // Points of 1970 are kept too.
                .arg("-retentionPeriod=100y")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        });
        Some(Self { port, _process: process, _directory: directory })
    }

    /// All that it has.
    fn series(&self) -> Series {
        asked(self.port, "GET", "/internal/force_flush", "");
        let (status, export) = asked(self.port, "GET", "/api/v1/export?match[]=%7B__name__!=%22%22%7D", "");
        assert_eq!(status, 200, "{export}");
        let mut all = Series::new();
        for line in export.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let labels = line["metric"].as_object().unwrap().iter();
            let mut labels: BTreeMap<_, _> =
                labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
            let name = labels.remove("__name__").unwrap();
            let times = line["timestamps"].as_array().unwrap().iter().map(|time| time.as_u64().unwrap());
            let values = line["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
            all.entry((name, labels)).or_default().extend(times.zip(values));
        }
        all.values_mut().for_each(|values| values.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))));
        all
    }

    /// How many lines it did not understand.
    fn refused(&self) -> u64 {
        let (_, metrics) = asked(self.port, "GET", "/metrics", "");
        let line =
            metrics.lines().find_map(|line| line.strip_prefix("vm_rows_invalid_total{type=\"influx\"} "));
        line.unwrap().parse().unwrap()
    }
}

fn series(lines: Vec<Line>) -> Series {
    let mut all = Series::new();
    for line in lines {
        for (key, field) in line.fields {
            let value = match field {
                Field::Float(x) => x,
                Field::Int(n) => n as f64,
                Field::Text(_) => continue,
            };
            let key = (format!("{}_{key}", line.name), line.tags.clone());
            all.entry(key).or_default().push((line.time / 1_000_000, value));
        }
    }
    all.values_mut().for_each(|values| values.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))));
    all
}

/// It keeps decimals, of which the last digits may be others.
fn is_near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-14_f64.mul_add(a.abs().max(b.abs()), 1e-300)
}

#[test]
fn what_is_recorded_is_read_back_from_victoriametrics() {
    let Some(server) = Victoria::start() else { return };
    let url = format!("influxdb://127.0.0.1:{}?org=o&bucket=shop&token=t&compression=gzip", server.port);
    let exported = scenarios::export(&url);
    let (said, unsaid) = exported.sorted();
    let account = exported.account("influxdb");
    assert_eq!(
        (account.delivered, account.rejected),
        (said.len() as u64, unsaid.len() as u64),
        "{}",
        exported.ledger
    );
    let (wanted, read) = (series(expected(&said, false)), server.series());
    for (key, values) in &wanted {
        let own = read.get(key).unwrap_or_else(|| panic!("{key:?} is not there"));
        let is_same = |((time, value), (own_time, own)): (&(u64, f64), &(u64, f64))| {
            time == own_time && is_near(*value, *own)
        };
        assert!(
            own.len() == values.len() && values.iter().zip(own).all(is_same),
            "{key:?}: {values:?} became {own:?}"
        );
    }
    let new: Vec<_> = read.keys().filter(|key| !wanted.contains_key(key)).collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(server.refused(), 0);
}
