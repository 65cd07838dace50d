//! DogStatsD, whose lines have tags and no time.

use super::{FORMATTED, Given, OURS, REGION, Read, SERVICE, Wire, Write, number, pairs};
use cadence::prelude::*;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use telemetry_core::__private::statsd::{Dialect, Form, Writer};

pub const OP: &str = "wire statsd";
/// A client that formats each measurement by itself; here one for each point.
pub const CADENCE: &str = "cadence, count_with_tags";

pub(super) const WIRE: Wire = Wire {
    what: OP,
    writers: &[(OURS, ours), (FORMATTED, formatted), (CADENCE, cadence)],
    read,
    want: |point| point.read(None),
};

fn ours(given: Given) -> Write {
    // As large as may be, for peers that don't pack either.
    let writer = Writer::new(Form::of(Dialect::Datadog), None);
    given.encode(move |batch, body| writer.write(batch, usize::MAX, body))
}

fn formatted(given: Given) -> Write {
    let ((region, eu), (service, shop)) = (REGION, SERVICE);
    given.each(move |body, point| {
        let (name, host, value) = (&point.name, &point.host, point.value);
        writeln!(body, "{name}:{value}|c|#host:{host},{region}:{eu},{service}:{shop}").expect("memory");
    })
}

/// A sink that keeps lines, as its buffered ones do on their way to a socket.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl cadence::MetricSink for Lines {
    fn emit(&self, line: &str) -> std::io::Result<usize> {
        let mut all = self.0.lock().expect("nobody panicked");
        all.extend_from_slice(line.as_bytes());
        all.push(b'\n');
        Ok(line.len())
    }
}

fn cadence(given: Given) -> Write {
    let lines = Lines::default();
    let client = cadence::StatsdClient::builder("", lines.clone()).with_tag(SERVICE.0, SERVICE.1).build();
    Box::new(move |take| {
        lines.0.lock().expect("nobody panicked").clear();
        for point in given.points.iter().flatten() {
            let line = client.count_with_tags(&point.name, point.value).with_tag("host", &point.host);
            line.with_tag(REGION.0, REGION.1).try_send().expect("a sink that keeps all");
        }
        take(&lines.0.lock().expect("nobody panicked"));
    })
}

fn read(body: &str) -> Vec<Read> {
    let of = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let (value, tags) = rest.split_once("|c|#")?;
        Some(Read::new(name, pairs(tags, ',', ':'), number(value), None))
    };
    body.lines().map(|line| of(line).expect("a count")).collect()
}
