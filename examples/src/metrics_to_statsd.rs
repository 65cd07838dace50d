//! Metrics to a `StatsD` server. Etsy's prints every ten seconds what it was sent:
//!
//! ```sh
//! npm install --prefix target statsd
//! echo '{ backends: ["./backends/console"] }' > target/statsd.js
//! node target/node_modules/statsd/stats.js target/statsd.js &
//! cargo run -p telemetry-examples --bin metrics_to_statsd
//! ```
//!
//! Datadog's agent: `TELEMETRY_EXPORT_ENDPOINTS='statsd+unix:///var/run/datadog/dsd.socket?dialect=datadog&prefix=shop'`.

use std::time::Duration;

use telemetry_layer::prelude::*;

#[count_me(name = "orders", value = items)]
#[time_me(name = "checkout")]
fn checkout(items: u64) -> u64 {
    let stock = up_down_counter("stock");
    (0..items).for_each(|_| stock.add(-1));
    std::thread::sleep(Duration::from_millis(items));
    items * 5
}

fn main() -> Result<(), telemetry_layer::Error> {
    let builder =
        Collector::builder().service("shop", "1.0").default_endpoint("statsd://localhost:8125?prefix=shop");
    let telemetry = telemetry_layer::init_with(builder)?;
    let takings: u64 = (1..50).map(checkout).sum();
    println!("{takings} taken");
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
