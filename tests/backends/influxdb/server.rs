//! `InfluxDB` 1.6 on ports of its own, with authentication.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};
use telemetry_tests::{SOON, ask};

use super::expected::{Field, Line};

pub(super) const PASSWORD: &str = "hush-hush %";

pub(super) struct Server {
    pub(super) port: u16,
    directory: tempfile::TempDir,
    process: Option<Process>,
}

impl Server {
    /// None where it is not installed.
    pub(super) fn start() -> Option<Self> {
        if !succeeds(Command::new("influxd").arg("version")) {
            return missing("InfluxDB");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [port, _]) = on_free_ports(|ports| {
            fs::write(directory.path().join("config"), config(directory.path(), ports)).unwrap();
            command(directory.path())
        });
        let server = Self { port, directory, process: Some(process) };
        let user = format!("CREATE USER me WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES");
        server.ask("POST", "query", &[("q", &user)], "");
        Some(server)
    }

    /// It is gone, whatever it was doing.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    /// The same one begins anew, with what it had.
    pub(super) fn begin(&mut self) {
        self.process = Some(Process::start(&mut command(self.directory.path())));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < SOON, "it does not begin");
            std::thread::yield_now();
        }
    }

    pub(super) fn create(&self, database: &str) {
        self.ask("POST", "query", &[("q", &format!("CREATE DATABASE \"{database}\""))], "");
    }

    pub(super) fn remove(&self, database: &str) {
        self.ask("POST", "query", &[("q", &format!("DROP DATABASE \"{database}\""))], "");
    }

    pub(super) fn url(&self, database: &str, options: &str) -> String {
        let password = PASSWORD.replace('%', "%25").replace(' ', "%20");
        format!("influxdb://me:{password}@127.0.0.1:{}?db={database}{options}", self.port)
    }

    /// The results of a query.
    #[track_caller]
    pub(super) fn query(&self, database: &str, query: &str) -> Value {
        let answer = self.ask("GET", "query", &[("db", database), ("epoch", "ns"), ("q", query)], "");
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
        assert!(answer["results"][0]["error"].is_null(), "{answer}");
        answer["results"].take()
    }

    pub(super) fn write(&self, database: &str, line: &str) {
        self.ask("POST", "write", &[("db", database)], line);
    }

    /// All that it has.
    #[track_caller]
    pub(super) fn lines(&self, database: &str) -> Vec<Line> {
        let results = self.query(database, "SELECT * FROM /.*/ GROUP BY *");
        let mut lines = Vec::new();
        for series in results[0]["series"].as_array().into_iter().flatten() {
            let columns: Vec<_> = series["columns"].as_array().unwrap().iter().map(text).collect();
            assert_eq!(columns[0], "time");
            let all = series["tags"].as_object().into_iter().flatten();
            // Those that others of the measurement have, and this one not, are empty.
            let tags: BTreeMap<_, _> = all
                .map(|(key, value)| (key.clone(), text(value)))
                .filter(|(_, value)| !value.is_empty())
                .collect();
            for values in series["values"].as_array().unwrap() {
                let values = values.as_array().unwrap();
                let fields = columns.iter().zip(values).skip(1).filter(|(_, value)| !value.is_null());
                lines.push(Line {
                    name: text(&series["name"]),
                    tags: tags.clone(),
                    fields: fields.map(|(key, value)| (key.clone(), Field::of(key, value))).collect(),
                    time: values[0].as_u64().unwrap(),
                });
            }
        }
        lines
    }

    /// What it answers to a request, which it has to take.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, options: &[(&str, &str)], body: &str) -> String {
        let options: Vec<_> = [("u", "me"), ("p", PASSWORD)]
            .iter()
            .chain(options)
            .map(|(key, value)| format!("{key}={}", escaped(value)))
            .collect();
        let (status, answer) = asked(self.port, method, &format!("/{path}?{}", options.join("&")), body);
        assert!(matches!(status, 200 | 204), "{path}: {status} {answer}");
        answer
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn command(directory: &std::path::Path) -> Command {
    let mut command = Command::new("influxd");
    command.arg("-config").arg(directory.join("config"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn config(directory: &std::path::Path, [http, rpc]: [u16; 2]) -> String {
    let directory = directory.display();
    format!(
        r#"reporting-disabled = true
        bind-address = "127.0.0.1:{rpc}"
        [meta]
          dir = "{directory}/meta"
        [data]
          dir = "{directory}/data"
          wal-dir = "{directory}/wal"
        [http]
          bind-address = "127.0.0.1:{http}"
          auth-enabled = true
          log-enabled = false
        [monitor]
          store-enabled = false"#
    )
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// The status and the body of an answer.
#[track_caller]
pub(super) fn asked(port: u16, method: &str, target: &str, body: &str) -> (u16, String) {
    // Of HTTP/1.0 the body comes as it is.
    let head = format!("{method} {target} HTTP/1.0\r\nhost: h\r\ncontent-length: {}", body.len());
    let (status, _, body) = ask(([127, 0, 0, 1], port).into(), &head, body).unwrap();
    (status, String::from_utf8(body).unwrap())
}
