//! VictoriaMetrics on free ports with a folder of its own: what it was sent is read back, and it says what it did not understand.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use telemetry_tests::SOON;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};

/// Name and labels, and of each its times in milliseconds with their values.
pub(crate) type Series = BTreeMap<BTreeMap<String, String>, Vec<(i64, f64)>>;

pub(crate) struct VictoriaMetrics {
    http: u16,
    /// OpenTSDB's telnet.
    pub(crate) telnet: u16,
    /// OpenTSDB's HTTP.
    pub(crate) put: u16,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl VictoriaMetrics {
    /// None where it is not installed.
    #[track_caller]
    pub(crate) fn start() -> Option<Self> {
        const NAME: &str = "victoria-metrics";
        if !succeeds(Command::new(NAME).arg("-version")) {
            return missing("VictoriaMetrics");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [http, telnet, put]) = on_free_ports(|[http, telnet, put]| {
            let mut command = Command::new(NAME);
            command.arg(format!("-storageDataPath={}", directory.path().display()));
            command.arg("-retentionPeriod=100y");
            for (name, port) in
                [("httpListenAddr", http), ("opentsdbListenAddr", telnet), ("opentsdbHTTPListenAddr", put)]
            {
                command.arg(format!("-{name}=127.0.0.1:{port}"));
            }
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        Some(Self { http, telnet, put, _process: process, _directory: directory })
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nhost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 204 "), "{path}: {head}");
        body.to_owned()
    }

    /// The sum of a metric of its own over all its labels.
    fn own(&self, name: &str) -> u64 {
        let page = self.get("/metrics");
        let of_it = page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
        of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }

    /// All of the series whose name is like that, as soon as so many points have come at all, and none that it did not understand.
    #[track_caller]
    pub(crate) fn series(&self, points: u64, names: &str) -> Series {
        let begin = Instant::now();
        let (mut inserted, mut invalid) = (0, 0);
        while inserted + invalid < points && begin.elapsed() < SOON {
            (inserted, invalid) = (self.own("vm_rows_inserted_total"), self.own("vm_rows_invalid_total"));
            std::thread::yield_now();
        }
        assert_eq!((inserted, invalid), (points, 0), "inserted and invalid");
        self.get("/internal/force_flush");
        let of = names.bytes().fold(String::new(), |of, byte| format!("{of}%{byte:02X}"));
        let exported = self.get(&format!("/api/v1/export?match[]=%7B__name__%3D~%22{of}%22%7D"));
        let mut series = Series::new();
        for line in exported.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let labels = line["metric"].as_object().unwrap().iter();
            let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
            let times = line["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap());
            let values = line["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
            series.entry(labels).or_default().extend(times.zip(values));
        }
        for points in series.values_mut() {
            points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        }
        series
    }
}

/// Whether two numbers are one: a store keeps them in decimal digits.
pub(crate) fn is_same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-14 * a.abs().max(b.abs())
}

/// Whether what is there is what was wanted.
#[track_caller]
pub(crate) fn assert_same(got: &Series, wanted: &Series) {
    let names = |of: &Series| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(wanted));
    for (labels, points) in wanted {
        let found = &got[labels];
        let is_it = |((time, value), (wanted_time, wanted)): (&(i64, f64), &(i64, f64))| {
            time == wanted_time && is_same(*value, *wanted)
        };
        let is_equal = found.len() == points.len() && found.iter().zip(points).all(is_it);
        assert!(is_equal, "{labels:?}: {found:?}, not {points:?}");
    }
}
