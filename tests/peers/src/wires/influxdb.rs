//! Line protocol.

use super::{FORMATTED, Given, OURS, REGION, Read, SERVICE, Wire, Write, kept};
use influxdb_line_protocol::{FieldValue, LineProtocolBuilder, parse_lines};
use questdb::ingress::{Buffer, ColumnName, ProtocolVersion, TimestampNanos};
use std::io::Write as _;
use telemetry_core::__private::influxdb::Writer;

pub const OP: &str = "wire influxdb";
/// InfluxData's own.
pub const BUILDER: &str = "influxdb-line-protocol";
/// That of QuestDB's client, whose names of tags are checked once.
pub const QUESTDB: &str = "questdb-rs, Buffer";

pub(super) const WIRE: Wire = Wire {
    what: OP,
    writers: &[(OURS, ours), (FORMATTED, formatted), (BUILDER, builder), (QUESTDB, questdb)],
    read,
    want: |point| point.read(Some(point.time)),
};

fn ours(given: Given) -> Write {
    given.encode(|batch, body| Writer::default().write(batch, usize::MAX, body))
}

fn formatted(given: Given) -> Write {
    let ((region, eu), (service, shop)) = (REGION, SERVICE);
    given.each(move |body, point| {
        let (name, host, value, time) = (&point.name, &point.host, point.value, point.time);
        writeln!(body, "{name},host={host},{region}={eu},{service}={shop} value={value} {time}").expect("memory");
    })
}

fn builder(given: Given) -> Write {
    kept(move |body| {
        let mut lines = LineProtocolBuilder::new_with(std::mem::take(body));
        for point in given.points.iter().flatten() {
            let line = lines.measurement(&point.name).tag("host", &point.host);
            let line = line.tag(REGION.0, REGION.1).tag(SERVICE.0, SERVICE.1);
            lines = line.field("value", point.value as f64).timestamp(point.time as i64).close_line();
        }
        *body = lines.build();
    })
}

fn questdb(given: Given) -> Write {
    let mut lines = Buffer::new(ProtocolVersion::V1);
    // QuestDB has no dots in them, others do.
    let [host, region, service, value] = ["host", REGION.0, SERVICE.0, "value"].map(ColumnName::new_unchecked);
    let write = move |lines: &mut Buffer| {
        for point in given.points.iter().flatten() {
            let line = lines.table(&*point.name)?.symbol(host, &point.host)?;
            let line = line.symbol(region, REGION.1)?.symbol(service, SERVICE.1)?;
            line.column_f64(value, point.value as f64)?.at(TimestampNanos::new(point.time as i64))?;
        }
        questdb::Result::Ok(())
    };
    Box::new(move |take| {
        lines.clear();
        write(&mut lines).expect("names and numbers that it takes");
        take(lines.as_bytes());
    })
}

fn read(body: &str) -> Vec<Read> {
    let lines = parse_lines(body).map(|line| {
        let line = line.expect("a line");
        let [(key, FieldValue::F64(value))] = &line.field_set[..] else { panic!("{line} has another field") };
        assert_eq!(key.as_str(), "value");
        let tags = line.series.tag_set.iter().flatten();
        let tags: Vec<_> = tags.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let time = line.timestamp.map(|time| time as u64);
        Read::new(line.series.measurement.as_str(), tags, *value, time)
    });
    lines.collect()
}
