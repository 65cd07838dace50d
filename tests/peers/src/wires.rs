//! Group 7: data points as lines of the older backends, 10,000 at once: what was added to counters with two tags of their own and one
//! of the program, from what an exporter is given to the bytes of its requests.

mod formatted;
mod peers;
mod statsd;

use crate::case::{Case, Count, Entries};
use std::hint::black_box as bb;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_layer::exporters::Route;
use telemetry_layer::model::Temporality;
use telemetry_layer::{Batch, Collector, Signal, counter};

pub const STATSD: &str = "wire statsd";

pub const OURS: &str = "telemetry";
/// What one writes who needs no crate: `write!` with a format string for each point, of names that need no escape.
pub const FORMATTED: &str = "format string";
/// A client that formats each measurement by itself; here one for each point.
pub const CADENCE: &str = "cadence, count_with_tags";

/// Points a burst.
const N: u64 = 10_000;
/// They are those of so many metrics.
const METRICS: u64 = 100;

/// Of the program, on all points.
const SERVICE: (&str, &str) = ("service.name", "shop");
const REGION: (&str, &str) = ("region", "eu-west");

/// A point as those have it who write it themselves.
struct Point {
    name: String,
    host: String,
    value: u64,
}

fn points() -> Vec<Point> {
    let of = |n: u64| Point {
        name: format!("requests.{}", n / (N / METRICS)),
        host: format!("host{}", n % (N / METRICS)),
        value: 1 + n % 7,
    };
    (0..N).map(of).collect()
}

/// The same as an exporter is given them.
fn batches() -> Vec<Batch> {
    let all: Arc<Mutex<Vec<Batch>>> = Arc::default();
    let taken = all.clone();
    let take = move |batch: &Batch| {
        if batch.signal() == Signal::Metrics {
            taken.lock().unwrap().push(batch.clone());
        }
    };
    let deltas = Route::new(take).temporality(Temporality::Delta);
    let builder = Collector::builder().ignore_env().service(SERVICE.1, "").detect([]).buffer_size(1 << 20);
    let collector = builder.exporter(deltas).start().unwrap();
    collector.scoped(|| {
        for point in points() {
            let name: &str = point.name.leak();
            counter(name).with(&[("host", &*point.host), REGION]).add(point.value);
        }
    });
    assert!(collector.flush(Duration::from_secs(60)).is_complete());
    let all = std::mem::take(&mut *all.lock().unwrap());
    assert_eq!(all.iter().map(|batch| batch.len() as u64).sum::<u64>(), N, "points");
    all
}

/// Writes all points each time, into memory that is used again; how many bytes that is.
fn case(f: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Case {
    let bytes = Count::default();
    let (seen, state) = (bytes.clone(), Mutex::new((Vec::new(), f)));
    let run = move |_| {
        let (body, f) = &mut *state.lock().expect("nobody panicked");
        body.clear();
        f(body);
        bytes.add(bb(&*body).len() as u64);
    };
    Case::new(N, run).verify(move |_, runs| format!("{:.1} bytes each", seen.get() as f64 / runs as f64 / N as f64))
}

pub fn add(e: &mut Entries) {
    statsd::add(e);
    formatted::add(e);
    peers::add(e);
}
