//! rotel, a receiver that prints what it gets: all of an item but the flags of spans and links and how much was cut. Its reader
//! of JSON refuses NaN and infinities, and loses points with whole numbers, which all histograms have.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use telemetry_tests::SOON;
use telemetry_tests::process::{Process, missing, on_free_ports};

use crate::expected::Expected;
use crate::export;
use crate::forms::in_each_form;
use crate::printed::{printed, shown};
use crate::scenarios::finite;
use crate::servers::{Certificates, Nginx, output};

struct Rotel {
    /// For HTTP and for gRPC.
    ports: [u16; 2],
    lines: Receiver<String>,
    _process: Process,
    _directory: tempfile::TempDir,
}

/// Where the package has its program.
const FIND: &str =
    "from importlib.util import find_spec as f; print(f('rotel').submodule_search_locations[0])";

impl Rotel {
    /// None where it is not installed.
    fn start() -> Option<Self> {
        let Some(package) = output(Command::new("python3").args(["-c", FIND])) else {
            return missing("Python's `rotel`");
        };
        let directory = tempfile::tempdir().unwrap();
        let (mut process, ports) = on_free_ports(|[http, grpc]| {
            let mut command = Command::new(format!("{}/rotel-agent", package.trim()));
            command.args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"]);
            for signal in ["traces", "metrics", "logs"] {
                command.args(["--debug-log", signal]);
            }
            command.arg("--otlp-http-endpoint").arg(format!("127.0.0.1:{http}"));
            command.arg("--otlp-grpc-endpoint").arg(format!("127.0.0.1:{grpc}"));
            command.arg("--pid-file").arg(directory.path().join("pid"));
            command.arg("--log-file").arg(directory.path().join("log"));
            // What it says of itself would stand between the items.
            command.env("RUST_LOG", "off").current_dir(directory.path()).stdout(Stdio::piped());
            command
        });
        let (send, lines) = channel();
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                if send.send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Some(Self { ports, lines, _process: process, _directory: directory })
    }

    /// Waits until it has printed what was expected: it prints after it answered.
    #[track_caller]
    fn prints(&self, expected: &Expected) {
        let (start, mut lines, expected) = (Instant::now(), Vec::new(), shown(expected));
        let mut items: Vec<String> = Vec::new();
        while items != expected {
            let Ok(line) = self.lines.recv_timeout(SOON.saturating_sub(start.elapsed())) else {
                let missing: Vec<_> = expected.iter().filter(|item| !items.contains(item)).collect();
                let wrong: Vec<_> = items.iter().filter(|item| !expected.contains(item)).collect();
                panic!("missing: {missing:#?}\nand too much: {wrong:#?}");
            };
            lines.push(line);
            lines.extend(self.lines.try_iter());
            items = printed(&lines);
        }
        for line in ["     -> service.name: Str(größe)", "     -> env: Str(test)"] {
            assert!(lines.iter().filter(|of| *of == line).count() >= 3, "{line}: in each request");
        }
    }
}

#[test]
fn rotel_reads_what_was_recorded() {
    in_each_form(|form| {
        for compression in ["none", "gzip"] {
            let Some(rotel) = Rotel::start() else { return };
            let url = form.url(rotel.ports, None, compression);
            rotel.prints(&Expected::of(&export(&url, finite::of(form))));
        }
    });
}

#[test]
fn rotel_behind_tls_and_http_2_reads_what_was_recorded() {
    in_each_form(|form| {
        let Some(rotel) = Rotel::start() else { return };
        let certificates = Certificates::new();
        let Some(nginx) = Nginx::before(rotel.ports, &certificates) else { return };
        let url = form.url([nginx.port; 2], Some(&certificates), "gzip");
        rotel.prints(&Expected::of(&export(&url, finite::of(form))));
        nginx.saw(form, "gzip");
    });
}
