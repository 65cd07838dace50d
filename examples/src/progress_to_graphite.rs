//! How far a job of the night is, on a dashboard of Graphite, or of whatever takes its lines:
//!
//! ```sh
//! victoria-metrics -graphiteListenAddr=127.0.0.1:2003 &
//! cargo run -p telemetry-examples --bin progress_to_graphite
//! curl -g 'http://127.0.0.1:8428/api/v1/export?match[]={__name__=~"nightly.*"}'
//! ```
//!
//! Another place may stand behind it: `graphite+tls://HOST:2003`, `graphite+udp://HOST`, `graphite+unix:///run/carbon.sock`.

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
    let place = std::env::args().nth(1).unwrap_or_else(|| "graphite://localhost:2003".to_owned());
    // Graphite keeps one point a second; `nightly.` stands before all names.
    let url = format!("{place}?prefix=nightly&flush_interval_ms=1000");
    let telemetry = telemetry_layer::init_with(Collector::builder().service("copy", "1").endpoint(url))?;
    let mut left = ROWS;
    while left > 0 {
        gauge("rows.left").set(left);
        left -= copy(left);
    }
    gauge("rows.left").set(left);
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
