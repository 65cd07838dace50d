//! Graphite's plaintext with tags.

use super::{FORMATTED, Given, OURS, REGION, Read, SECOND, SERVICE, Wire, Write, number, pairs};
use std::io::Write as _;
use telemetry_core::__private::graphite::{MAX_LINE, put_batch};

pub const OP: &str = "wire graphite";

pub(super) const WIRE: Wire = Wire {
    what: OP,
    writers: &[(OURS, ours), (FORMATTED, formatted)],
    read,
    want: |point| point.read(Some(point.time / SECOND)),
};

fn ours(given: Given) -> Write {
    given.encode(|batch, body| put_batch(body, batch, usize::MAX, "", MAX_LINE + 1))
}

fn formatted(given: Given) -> Write {
    let ((region, eu), (service, shop)) = (REGION, SERVICE);
    given.each(move |body, point| {
        let (name, host, value, time) = (&point.name, &point.host, point.value, point.time / SECOND);
        writeln!(body, "{name};host={host};{region}={eu};{service}={shop} {value} {time}").expect("memory");
    })
}

fn read(body: &str) -> Vec<Read> {
    let of = |line: &str| {
        let [path, value, time] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        let (name, tags) = path.split_once(';')?;
        Some(Read::new(name, pairs(tags, ';', '='), number(value), Some(number(time))))
    };
    body.lines().map(|line| of(line).expect("a path, a value and a time")).collect()
}
