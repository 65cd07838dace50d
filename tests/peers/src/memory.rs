//! What a series of ours costs in memory; and how much a process has.

use crate::child;
use crate::meters::telemetry::install;
use serde_json::{Value, json};
use std::sync::Barrier;
use telemetry_layer::{Collector, Config, counter, histogram};

const SERIES: usize = 10_000;
const KINDS: [&str; 2] = ["counter", "histogram"];

/// Bytes in use: what the allocator gave out, and what is resident.
#[derive(Clone, Copy)]
pub struct Bytes {
    pub allocated: f64,
    resident: f64,
}

impl Bytes {
    pub fn now() -> Self {
        // SAFETY: it takes nothing and returns plain numbers.
        let info = unsafe { libc::mallinfo2() };
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let rss = rollup.lines().find_map(|l| l.strip_prefix("Rss:")).unwrap();
        let kib: f64 = rss.split_whitespace().next().unwrap().parse().unwrap();
        Self { allocated: (info.uordblks + info.hblkhd) as f64, resident: kib * 1024.0 }
    }

    fn a_series_since(self, before: Self) -> Value {
        let each = |now: f64, before: f64| ((now - before) / SERIES as f64).round() as i64;
        json!({
            "allocated": each(self.allocated, before.allocated),
            "resident": each(self.resident, before.resident),
        })
    }
}

/// Of this process, in bytes: a line of its status that is given in KiB.
pub fn of_status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Makes the series and measures; in a fresh process.
pub fn one(kind: &str) -> Value {
    let mut config = Config::default();
    config.max_series = 2 * SERIES;
    let collector = install(Collector::builder().config(config));
    let (counter, histogram) = (counter("series"), histogram("series"));
    let write_all = || {
        for i in 0..SERIES {
            let id = i.to_string();
            let tags = [("id", &*id)];
            match kind {
                "counter" => counter.with(&tags).inc(),
                "histogram" => (0..16).for_each(|v| histogram.with(&tags).record(0.003 + f64::from(v) * 0.004)),
                _ => panic!("no such kind"),
            }
        }
    };
    // What exists once for all series is not counted.
    match kind {
        "counter" => counter.inc(),
        _ => histogram.record(1),
    }
    let before = Bytes::now();
    write_all();
    let one_thread = Bytes::now();
    let (written, measured) = (Barrier::new(2), Barrier::new(2));
    let two_threads = std::thread::scope(|s| {
        s.spawn(|| {
            write_all();
            written.wait();
            measured.wait();
        });
        written.wait();
        let bytes = Bytes::now();
        measured.wait();
        bytes
    });
    let gone = Bytes::now();

    let seen = collector.snapshot();
    assert_eq!(seen.len(), SERIES + 1, "series");
    let each = if kind == "counter" { 1 } else { 16 };
    assert_eq!(seen.total("series"), (2 * SERIES * each + 1) as f64, "measurements");
    json!({
        "kind": kind,
        "one": one_thread.a_series_since(before),
        "two": two_threads.a_series_since(one_thread),
        "gone": gone.a_series_since(one_thread),
    })
}

pub fn print() {
    println!("bytes a series, of {SERIES} with one dynamic tag: allocated (resident)\n");
    println!("| series | written by one thread | more for a second thread | of that kept when it has ended |");
    println!("|---|---|---|---|");
    for kind in KINDS {
        let v = child(&["memory-one", kind]);
        if let Some(failed) = v["failed"].as_str() {
            println!("FAILED: {kind}: {failed}");
            continue;
        }
        let cell = |at: &str| format!("{} ({})", v[at]["allocated"], v[at]["resident"]);
        println!("| {kind} | {} | {} | {} |", cell("one"), cell("two"), cell("gone"));
    }
}
