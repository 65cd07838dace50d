//! How far a job of the night is, on a dashboard of Graphite, or of whatever takes its lines:
//!
//! ```sh
//! victoria-metrics -storageDataPath=target/victoria -graphiteListenAddr=127.0.0.1:2003 &
//! cargo run -p telemetry-examples --bin progress_to_graphite
//! sleep 2; curl -g 'http://127.0.0.1:8428/api/v1/export?match[]={__name__=~"nightly.*"}'
//! ```
//!
//! Elsewhere: `TELEMETRY_EXPORT_ENDPOINTS='graphite+tls://HOST?prefix=nightly&flush_interval_ms=60000'`.

use std::thread;
use std::time::Duration;

use telemetry_layer::prelude::*;

const ROWS: u64 = 4_000;

#[time_me(name = "table")]
fn copy(rows: u64) -> u64 {
    let rows = rows.min(1_000);
    thread::sleep(Duration::from_millis(rows / 2));
    count!("rows.done", rows);
    rows
}

fn main() -> Result<(), telemetry_layer::Error> {
    // `nightly.` stands before all names. Of each step of its retention Graphite keeps the last point: where that is a minute,
    // more often is of no use.
    let url = "graphite://localhost:2003?prefix=nightly&flush_interval_ms=1000";
    let builder = Collector::builder().service("copy", "1").default_endpoint(url);
    let telemetry = telemetry_layer::init_with(builder)?;
    let mut left = ROWS;
    while left > 0 {
        gauge("rows.left").set(left);
        left -= copy(left);
    }
    gauge("rows.left").set(left);
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
