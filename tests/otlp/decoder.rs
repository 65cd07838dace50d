//! OpenTelemetry's own classes for Python behind a small server, and what they decoded, item by item.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use telemetry_tests::process::{Process, missing};

use crate::forms::{Form, Transport};
use crate::servers::{Certificates, python};

/// The target of what this test records.
pub(crate) const OWN: &str = "otlp_conformance";

/// The server.
pub(crate) struct Decoder {
    /// For HTTP and for gRPC.
    pub(crate) ports: [u16; 2],
    pub(crate) tls_ports: [u16; 2],
    pub(crate) certificates: Certificates,
    _process: Process,
}

/// An item and the scope that it came in.
#[derive(Clone, Debug, PartialEq)]
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
        let Some(python) = python("grpc, opentelemetry.proto, zstandard") else {
            return missing("Python's `grpcio`, `opentelemetry-proto` and `zstandard`");
        };
        let certificates = Certificates::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/otlp_decoder.py");
        let mut command = Command::new(python);
        command.arg(script).args([&certificates.certificate, &certificates.key]);
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        let [http, https, grpc, grpcs] = ports[..] else { panic!("{line:?}") };
        Some(Self { ports: [http, grpc], tls_ports: [https, grpcs], certificates, _process: process })
    }

    /// How bodies of this form may be compressed, as far as it knows.
    pub(crate) fn compressions(form: &Form) -> &'static [&'static str] {
        match form.transport {
            Transport::Http => &["none", "gzip", "zstd"],
            Transport::Grpc => &["none", "gzip"],
        }
    }

    /// Hands it the body of a request in JSON that came in another way.
    pub(crate) fn read(&self, path: &str, body: &str) {
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        self.ask(&format!("POST {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n{body}"));
    }

    fn ask(&self, request: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.ports[0])).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        body.to_owned()
    }

    /// What came since this was asked before.
    pub(crate) fn decoded(&self) -> Decoded {
        let body = self.ask("GET /received HTTP/1.1\r\nconnection: close\r\n\r\n");
        let mut decoded = Decoded { all: serde_json::from_str(&body).unwrap(), ..Decoded::default() };
        for request in &decoded.all {
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
    /// Those with items, which is not that of the check at the start.
    pub(crate) fn requests(&self, path: &str) -> impl Iterator<Item = &Value> {
        let has_items = |request: &Value| {
            let mut lists = request.as_object().unwrap().values();
            lists.any(|list| list.as_array().is_some_and(|list| !list.is_empty()))
        };
        self.all.iter().filter(move |it| it["path"] == path && has_items(&it["request"]))
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
