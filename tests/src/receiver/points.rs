//! Data points on the wires of the backends that take nothing else: bodies and lines come in, ids go out. What is not as a
//! [`Program`](crate::program::Program) recorded it is refused as a whole: its value says its id too, and so does its time.

use serde_json::Value;

use super::{ID, Items, POINT};
use crate::program::time_of;

/// What a line or an object says of a data point, as texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// In seconds.
    pub(super) time: Option<&'a str>,
}

impl Said<'_> {
    /// Its id, if all that is said fits together.
    pub(super) fn id<'a>(self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<u64> {
        let mut id = None;
        for (key, value) in tags {
            if key == ID {
                id = Some(value.parse::<u64>().ok()?);
            } else if key == "service.name" {
                // Each program has that.
            } else if !key.starts_with("text") || value.bytes().any(|byte| byte != b'x') {
                return None;
            }
        }
        let id = id?;
        let is_value = self.value.parse().is_ok_and(|value: f64| value == id as f64);
        let is_time = self.time.is_none_or(|time| time.parse() == Ok(time_of(id) / 1_000_000_000));
        (self.name == POINT && is_value && is_time).then_some(id)
    }
}

/// `put point 1700000005 5 id=5` (OpenTSDB).
pub(super) fn put(line: &str) -> Option<u64> {
    let mut words = line.split(' ');
    let (command, name) = (words.next()?, words.next()?);
    let (time, value) = (words.next(), words.next()?);
    let tags: Option<Vec<_>> = words.map(|tag| tag.split_once('=')).collect();
    Said { name, value, time }.id(tags?).filter(|_| command == "put")
}

/// `point;id=5 5 1700000005` (Graphite).
pub(super) fn graphite(line: &str) -> Option<u64> {
    let mut words = line.split(' ');
    let (path, value, time) = (words.next()?, words.next()?, words.next());
    let mut path = path.split(';');
    let name = path.next()?;
    let tags: Option<Vec<_>> = path.map(|tag| tag.split_once('=')).collect();
    Said { name, value, time }.id(tags?).filter(|_| time.is_some() && words.next().is_none())
}

/// `point;id=5:5|g` (StatsD with Graphite's tags).
pub(super) fn statsd(line: &str) -> Option<u64> {
    let (path, value) = line.rsplit_once(':')?;
    let (mut path, value) = (path.split(';'), value.strip_suffix("|g")?);
    let name = path.next()?;
    let tags: Option<Vec<_>> = path.map(|tag| tag.split_once('=')).collect();
    Said { name, value, time: None }.id(tags?)
}

/// `point:5|g|#id:5|T1700000005` (DogStatsD).
pub(super) fn datadog(line: &str) -> Option<u64> {
    let mut parts = line.split('|');
    let ((name, value), kind) = (parts.next()?.split_once(':')?, parts.next()?);
    let (mut tags, mut time) = (None, None);
    for part in parts {
        match (part.strip_prefix('#'), part.strip_prefix('T'), part.starts_with("c:")) {
            (Some(of), ..) => {
                tags = Some(of.split(',').map(|tag| tag.split_once(':')).collect::<Option<Vec<_>>>()?);
            }
            (_, Some(seconds), _) => time = Some(seconds),
            (.., true) => {}
            _ => return None,
        }
    }
    Said { name, value, time }.id(tags?).filter(|_| kind == "g" && time.is_some())
}

/// `point,id=5 value=5 1700000005` with a precision of seconds (line protocol).
fn influx_line(line: &str) -> Option<u64> {
    let mut words = line.split(' ');
    let (series, field, time) = (words.next()?, words.next()?, words.next());
    let (mut series, value) = (series.split(','), field.strip_prefix("value=")?);
    let name = series.next()?;
    let tags: Option<Vec<_>> = series.map(|tag| tag.split_once('=')).collect();
    Said { name, value, time }.id(tags?).filter(|_| time.is_some() && words.next().is_none())
}

/// A body of line protocol, in which comments are none.
pub(super) fn influxdb(body: &[u8]) -> Option<Items> {
    let lines = std::str::from_utf8(body).ok()?.lines().filter(|line| !line.starts_with('#'));
    let points = lines.map(influx_line).collect::<Option<_>>()?;
    Some(Items { points, ..Items::default() })
}

/// An array of data points (OpenTSDB's `/api/put`).
pub(super) fn opentsdb(body: &[u8]) -> Option<Items> {
    let all: Value = serde_json::from_slice(body).ok()?;
    let id = |of: &Value| {
        let tags = of["tags"].as_object()?.iter();
        let tags: Option<Vec<_>> = tags.map(|(key, value)| Some((&**key, value.as_str()?))).collect();
        let (value, time) = (of["value"].to_string(), of["timestamp"].to_string());
        Said { name: of["metric"].as_str()?, value: &value, time: Some(&time) }.id(tags?)
    };
    let points = all.as_array()?.iter().map(id).collect::<Option<_>>()?;
    Some(Items { points, ..Items::default() })
}

/// Gauges with a source, which has the id (Librato).
pub(super) fn librato(body: &[u8]) -> Option<Items> {
    let all: Value = serde_json::from_slice(body).ok()?;
    let id = |of: &Value| {
        let (value, time) = (of["value"].to_string(), of["measure_time"].to_string());
        let said = Said { name: of["name"].as_str()?, value: &value, time: Some(&time) };
        said.id([(ID, of["source"].as_str()?)])
    };
    let points = all["gauges"].as_array()?.iter().map(id).collect::<Option<_>>()?;
    Some(Items { points, ..Items::default() })
}
