//! Counters, timers and gauges of a program at Librato, once a minute and when it ends; what is less severe than `info` stays here.
//!
//! ```sh
//! export LIBRATO_TOKEN=..
//! export TELEMETRY_EXPORT_ENDPOINTS='librato://USER:$LIBRATO_TOKEN@metrics-api.librato.com?names=jobs.*&min_level=info&flush_interval_ms=60000'
//! cargo run -p telemetry-examples --bin to_librato
//! ```
//!
//! The `@` of a user who is an address is written `%40`. Whatever else speaks Librato's API of metrics with sources does, for
//! instance at `librato+http://USER:TOKEN@localhost:8000`.

use std::time::Duration;

use telemetry_layer::prelude::*;
use telemetry_layer::{count, gauge};

/// The tag `source` is the source.
#[count_me(level = "info", name = "jobs.done", source = "mail")]
#[time_me(level = "info", name = "jobs.time")]
fn work(letters: u64) -> u64 {
    count!("jobs.letters", letters, level = "info", source = "mail");
    count!("jobs.looked_at", 1, level = "debug");
    letters / 2
}

fn main() -> Result<(), telemetry_layer::Error> {
    let telemetry = telemetry_layer::init_with(Collector::builder().service("post-office", "1"))?;
    for letters in 1..=3 {
        let left = work(letters);
        gauge!("jobs.left", left, level = "error");
    }
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
