//! OpenTSDB's lines of `put`, and its JSON.

use super::{FORMATTED, Given, OURS, REGION, Read, SECOND, SERVICE, Wire, Write, number, pairs};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::io::Write as _;
use telemetry_core::__private::opentsdb::{Form, Style, put_batch};

pub const LINES: &str = "wire opentsdb, telnet";
pub const OP: &str = "wire opentsdb, JSON";
/// Types whose members are those of the JSON.
pub const SERDE: &str = "serde_json, derived";

pub(super) const TELNET: Wire = Wire {
    what: LINES,
    writers: &[(OURS, |given| ours(given, Form::Lines { max_line: Form::MAX_LINE })), (FORMATTED, formatted)],
    read: read_lines,
    want,
};

pub(super) const JSON: Wire =
    Wire { what: OP, writers: &[(OURS, |given| ours(given, Form::Json)), (SERDE, derived)], read: read_json, want };

fn want(point: &super::Point) -> Read {
    point.read(Some(point.time / SECOND))
}

fn ours(given: Given, form: Form) -> Write {
    let style = Style::new(form);
    given.encode(move |batch, body| put_batch(body, batch, usize::MAX, &style))
}

fn formatted(given: Given) -> Write {
    let ((region, eu), (service, shop)) = (REGION, SERVICE);
    given.each(move |body, point| {
        let (name, host, value, time) = (&point.name, &point.host, point.value, point.time / SECOND);
        writeln!(body, "put {name} {time} {value} host={host} {region}={eu} {service}={shop}").expect("memory");
    })
}

#[derive(Serialize)]
struct Put<'a> {
    metric: &'a str,
    timestamp: u64,
    value: u64,
    tags: Tags<'a>,
}

#[derive(Serialize)]
struct Tags<'a> {
    host: &'a str,
    region: &'a str,
    #[serde(rename = "service.name")]
    service: &'a str,
}

fn derived(given: Given) -> Write {
    super::kept(move |body| {
        for points in &given.points {
            let puts = points.iter().map(|point| Put {
                metric: &point.name,
                timestamp: point.time / SECOND,
                value: point.value,
                tags: Tags { host: &point.host, region: REGION.1, service: SERVICE.1 },
            });
            serde_json::Serializer::new(&mut *body).collect_seq(puts).expect("memory");
        }
    })
}

fn read_lines(body: &str) -> Vec<Read> {
    let of = |line: &str| {
        let [name, time, value, tags] = line.strip_prefix("put ")?.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Read::new(name, pairs(tags, ' ', '='), number(value), Some(number(time))))
    };
    body.lines().map(|line| of(line).expect("a command")).collect()
}

fn read_json(body: &str) -> Vec<Read> {
    let of = |point: &Value| {
        let tags = point["tags"].as_object()?.iter();
        let tags: Vec<_> = tags.map(|(key, value)| (&**key, value.as_str().expect("a text"))).collect();
        Some(Read::new(point["metric"].as_str()?, tags, point["value"].as_f64()?, Some(point["timestamp"].as_u64()?)))
    };
    let requests = serde_json::Deserializer::from_str(body).into_iter::<Vec<Value>>();
    requests.flat_map(|points| points.expect("a list")).map(|point| of(&point).expect("a point")).collect()
}
