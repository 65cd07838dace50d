//! Metrics to a StatsD server, Etsy's for instance (`npm install statsd`, `node stats.js exampleConfig.js`), or to Datadog's agent
//! with `DIALECT=datadog` and perhaps `SERVER=statsd+unix:///var/run/datadog/dsd.socket`.

use std::env::var;
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
    let server = var("SERVER").unwrap_or_else(|_| "statsd://localhost:8125".to_owned());
    let dialect = var("DIALECT").unwrap_or_else(|_| "plain".to_owned());
    let builder = Collector::builder()
        .service("shop", "1.0")
        .endpoint(format!("{server}?dialect={dialect}&prefix=shop"));
    let telemetry = telemetry_layer::init_with(builder)?;
    let takings: u64 = (1..50).map(checkout).sum();
    println!("{takings} taken");
    // `echo counters | nc -q1 localhost 8126` asks Etsy's server what it has counted.
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
