//! netdata, a second server of StatsD with a reader of its own: what it shows is what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};
use tempfile::TempDir;

use super::{flush, to};
use crate::servers::{get, until};

struct Netdata {
    web: u16,
    port: u16,
    _process: Process,
    _directory: TempDir,
}

/// It measures nothing by itself.
fn config(directory: &str, web: u16, port: u16) -> String {
    let folders = ["config", "stock config", "log", "cache", "lib", "plugins"]
        .map(|name| format!("{name} = {directory}/{}\n", name.replace(' ', "-")));
    let off = [
        "timex",
        "checks",
        "idlejitter",
        "tc",
        "diskspace",
        "proc",
        "cgroups",
        "slabinfo",
        "enable running new plugins",
    ]
    .map(|name| format!("{name} = no\n"));
    format!(
        "[db]\nmode = ram\nupdate every = 1\n[directories]\n{}[logs]\ndebug = none\naccess = none\nerror = none\n\
         [web]\ndefault port = {web}\nbind to = 127.0.0.1\n[plugins]\n{}statsd = yes\n\
         [statsd]\nenabled = yes\nbind to = udp:127.0.0.1:{port} tcp:127.0.0.1:{port}\nupdate every (flushInterval) = 1\n\
         [ml]\nenabled = no\n[health]\nenabled = no\n[registry]\nenabled = no\n",
        folders.concat(),
        off.concat()
    )
}

impl Netdata {
    fn start() -> Option<Self> {
        if !succeeds(Command::new("netdata").arg("-V")) {
            return missing("netdata");
        }
        let directory = TempDir::new().unwrap();
        let path = directory.path().to_str().unwrap();
        ["config", "stock-config", "log", "cache", "lib", "plugins"]
            .iter()
            .for_each(|name| fs::create_dir(directory.path().join(name)).unwrap());
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let file = directory.path().join("netdata.conf");
        let (process, [web, port]) = on_free_ports(|[web, port]| {
            fs::write(&file, config(path, web, port)).unwrap();
            let mut command = Command::new("netdata");
            command.args(["-D", "-u", user.trim(), "-c"]).arg(&file);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        let netdata = Self { web, port, _process: process, _directory: directory };
        // Before that it loses what it is sent, though it listens.
        until("netdata begins", || {
            let all = netdata.get("/api/v1/charts").unwrap_or_default();
            if all["charts"]["netdata.statsd_metrics"].is_object() { Ok(()) } else { Err(all.to_string()) }
        });
        Some(netdata)
    }

    fn get(&self, path: &str) -> Option<Value> {
        serde_json::from_str(&get(self.web, path).ok()?).ok()
    }

    /// The charts of what it was sent.
    fn charts(&self) -> BTreeSet<String> {
        let all = self.get("/api/v1/charts").unwrap_or_default();
        let names = all["charts"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| name.starts_with("statsd_")).collect()
    }

    /// What a chart has shown until now, in each second that it had something to show.
    fn shown(&self, chart: &str) -> Vec<BTreeMap<String, f64>> {
        let data = self.get(&format!("/api/v1/data?chart={chart}&after=-60&format=json")).unwrap_or_default();
        let of = |part: &str| data[part].as_array().cloned().unwrap_or_default();
        let labels = of("labels");
        let second = |values: &Value| -> BTreeMap<String, f64> {
            let all = labels.iter().zip(values.as_array().into_iter().flatten());
            let numbers =
                all.filter_map(|(label, value)| Some((label.as_str()?.to_owned(), value.as_f64()?)));
            numbers.filter(|(label, _)| label != "time").collect()
        };
        of("data").iter().map(second).filter(|second| !second.is_empty()).collect()
    }
}

#[test]
fn netdata_shows_what_was_recorded() {
    let Some(netdata) = Netdata::start() else { return };
    for name in ["udp", "tcp"] {
        let url = format!("statsd+{name}://127.0.0.1:{}?tags_in_name=none&prefix={name}", netdata.port);
        let collector = to(&url);
        collector.counter("orders").add(12);
        collector.gauge("heat").set(-21.5);
        collector.gauge("heat").set(-20.25);
        collector.up_down_counter("open").add(-3);
        let timer = collector.timer("took");
        (0..300).for_each(|_| timer.record(Duration::from_millis(30)));
        (0..3).for_each(|_| timer.record(Duration::from_micros(12_500)));
        flush(&collector);
        drop(collector);
        check(&netdata, name);
    }
    let kinds = ["heat_gauge", "open_gauge", "orders_counter", "took_timer"];
    // What it could not read would be a meter.
    let all = ["tcp", "udp"].iter().flat_map(|by| kinds.map(|kind| format!("statsd_{by}.{kind}")));
    assert_eq!(netdata.charts(), all.collect::<BTreeSet<String>>());
    let events = netdata.shown("netdata.statsd_events");
    assert!(!events.is_empty());
    assert!(events.iter().all(|second| second["unknown"] == 0.0 && second["errors"] == 0.0), "{events:?}");
}

fn check(netdata: &Netdata, name: &str) {
    let chart = |part: &str| {
        until(part, || {
            let charts = netdata.charts();
            let chart = charts.iter().find(|chart| chart.contains(&format!("_{name}.{part}")));
            let shown = chart.map(|chart| netdata.shown(chart)).unwrap_or_default();
            // A counter is 0 again in the second after that in which it came.
            if shown.len() > 1 {
                return Ok(shown);
            }
            // Asked all the time, it finds none to make a chart: who reads them holds its lock.
            thread::park_timeout(Duration::from_millis(100));
            Err(format!("{charts:?}"))
        })
    };
    for (gauge, value) in [("heat", -20.25), ("open", -3.0)] {
        let shown = chart(gauge);
        assert!(shown.iter().all(|second| second.get("gauge").is_none_or(|is| *is == value)), "{shown:?}");
        assert!(shown.iter().any(|second| second.contains_key("gauge")), "{shown:?}");
    }
    let shown = chart("orders");
    assert_eq!(shown.iter().filter_map(|second| second.get("counter")).sum::<f64>(), 12.0, "{shown:?}");
    let shown = chart("took");
    let timer = shown.iter().find(|second| second.get("max").is_some_and(|max| *max > 0.0)).unwrap();
    assert_eq!((timer["min"], timer["max"]), (12.5, 30.0), "{shown:?}");
    // It takes lines with a rate for as many values as they stand for.
    let mean = (300.0 * 30.0 + 3.0 * 12.5) / 303.0;
    assert!((timer["average"] / mean - 1.0).abs() < 0.01, "{shown:?}");
}
