//! OpenTelemetry's own classes for Python behind a small server, and what they decoded, item by item.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use telemetry_tests::process::{Process, missing};

use crate::servers::{Certificates, python};

/// The target of what this test records.
pub(crate) const OWN: &str = "otlp_conformance";

/// The server.
pub(crate) struct Decoder {
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) certificates: Certificates,
    _process: Process,
}

/// An item and the scope that it came in.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) scope: String,
    pub(crate) it: Value,
}

/// Everything that came, in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) all: Vec<Value>,
    pub(crate) spans: Vec<Item>,
    pub(crate) records: Vec<Item>,
    /// Each with what its metric says.
    pub(crate) points: Vec<Item>,
}

impl Decoder {
    /// None where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = python("opentelemetry.proto, zstandard") else {
            return missing("Python's `opentelemetry-proto` and `zstandard`");
        };
        let certificates = Certificates::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/otlp_decoder.py");
        let mut command = Command::new(python);
        command.arg(script).args([&certificates.certificate, &certificates.key]);
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        let [port, tls_port] = ports[..] else { panic!("{line:?}") };
        Some(Self { port, tls_port, certificates, _process: process })
    }

    /// What came so far.
    pub(crate) fn decoded(&self) -> Decoded {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.write_all(b"GET /received HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut decoded = Decoded { all: serde_json::from_str(body).unwrap(), ..Decoded::default() };
        for request in decoded.all.clone() {
            let request = &request["request"];
            decoded.spans.extend(items(request, "resource_spans", "scope_spans", "spans"));
            decoded.records.extend(items(request, "resource_logs", "scope_logs", "log_records"));
            let metrics = items(request, "resource_metrics", "scope_metrics", "metrics");
            decoded.points.extend(metrics.into_iter().flat_map(points));
        }
        decoded
    }
}

impl Decoded {
    pub(crate) fn requests(&self, path: &str) -> impl Iterator<Item = &Value> {
        self.all.iter().filter(move |request| request["path"] == path && request["bytes"] != 0)
    }
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().unwrap_or_else(|| panic!("no list: {of}")).iter()
}

/// The items of a request; what is around them is looked at here.
fn items(request: &Value, of_resources: &str, of_scopes: &str, of: &str) -> Vec<Item> {
    let mut items = Vec::new();
    for in_resource in request[of_resources].as_array().into_iter().flatten() {
        assert_eq!(in_resource["schema_url"], "https://opentelemetry.io/schemas/1.44.0");
        check_resource(&in_resource["resource"]);
        for in_scope in list(&in_resource[of_scopes]) {
            let name = in_scope["scope"]["name"].as_str().unwrap();
            let scope = json!({"name": name, "version": "", "attributes": [], "dropped_attributes_count": 0});
            assert_eq!((&in_scope["scope"], &in_scope["schema_url"]), (&scope, &json!("")));
            items.extend(list(&in_scope[of]).map(|it| Item { scope: name.to_owned(), it: it.clone() }));
        }
    }
    items
}

fn check_resource(resource: &Value) {
    assert_eq!((&resource["dropped_attributes_count"], &resource["entity_refs"]), (&json!(0), &json!([])));
    let text = |key: &str| {
        let found: Vec<_> = list(&resource["attributes"]).filter(|of| of["key"] == key).collect();
        assert_eq!(found.len(), 1, "`{key}` in {resource:#}");
        found[0]["value"]["string_value"].as_str().unwrap().to_owned()
    };
    assert_eq!((&*text("service.name"), &*text("service.version")), ("größe", "1.2.3"));
    assert_eq!((&*text("env"), &*text("telemetry.sdk.language")), ("test", "rust"));
}

fn points(metric: Item) -> Vec<Item> {
    let Item { scope, it: Value::Object(mut head) } = metric else { panic!("{metric:?}") };
    let sorts = ["gauge", "sum", "histogram", "exponential_histogram", "summary"];
    let sort = sorts.into_iter().find(|sort| head.contains_key(*sort)).unwrap();
    let Some(Value::Object(mut data)) = head.remove(sort) else { panic!("{head:?}") };
    let points = data.remove("data_points").unwrap();
    head.insert("sort".to_owned(), json!(sort));
    head.extend(data);
    let item = |point: &Value| {
        let mut it = Value::Object(head.clone());
        it["point"] = point.clone();
        Item { scope: scope.clone(), it }
    };
    list(&points).map(item).collect()
}
