//! Points with times of their own, as of a sensor that was out of reach for a day, into OpenTSDB or what takes its lines:
//!
//! ```sh
//! victoria-metrics -storageDataPath=target/victoria -opentsdbListenAddr=127.0.0.1:4242 &
//! cargo run -p telemetry-examples --bin backfill
//! sleep 2; curl -g 'http://127.0.0.1:8428/api/v1/export?match[]=greenhouse.temperature'
//! ```
//!
//! Elsewhere: `TELEMETRY_EXPORT_ENDPOINTS=opentsdb+http://HOST:4242`, or, for Apptuit with its token in `TELEMETRY_TOKEN`,
//! `TELEMETRY_EXPORT_ENDPOINTS=opentsdb+https://api.apptuit.ai`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telemetry_layer::Collector;
use telemetry_layer::model::{DataPoint, Tags};

const DAY: Duration = Duration::from_hours(24);
const STEP: Duration = Duration::from_mins(15);

/// What the sensor would have measured: it is warmest early in the afternoon.
fn temperature(time: Duration) -> f64 {
    let share_of_day = time.as_secs_f64() / DAY.as_secs_f64() % 1.0;
    let turn = (share_of_day - 0.35) * std::f64::consts::TAU;
    (turn.sin() * 60.0).round() / 10.0 + 18.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = Collector::builder().service("greenhouse", "1");
    let collector = builder.default_endpoint("opentsdb://localhost:4242").start()?;
    let tags = Tags::parse("sensor: north, unit: celsius")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let begin = now.saturating_sub(DAY);
    let times = (0..).map(|n| begin + n * STEP).take_while(|time| *time < now);
    let points = times.map(|time| {
        let point = DataPoint::new("greenhouse.temperature", temperature(time));
        point.tags(tags.clone()).at(time.as_nanos() as u64)
    });
    collector.send(points)?;
    // What was sent and what was not, and why.
    print!("{}", collector.shutdown(Duration::from_secs(5)));
    Ok(())
}
