//! The examples that have a backend, as their user runs them, each with a server that it is for. Librato's is a stand-in.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};
use telemetry_tests::receiver::LibratoStandIn;
use telemetry_tests::{SOON, ask};
use tempfile::TempDir;

/// Runs a program to its end, with that endpoint in place of its own: all is delivered.
#[track_caller]
fn run(program: &str, endpoint: &str) {
    let mut program = Command::new(program);
    let ran = program.env_remove("RUST_LOG").env("TELEMETRY_EXPORT_ENDPOINTS", endpoint).output().unwrap();
    let report = String::from_utf8_lossy(&ran.stdout);
    let is_complete = report.contains("the ledger balances") && !report.contains("not all was delivered");
    assert!(ran.status.success() && is_complete, "{ran:?}");
}

fn get(port: u16, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1");
    let (_, _, body) = ask(([127, 0, 0, 1], port).into(), &head, "").unwrap();
    String::from_utf8(body).unwrap()
}

/// Asks until `is_all` says of an answer that it is all.
#[track_caller]
fn until(mut ask: impl FnMut() -> String, is_all: impl Fn(&str) -> bool) {
    let start = Instant::now();
    loop {
        let answer = ask();
        if is_all(&answer) {
            return;
        }
        assert!(start.elapsed() < SOON, "{answer}");
        std::thread::yield_now();
    }
}

#[test]
fn metrics_and_events_are_in_influxdb() {
    if !succeeds(Command::new("influxd").arg("version")) {
        return missing("InfluxDB").unwrap_or_default();
    }
    let directory = TempDir::new().unwrap();
    let (_server, [port, _]) = on_free_ports(|[http, other]| {
        let mut command = Command::new("influxd");
        command.env("INFLUXDB_REPORTING_DISABLED", "true").env("HOME", directory.path());
        for (part, folder) in [("DATA", "data"), ("DATA_WAL", "wal"), ("META", "meta")] {
            command.env(format!("INFLUXDB_{part}_DIR"), directory.path().join(folder));
        }
        command.env("INFLUXDB_HTTP_BIND_ADDRESS", format!("127.0.0.1:{http}"));
        command.env("INFLUXDB_BIND_ADDRESS", format!("127.0.0.1:{other}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
    let made = "POST /query?q=CREATE+DATABASE+shop HTTP/1.0\r\nhost: 127.0.0.1";
    assert_eq!(ask(([127, 0, 0, 1], port).into(), made, "").unwrap().0, 200);
    let url = format!("influxdb://127.0.0.1:{port}?db=shop&events=true");
    run(env!("CARGO_BIN_EXE_metrics_in_influxdb"), &url);
    for (query, number) in [
        ("last(value) FROM orders WHERE source='till-1'", json!(90)),
        ("last(value) FROM stock", json!(1)),
        ("sum(count) FROM \"price.duration\" WHERE outcome='ok'", json!(90)),
        ("sum(count) FROM \"price.duration\" WHERE outcome='error'", json!(9)),
        ("last(value) FROM turnover WHERE time < now() - 59m", json!(1234.5)),
        ("count(message) FROM events WHERE level='warn'", json!(9)),
    ] {
        let encoded = query.replace(' ', "+").replace('"', "%22").replace('\'', "%27").replace('<', "%3C");
        let answer: Value =
            serde_json::from_str(&get(port, &format!("/query?db=shop&q=SELECT+{encoded}"))).unwrap();
        let found = &answer["results"][0]["series"][0]["values"][0][1];
        assert_eq!(*found, number, "{query}: {answer}");
    }
}

/// VictoriaMetrics, with its ports of HTTP, of OpenTSDB's and of Graphite's lines.
fn victoria_metrics() -> Option<(Process, TempDir, [u16; 3])> {
    if !succeeds(Command::new("victoria-metrics").arg("-version")) {
        return missing("victoria-metrics");
    }
    let directory = TempDir::new().unwrap();
    let (process, ports) = on_free_ports(|[http, opentsdb, graphite]| {
        let mut command = Command::new("victoria-metrics");
        command.arg(format!("-storageDataPath={}", directory.path().display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{http}"));
        command.arg(format!("-opentsdbListenAddr=127.0.0.1:{opentsdb}"));
        command.arg(format!("-graphiteListenAddr=127.0.0.1:{graphite}"));
        command.args(["-memory.allowedBytes=256MB", "-loggerLevel=ERROR"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
    Some((process, directory, ports))
}

/// Waits until a series is there of which the values are as `is_all` says.
#[track_caller]
fn series(port: u16, name: &str, is_all: impl Fn(&[f64]) -> bool) -> Value {
    let ask = || {
        get(port, "/internal/force_flush");
        get(port, &format!("/api/v1/export?match[]={name}"))
    };
    until(ask, |answer| {
        let read: Value = serde_json::from_str(answer.trim_end()).unwrap_or_default();
        let values = read["values"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        is_all(&values.collect::<Vec<_>>())
    });
    let mut found: Value = serde_json::from_str(ask().trim_end()).unwrap();
    found["metric"].take()
}

#[test]
fn a_day_is_in_opentsdb() {
    let Some((_server, _directory, [http, opentsdb, _])) = victoria_metrics() else { return };
    run(env!("CARGO_BIN_EXE_backfill"), &format!("opentsdb://127.0.0.1:{opentsdb}"));
    let tags = series(http, "greenhouse.temperature", |values| values.len() == 96);
    assert_eq!(
        [&tags["sensor"], &tags["unit"], &tags["service.name"]],
        [&json!("north"), &json!("celsius"), &json!("greenhouse")]
    );
}

#[test]
fn progress_is_in_graphite() {
    let Some((_server, _directory, [http, _, graphite])) = victoria_metrics() else { return };
    let url = format!("graphite://127.0.0.1:{graphite}?prefix=nightly&flush_interval_ms=1000");
    run(env!("CARGO_BIN_EXE_progress_to_graphite"), &url);
    series(http, "nightly.rows.left", |values| values.contains(&0.0));
    series(http, "nightly.rows.done", |values| values.contains(&4_000.0));
    let tags = series(http, "nightly.table.count", |values| values.iter().sum::<f64>() == 4.0);
    assert_eq!(tags["service.name"], "copy");
}

#[test]
fn metrics_are_in_statsd() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/node/node_modules");
    let program = modules.join("statsd/stats.js");
    if !program.exists() {
        return missing("StatsD of npm").unwrap_or_default();
    }
    let directory = TempDir::new().unwrap();
    let (_server, [port, admin]) = on_free_ports(|[port, admin]| {
        let here = "127.0.0.1";
        let servers = ["udp", "tcp"]
            .map(|by| json!({"server": format!("./servers/{by}"), "address": here, "port": port}));
        // It flushes when the day is over, and not before.
        let config = json!({
            "servers": servers, "mgmt_address": here, "mgmt_port": admin, "flushInterval": 86_400_000,
            "backends": [], "title": false,
        });
        let file = directory.path().join("statsd.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("node");
        command.arg("--no-deprecation").arg(&program).arg(file).current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    });
    run(env!("CARGO_BIN_EXE_metrics_to_statsd"), &format!("statsd://127.0.0.1:{port}?prefix=shop"));
    for (kind, line) in [
        ("counters", "'shop.orders.service_name.shop': 1225"),
        ("gauges", "'shop.stock.service_name.shop': -1225"),
    ] {
        until(|| said(admin, kind), |answer| answer.contains(line));
    }
}

/// What Etsy's server says to its administrator.
fn said(admin: u16, command: &str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", admin)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    writeln!(stream, "{command}").unwrap();
    BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| line != "END").collect()
}

#[test]
fn metrics_are_at_librato() {
    let librato = LibratoStandIn::start();
    let terms = "names=jobs.*&min_level=info&flush_interval_ms=60000";
    run(env!("CARGO_BIN_EXE_to_librato"), &librato.url(terms));
    let gauges = librato.gauges();
    let all = |name: &str| -> Vec<_> {
        let of_name = gauges.iter().filter(|of| of["name"] == name);
        let number = |of: &Value| of.get("value").or(of.get("count")).unwrap().as_u64().unwrap();
        of_name.map(|of| (of["source"].as_str().unwrap(), number(of))).collect()
    };
    assert_eq!(all("jobs.done"), [("mail", 3)]);
    assert_eq!(all("jobs.letters"), [("mail", 6)]);
    assert_eq!(all("jobs.time"), [("post-office", 3)]);
    assert_eq!(all("jobs.left"), [("post-office", 1)]);
    assert_eq!(all("jobs.looked_at"), []);
}
