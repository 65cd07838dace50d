//! Etsy's StatsD, as npm has it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use telemetry_tests::SOON;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};

use crate::servers::until;
use tempfile::TempDir;

/// Where `.ci/run` has put what npm has, or somebody else by `npm install statsd statsd-parser`.
pub(super) fn modules() -> Option<PathBuf> {
    let modules = top().join("target/node/node_modules");
    let are_there =
        ["statsd/stats.js", "statsd-parser/index.js"].iter().all(|file| modules.join(file).exists());
    if are_there { Some(modules) } else { missing("StatsD and statsd-parser of npm") }
}

pub(super) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A server with ports of its own.
pub(super) struct Etsy {
    process: Process,
    /// Of UDP and of TCP.
    pub(super) port: u16,
    admin: u16,
    directory: TempDir,
}

/// All that it had in the end.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) counters: BTreeMap<String, f64>,
    pub(super) gauges: BTreeMap<String, f64>,
    /// How many values, as the server counts.
    pub(super) timers: BTreeMap<String, f64>,
    /// What it says of them: `mean`, `upper_90` and the like.
    pub(super) timer_data: BTreeMap<String, Value>,
}

impl Etsy {
    pub(super) fn start() -> Option<Self> {
        Self::start_at(None)
    }

    /// Of UDP at that address, if it is told one.
    pub(super) fn start_at(udp: Option<SocketAddr>) -> Option<Self> {
        let modules = modules()?;
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("config.json");
        let (process, [port, admin]) = on_free_ports(|[free, admin]| {
            let here = "127.0.0.1";
            let udp = udp.unwrap_or_else(|| ([127, 0, 0, 1], free).into());
            let servers = json!([
                {"server": "./servers/udp", "address": udp.ip(), "port": udp.port()},
                {"server": "./servers/tcp", "address": here, "port": free},
                {"server": "./servers/tcp", "socket": directory.path().join("stream.sock")},
            ]);
            // It flushes when it ends, and not before.
            let all = json!({
                "servers": servers, "mgmt_address": here, "mgmt_port": admin, "flushInterval": 86_400_000,
                "backends": [top().join("tests/support/statsd_backend.cjs")], "dumpTo": dump(&directory),
                "percentThreshold": [50, 90, 99], "title": false,
            });
            fs::write(&config, all.to_string()).unwrap();
            let mut command = Command::new("node");
            command.arg("--no-deprecation").arg(modules.join("statsd/stats.js")).arg(&config);
            command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
            command
        });
        Some(Self { process, port, admin, directory })
    }

    pub(super) fn stream_socket(&self) -> PathBuf {
        self.directory.path().join("stream.sock")
    }

    /// What its administrator is told.
    fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        writeln!(stream, "{command}").unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.take_while(|line| line != "END").collect()
    }

    /// Waits until it has a counter or a gauge of that name.
    pub(super) fn wait_for(&self, name: &str) {
        until(name, || {
            let all = self.ask("counters") + &self.ask("gauges");
            let is_there = all.contains(&format!("'{name}'")) || all.contains(&format!(" {name}:"));
            if is_there { Ok(()) } else { Err(all) }
        });
    }

    /// The value of a gauge, once it is another one than `before`.
    pub(super) fn next_gauge(&self, name: &str, before: Option<f64>) -> f64 {
        until(name, || {
            let all = self.ask("gauges");
            let of =
                |name: &str| Some(all.split_once(name)?.1.split([',', '}']).next()?.trim().parse().unwrap());
            let found: Option<f64> = of(&format!("'{name}':")).or_else(|| of(&format!(" {name}:")));
            found.filter(|value| Some(*value) != before).ok_or(all)
        })
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Seen {
        assert!(succeeds(Command::new("kill").args(["-TERM", &self.process.0.id().to_string()])));
        self.process.0.wait().unwrap();
        let dump = fs::read_to_string(dump(&self.directory)).unwrap();
        let all: Value = serde_json::from_str(dump.lines().next_back().unwrap()).unwrap();
        let numbers = |part: &str| {
            let of = |(name, value): (&String, &Value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN));
            all[part].as_object().unwrap().iter().map(of).collect()
        };
        let timer_data = all["timer_data"].as_object().unwrap().clone().into_iter().collect();
        let seen = Seen {
            counters: numbers("counters"),
            gauges: numbers("gauges"),
            timers: numbers("timer_counters"),
            timer_data,
        };
        assert_eq!(seen.counters["statsd.bad_lines_seen"], 0.0, "{seen:#?}");
        seen
    }
}

impl Seen {
    /// Without what it says of itself.
    pub(super) fn own(mut self) -> Self {
        self.counters.retain(|name, _| !name.starts_with("statsd."));
        self.gauges.retain(|name, _| !name.starts_with("statsd."));
        self
    }
}

fn dump(directory: &TempDir) -> PathBuf {
    directory.path().join("dump.jsonl")
}
