//! OpenTelemetry's own exporter for Python as a second opinion on names: the same metrics are called the same.

use serde_json::json;
use telemetry_layer::Collector;
use telemetry_layer::exporters::Prometheus;

use crate::python::{Family, ask};

const KINDS: [&str; 4] = ["counter", "up_down_counter", "gauge", "histogram"];
const NAMES: [&str; 9] = [
    "http.server.request.duration",
    "requests",
    "requests.total",
    "requests_total",
    "a-b/c..d__e",
    "duration.seconds",
    "sent_bytes",
    "x.bytes.total",
    "mixed.case9",
];
const UNITS: [&str; 30] = [
    "",
    "s",
    "ms",
    "us",
    "ns",
    "min",
    "h",
    "d",
    "By",
    "KiBy",
    "MiBy",
    "GiBy",
    "TiBy",
    "MBy",
    "GBy",
    "TBy",
    "m",
    "V",
    "A",
    "J",
    "W",
    "g",
    "Cel",
    "Hz",
    "%",
    "{request}",
    "{packet}/s",
    "By/s",
    "m/s",
    "kg",
];

/// What both say that a metric is called. Where OpenTelemetry's specification and that exporter differ, ours is as the
/// specification says; these are named here.
#[test]
fn metrics_are_called_as_opentelemetry_calls_them() {
    let mut cases = Vec::new();
    for kind in KINDS {
        for (n, name) in NAMES.iter().enumerate() {
            // Each name with a few units, each unit with a few names.
            for unit in UNITS.iter().skip(n % 3).step_by(3) {
                cases.push((kind, *name, *unit));
            }
        }
    }
    let tags = [("http.method", "GET"), ("a/b-c", "\"\\\n"), ("plain", UNICODE)];
    let asked: Vec<_> = cases
        .iter()
        .map(|(kind, name, unit)| json!({"kind": kind, "name": name, "unit": unit, "description": "what", "tags": tags, "resource": [["service.name", "x"]]}))
        .collect();
    let theirs: Option<Vec<Vec<Family>>> =
        ask("names", "opentelemetry.exporter.prometheus", &json!(asked).to_string());
    let Some(theirs) = theirs else { return };
    let pages: Vec<String> =
        cases.iter().map(|(kind, name, unit)| page_of(kind, name, unit, &tags)).collect();
    let ours: Option<Vec<Vec<Family>>> = ask("pages", "prometheus_client", &json!(pages).to_string());
    let mut compared = 0;
    for (((kind, name, unit), theirs), ours) in cases.iter().zip(theirs).zip(ours.unwrap()) {
        let (ours, theirs) = (described(&ours), described(&theirs));
        // `sent_bytes` in bytes per second has its first half already, and the prefix of `TiBy` is spelled otherwise there.
        let is_known = *name == "sent_bytes" && *unit == "By/s" || *unit == "TiBy";
        assert!(ours == theirs || is_known, "{kind} {name} in {unit}: {ours:?} and not {theirs:?}");
        compared += usize::from(ours == theirs);
    }
    assert!(compared > 300, "{compared}");
}

const UNICODE: &str = "größe 价格";

fn page_of(kind: &str, name: &'static str, unit: &'static str, tags: &[(&str, &str)]) -> String {
    let page = Prometheus::new();
    let collector =
        Collector::builder().ignore_env().endpoint("discard:").reader(page.clone()).start().unwrap();
    match kind {
        "counter" => collector.counter(name).unit(unit).description("what").with(tags).add(1),
        "up_down_counter" => collector.up_down_counter(name).unit(unit).description("what").with(tags).add(1),
        "gauge" => collector.gauge(name).unit(unit).description("what").with(tags).set(1),
        _ => collector.histogram(name).unit(unit).description("what").with(tags).record(1),
    }
    page.text()
}

/// What families there are, and the names of samples and their labels with a value.
fn described(families: &[Family]) -> Vec<String> {
    let ours = families
        .iter()
        .filter(|family| !family.name.starts_with("target") && !family.name.starts_with("telemetry"));
    let ours = ours.filter(|family| !family.name.starts_with("otel_sdk"));
    let mut all: Vec<String> = ours
        .map(|family| {
            let labels = |sample: &crate::python::Sample| {
                let all = sample.labels.iter().filter(|(key, value)| *key != "le" && !value.is_empty());
                format!("{} {:?}", sample.name, all.collect::<Vec<_>>())
            };
            let mut samples: Vec<String> = family
                .samples
                .iter()
                .filter(|sample| !sample.name.ends_with("_created"))
                .map(labels)
                .collect();
            samples.sort();
            samples.dedup();
            format!("{} {} {:?} {samples:?}", family.name, family.kind, family.help)
        })
        .collect();
    // They write when each began as another family.
    all.retain(|family| !family.contains("_created gauge"));
    all
}
