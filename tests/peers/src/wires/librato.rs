//! Librato's gauges, which have a source and no tags.

use super::{Given, OURS, Read, SECOND, Wire, Write, kept};
use crate::wires::opentsdb::SERDE;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use telemetry_core::__private::librato::Writer;

pub const OP: &str = "wire librato";
/// As clients of Librato do, which takes one value of a name, a source and a second: they add them up.
pub const ADDED_UP: &str = "HashMap, serde_json";

pub(super) const WIRE: Wire = Wire {
    what: OP,
    writers: &[(OURS, ours), (ADDED_UP, added_up), (SERDE, derived)],
    read,
    want: |point| Read::new(&point.name, [("source", &*point.host)], point.value as f64, Some(point.time / SECOND)),
};

fn ours(given: Given) -> Write {
    let writer = Writer::default().source_tag("host");
    given.encode(move |batch, body| writer.write(batch, usize::MAX, body))
}

#[derive(Serialize)]
struct Request<'a> {
    gauges: Vec<Gauge<'a>>,
}

#[derive(Serialize)]
struct Gauge<'a> {
    name: &'a str,
    source: &'a str,
    measure_time: u64,
    value: u64,
}

fn added_up(given: Given) -> Write {
    kept(move |body| {
        for points in &given.points {
            let mut sums: HashMap<(&str, &str, u64), u64> = HashMap::with_capacity(points.len());
            for point in points {
                *sums.entry((&point.name, &point.host, point.time / SECOND)).or_default() += point.value;
            }
            let gauges = sums.into_iter().map(|((name, source, measure_time), value)| Gauge {
                name,
                source,
                measure_time,
                value,
            });
            serde_json::to_writer(&mut *body, &Request { gauges: gauges.collect() }).expect("memory");
        }
    })
}

fn derived(given: Given) -> Write {
    kept(move |body| {
        for points in &given.points {
            let gauges = points.iter().map(|point| Gauge {
                name: &point.name,
                source: &point.host,
                measure_time: point.time / SECOND,
                value: point.value,
            });
            serde_json::to_writer(&mut *body, &Request { gauges: gauges.collect() }).expect("memory");
        }
    })
}

fn read(body: &str) -> Vec<Read> {
    let of = |gauge: &Value| {
        let source = [("source", gauge["source"].as_str()?)];
        let (value, time) = (gauge["value"].as_f64()?, gauge["measure_time"].as_u64()?);
        Some(Read::new(gauge["name"].as_str()?, source, value, Some(time)))
    };
    let requests = serde_json::Deserializer::from_str(body).into_iter::<Value>();
    let gauges = requests.flat_map(|request| request.expect("JSON")["gauges"].as_array().expect("a list").clone());
    gauges.map(|gauge| of(&gauge).expect("a gauge")).collect()
}
