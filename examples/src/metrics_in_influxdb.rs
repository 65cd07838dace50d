//! What a program measures in `InfluxDB`, and, to look closer, its events beside it. With 1.x on this machine:
//!
//! ```sh
//! influxd &
//! until influx -execute 'CREATE DATABASE shop'; do sleep 1; done
//! cargo run -p telemetry-examples --bin metrics_in_influxdb
//! influx -database shop -execute 'SELECT outcome, p50, p99, max FROM "price.duration"'
//! ```
//!
//! With 2.x or 3.x, and a token in `INFLUX_TOKEN`:
//!
//! ```sh
//! export TELEMETRY_EXPORT_ENDPOINTS='influxdb+https://HOST?org=me&bucket=shop&token=$INFLUX_TOKEN&compression=gzip&events=true'
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telemetry_layer::model::DataPoint;
use telemetry_layer::prelude::*;

/// Counted and timed, by outcome.
#[time_me(name = "price.duration", outcome)]
fn price(item: u64) -> Result<u64, String> {
    match item % 10 {
        0 => {
            tracing::warn!(item, "sold out");
            Err("sold out".to_owned())
        }
        _ => Ok((0..item * 10_000).fold(0, |sum, n| sum ^ n)),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = "influxdb://localhost:8086?db=shop&events=true";
    let builder = Collector::builder().service("shop", "1.0").default_endpoint(url);
    let telemetry = telemetry_layer::init_with(builder)?;

    for item in 1..100 {
        if price(item).is_ok() {
            counter("orders").with(&[("source", "till-1")]).inc();
        }
        gauge("stock").set(100 - item);
    }
    // What was measured elsewhere, at its own time.
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    let nanos = u64::try_from(hour_ago.duration_since(UNIX_EPOCH)?.as_nanos())?;
    telemetry.send([DataPoint::new("turnover", 1234.5).at(nanos)])?;

    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
