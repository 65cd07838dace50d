//! Group 7: data points for the older backends, 10,000 at once: what was added to counters with two tags of their own and one of
//! the program, from what an exporter is given to the bytes of its requests.
//!
//! All who write for a wire are given the same points, and what they wrote is read back before anything is timed.

pub mod graphite;
pub mod influxdb;
pub mod librato;
pub mod opentsdb;
pub mod statsd;

use crate::case::{Case, Count, Entries};
use std::hint::black_box as bb;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_core::__private::Encoded;
use telemetry_layer::exporters::Route;
use telemetry_layer::model::Temporality;
use telemetry_layer::{Batch, Collector, Signal, counter};

pub const OURS: &str = "telemetry";
/// What one writes who needs no crate: a format string for each point, of names that need no escape.
pub const FORMATTED: &str = "format string";

/// Points a burst.
const N: u64 = 10_000;
/// They are those of so many metrics.
const METRICS: u64 = 100;
/// Points of a request: Librato takes no more.
const REQUEST: usize = 300;

/// Of the program, on all points.
const SERVICE: (&str, &str) = ("service.name", "shop");
const REGION: (&str, &str) = ("region", "eu-west");

const SECOND: u64 = 1_000_000_000;

/// A format, and who writes it.
pub struct Wire {
    pub what: &'static str,
    /// Ours is the first.
    writers: &'static [(&'static str, fn(Given) -> Write)],
    /// Reads requests back.
    read: fn(&str) -> Vec<Read>,
    /// What a point is there.
    want: fn(&Point) -> Read,
}

const ALL: [&Wire; 6] =
    [&statsd::WIRE, &graphite::WIRE, &influxdb::WIRE, &opentsdb::TELNET, &opentsdb::JSON, &librato::WIRE];

/// Writes all points, and hands over the bytes.
type Write = Box<dyn FnMut(&mut dyn FnMut(&[u8])) + Send>;

/// What is to be written.
struct Given {
    /// As an exporter is given it; each of them is a request.
    batches: Vec<Batch>,
    /// The same as those have it who write it themselves.
    points: Vec<Vec<Point>>,
}

struct Point {
    name: String,
    host: String,
    value: u64,
    /// In nanoseconds.
    time: u64,
}

/// A point as it was read back.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    name: String,
    tags: Vec<(String, String)>,
    value: u64,
    /// In the unit of the wire.
    time: Option<u64>,
}

impl Read {
    fn new<'a>(name: &str, tags: impl IntoIterator<Item = (&'a str, &'a str)>, value: f64, time: Option<u64>) -> Self {
        assert_eq!(value.fract(), 0.0, "a count");
        let mut tags: Vec<_> = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        tags.sort();
        Self { name: name.into(), tags, value: value as u64, time }
    }
}

impl Point {
    fn read(&self, time: Option<u64>) -> Read {
        Read::new(&self.name, [("host", &*self.host), REGION, SERVICE], self.value as f64, time)
    }
}

/// Keys and values that such characters part.
fn pairs(text: &str, between: char, sign: char) -> impl Iterator<Item = (&str, &str)> {
    text.split(between).map(move |pair| pair.split_once(sign).expect("a key and a value"))
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

impl Given {
    fn new() -> Self {
        let all: Arc<Mutex<Vec<Batch>>> = Arc::default();
        let taken = all.clone();
        let take = move |batch: &Batch| {
            if batch.signal() == Signal::Metrics {
                taken.lock().unwrap().push(batch.clone());
            }
        };
        let deltas = Route::new(take).temporality(Temporality::Delta).max_items(REQUEST);
        let builder = Collector::builder().ignore_env().service(SERVICE.1, "").detect([]).buffer_size(1 << 20);
        let collector = builder.exporter(deltas).start().unwrap();
        collector.scoped(|| {
            for n in 0..N {
                let name: &str = format!("requests.{}", n / (N / METRICS)).leak();
                let host = format!("host{}", n % (N / METRICS));
                counter(name).with(&[("host", &*host), REGION]).add(1 + n % 7);
            }
        });
        assert!(collector.flush(Duration::from_secs(60)).is_complete());
        let batches = std::mem::take(&mut *all.lock().unwrap());
        let points: Vec<Vec<Point>> = batches
            .iter()
            .map(|batch| {
                let of = |point: telemetry_layer::metrics::MetricRef<'_>| Point {
                    name: point.name().into(),
                    host: point.tag("host").expect("a host").into(),
                    value: point.number().as_f64() as u64,
                    time: point.time_unix_nano(),
                };
                batch.metrics().map(of).collect()
            })
            .collect();
        assert_eq!(points.iter().flatten().count() as u64, N, "points");
        assert!(points.iter().all(|points| points.len() <= REQUEST));
        Self { batches, points }
    }

    /// Ours, batch by batch.
    fn encode(self, mut write: impl FnMut(&Batch, &mut Vec<u8>) -> Encoded + Send + 'static) -> Write {
        kept(move |body| {
            for batch in &self.batches {
                let encoded = write(batch, body);
                assert_eq!((encoded.items, encoded.rejected), (batch.len(), 0), "{}", encoded.reason);
            }
        })
    }

    /// Others, point by point.
    fn each(self, write: impl Fn(&mut Vec<u8>, &Point) + Send + 'static) -> Write {
        kept(move |body| self.points.iter().flatten().for_each(|point| write(body, point)))
    }
}

/// Writes into memory that is used again.
fn kept(mut write: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Write {
    let mut body = vec![];
    Box::new(move |take| {
        body.clear();
        write(&mut body);
        take(&body);
    })
}

impl Wire {
    /// Fails unless all points are read back from what is written; how many bytes that is.
    fn check(&self, given: fn(Given) -> Write) -> (Write, usize) {
        let all = Given::new();
        let mut want: Vec<Read> = all.points.iter().flatten().map(self.want).collect();
        want.sort();
        let (mut write, mut bytes) = (given(all), 0);
        write(&mut |body| {
            bytes = body.len();
            let mut read = (self.read)(std::str::from_utf8(body).expect("a text"));
            read.sort();
            assert!(read == want, "{:?} were read, as {:?}", read.first(), want.first());
        });
        (write, bytes)
    }
}

fn case(wire: &Wire, given: fn(Given) -> Write) -> Case {
    let (write, _) = wire.check(given);
    let bytes = Count::default();
    let (seen, write) = (bytes.clone(), Mutex::new(write));
    let run = move |_| write.lock().expect("nobody panicked")(&mut |body| bytes.add(bb(body).len() as u64));
    Case::new(N, run).verify(move |_, runs| format!("{:.1} bytes each", seen.get() as f64 / runs as f64 / N as f64))
}

pub fn add(e: &mut Entries) {
    for wire in ALL {
        for (who, given) in wire.writers {
            e.add(wire.what, who, || case(wire, *given));
        }
    }
}

/// Of each wire, the bytes a point of each who writes it; ours is the first.
pub fn bytes() -> impl Iterator<Item = (&'static str, Vec<(&'static str, f64)>)> {
    let of = |wire: &Wire, given| wire.check(given).1 as f64 / N as f64;
    ALL.into_iter()
        .map(move |wire| (wire.what, wire.writers.iter().map(|(who, given)| (*who, of(wire, *given))).collect()))
}
