//! Prometheus' client library for Python, and what it reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use telemetry_tests::process::{missing, succeeds};

/// A family as the library sees it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Family {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) unit: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    value: String,
    pub(crate) exemplar: Option<Exemplar>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exemplar {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: String,
    pub(crate) time: Option<String>,
}

impl Sample {
    pub(crate) fn number(&self) -> f64 {
        self.value.parse().unwrap()
    }
}

/// The families of a page; none where the library is not installed.
#[track_caller]
pub(crate) fn families(kind: &str, page: &str) -> Option<Vec<Family>> {
    ask(kind, "prometheus_client", page)
}

/// The only sample of that name with these labels and no others but that of the scope.
#[track_caller]
pub(crate) fn sample<'a>(families: &'a [Family], name: &str, labels: &[(&str, &str)]) -> &'a Sample {
    let all = families.iter().flat_map(|family| &family.samples);
    let is_it = |sample: &&Sample| {
        let rest = sample.labels.iter().filter(|(key, _)| !key.starts_with("otel_scope"));
        let rest: Vec<(&str, &str)> = rest.map(|(key, value)| (&**key, &**value)).collect();
        sample.name == name && rest.len() == labels.len() && labels.iter().all(|label| rest.contains(label))
    };
    let found: Vec<_> = all.filter(is_it).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:#?}");
    found[0]
}

/// What the script makes of an input; it must take it.
#[track_caller]
pub(crate) fn ask<T: DeserializeOwned>(mode: &str, modules: &str, input: &str) -> Option<T> {
    if !succeeds(Command::new("python3").args(["-c", &format!("import {modules}")])) {
        return missing(&format!("Python's `{modules}`"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/prometheus_pages.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(mode).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let write = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = write.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}")))
}
