//! A real Prometheus that scrapes programs of ours, and its API.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use super::asked;
use super::process::{Process, missing, on_free_ports, succeeds};
use serde_json::Value;

/// What it asks for first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefers {
    /// OpenMetrics in text.
    OpenMetrics,
    /// Protobuf, with native histograms.
    Protobuf,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    directory: tempfile::TempDir,
    _process: Process,
}

/// A sample that a query gave: its labels and its value.
pub type Sample = (BTreeMap<String, String>, f64);

/// The files that come with the examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/prometheus").join(name)
}

impl Prometheus {
    /// It scrapes these five times a second. None where it is not installed.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn of(targets: &[SocketAddr], prefers: Prefers) -> Option<Self> {
        if !succeeds(Command::new("prometheus").arg("--version")) {
            return missing("prometheus");
        }
        let directory = tempfile::tempdir().unwrap();
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let config = serde_json::json!({
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "1s"},
            "rule_files": [example("alerts.yml")],
            "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": targets}]}],
        });
        // JSON is YAML too.
        fs::write(directory.path().join("prometheus.yml"), config.to_string()).unwrap();
        let features = match prefers {
            Prefers::OpenMetrics => "exemplar-storage",
            Prefers::Protobuf => "exemplar-storage,native-histograms",
        };
        let (process, [port]) = on_free_ports(|[port]| {
            let mut command = Command::new("prometheus");
            let file = |name: &str| directory.path().join(name).display().to_string();
            command
                .arg(format!("--config.file={}", file("prometheus.yml")))
                .arg(format!("--storage.tsdb.path={}", file("data")))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg(format!("--enable-feature={features}"))
                .stderr(Stdio::from(fs::File::create(directory.path().join("log")).unwrap()));
            command
        });
        Some(Self { address: ([127, 0, 0, 1], port).into(), directory, _process: process })
    }

    /// What its API answers; none where it is not ready.
    ///
    /// # Panics
    ///
    /// If it refuses the request.
    pub fn api(&self, path: &str, options: &[(&str, &str)]) -> Option<Value> {
        let escaped =
            |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let options: Vec<_> =
            options.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
        let head = format!("GET /api/v1/{path}?{} HTTP/1.0\r\nhost: h", options.join("&"));
        let (status, _, body) = asked(self.address, &head);
        let answer: Value = serde_json::from_slice(&body).ok()?;
        assert!(status == 200 || status == 503, "{path} {options:?}: {answer}");
        (status == 200).then(|| answer["data"].clone())
    }

    /// What a query gives now.
    ///
    /// # Panics
    ///
    /// If its answer is none of its API.
    pub fn query(&self, query: &str) -> Vec<Sample> {
        let Some(data) = self.api("query", &[("query", query)]) else { return Vec::new() };
        let sample = |sample: &Value| {
            let labels = sample["metric"].as_object().unwrap().iter();
            let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
            (labels.collect(), sample["value"][1].as_str().unwrap().parse().unwrap())
        };
        data["result"].as_array().unwrap().iter().map(sample).collect()
    }

    /// The only number that a query gives now.
    ///
    /// # Panics
    ///
    /// If it gives several.
    pub fn number(&self, query: &str) -> Option<f64> {
        let samples = self.query(query);
        assert!(samples.len() < 2, "{query}: {samples:?}");
        samples.first().map(|(_, value)| *value)
    }

    /// The exemplars of the last minutes that series of a query have; none where there are none yet.
    ///
    /// # Panics
    ///
    /// If its answer is none of its API.
    pub fn exemplars(&self, query: &str) -> Option<Vec<Value>> {
        let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
        let (start, end) = ((now - 600).to_string(), (now + 600).to_string());
        let data = self.api("query_exemplars", &[("query", query), ("start", &start), ("end", &end)])?;
        let series = data.as_array()?.iter();
        let all: Vec<_> = series.flat_map(|one| one["exemplars"].as_array().unwrap().clone()).collect();
        (!all.is_empty()).then_some(all)
    }

    /// What it wrote.
    ///
    /// # Panics
    ///
    /// If that can't be read.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}
