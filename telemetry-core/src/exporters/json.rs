//! Spans, events and data points as JSON objects: what `file:` writes, line by line, and `http:` posts.
//!
//! Characters that nobody sees are escaped, as those have to be that JSON does not take: what is read is the same, and a line is
//! one line for every reader, on a terminal too.

use std::io;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::ser::Formatter;

use super::batch::Item;
use super::{EventRef, SpanRef};
use crate::metrics::MetricRef;
use crate::model::{Kind, Number, Resource, StatusRef, ValueRef, level_name};
use crate::text;

/// Adds a value as JSON.
pub(super) fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Visible))
}

/// Writes as short as can be.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        for (seen, hidden) in text::pieces(text) {
            out.write_all(seen.as_bytes())?;
            if let Some(c) = hidden {
                // In UTF-16, as RFC 8259 has it.
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?;
            }
        }
        Ok(())
    }
}

/// An item together with the global tags that its line shows.
pub(crate) struct Tagged<'a, T>(pub(crate) T, pub(crate) &'a Resource);

/// Makes an iterator each time it is written.
pub(super) struct Map<F>(pub(super) F);

impl<'a, F, I, V> Serialize for Map<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (&'a str, V)>,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0())
    }
}

impl Serialize for Tagged<'_, Item<'_>> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Item::Span(span) => Tagged(span, self.1).serialize(s),
            Item::Event(event) => Tagged(event, self.1).serialize(s),
            Item::Metric(metric) => Tagged(metric, self.1).serialize(s),
        }
    }
}

impl Serialize for Tagged<'_, SpanRef<'_>> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(span, resource) = self;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("trace_id", &span.trace_id())?;
        map.serialize_entry("span_id", &span.span_id())?;
        map.serialize_entry("parent_span_id", &span.parent_span_id())?;
        map.serialize_entry("name", span.name())?;
        map.serialize_entry("kind", span.kind().name())?;
        map.serialize_entry("level", level_name(span.level()))?;
        map.serialize_entry("target", span.target())?;
        map.serialize_entry("start_unix_nano", &span.start_unix_nano())?;
        map.serialize_entry("duration_nano", &span.duration_nano())?;
        map.serialize_entry("status", span.status().name())?;
        if let StatusRef::Error(message) = span.status()
            && !message.is_empty()
        {
            map.serialize_entry("status_message", message)?;
        }
        map.serialize_entry("fields", &Map(|| span.fields()))?;
        if span.links().next().is_some() {
            let links: Vec<_> = span.links().map(|to| (to.trace_id, to.span_id)).collect();
            map.serialize_entry("links", &links)?;
        }
        if !span.trace_state().is_empty() {
            map.serialize_entry("trace_state", span.trace_state())?;
        }
        tail(&mut map, span.dropped_fields(), span.code(), resource)?;
        map.end()
    }
}

impl Serialize for Tagged<'_, EventRef<'_>> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(event, resource) = self;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("time_unix_nano", &event.time_unix_nano())?;
        map.serialize_entry("level", level_name(event.level()))?;
        map.serialize_entry("target", event.target())?;
        if !event.name().is_empty() {
            map.serialize_entry("name", event.name())?;
        }
        map.serialize_entry("message", event.message())?;
        map.serialize_entry("trace_id", &event.trace_id())?;
        map.serialize_entry("span_id", &event.span_id())?;
        map.serialize_entry("sampled", &event.is_sampled())?;
        map.serialize_entry("fields", &Map(|| event.fields()))?;
        tail(&mut map, event.dropped_fields(), event.code(), resource)?;
        map.end()
    }
}

fn tail<M: serde::ser::SerializeMap>(
    map: &mut M,
    dropped_fields: u32,
    code: Option<(&str, Option<u32>)>,
    resource: &Resource,
) -> Result<(), M::Error> {
    if dropped_fields > 0 {
        map.serialize_entry("dropped_fields", &dropped_fields)?;
    }
    if let Some((file, line)) = code {
        map.serialize_entry("code_file", file)?;
        map.serialize_entry("code_line", &line)?;
    }
    map.serialize_entry("tags", resource.tags())
}

impl Serialize for Tagged<'_, MetricRef<'_>> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(metric, _) = self;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("name", metric.name())?;
        map.serialize_entry("kind", metric.kind().name())?;
        map.serialize_entry("unit", metric.unit())?;
        if !metric.description().is_empty() {
            map.serialize_entry("description", metric.description())?;
        }
        map.serialize_entry("time_unix_nano", &metric.time_unix_nano())?;
        if let Some(start) = metric.start_time_unix_nano() {
            map.serialize_entry("start_time_unix_nano", &start)?;
        }
        if metric.kind() != Kind::Gauge {
            map.serialize_entry("temporality", metric.temporality().name())?;
        }
        if let Some(h) = metric.histogram() {
            map.serialize_entry("count", &h.count)?;
            map.serialize_entry("sum", &h.sum)?;
            map.serialize_entry("min", &h.min)?;
            map.serialize_entry("max", &h.max)?;
            for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
                map.serialize_entry(name, &h.quantile(share))?;
            }
            map.serialize_entry("zero_count", &h.buckets.zero_count())?;
            // A bucket below 0 may end at the zero below it.
            let is_zeros =
                |upper: f64| upper == 0.0 && upper.is_sign_positive() && h.buckets.zero_count() > 0;
            let buckets: Vec<(f64, u64)> =
                h.by_upper_bound().filter(|(upper, _)| !is_zeros(*upper)).collect();
            map.serialize_entry("buckets", &buckets)?;
            if !h.exemplars.is_empty() {
                map.serialize_entry("exemplars", &h.exemplars)?;
            }
        } else {
            let value = match metric.number() {
                Number::Int(n) => ValueRef::I64(n),
                Number::Uint(n) => ValueRef::U64(n),
                Number::Float(x) => ValueRef::F64(x),
            };
            map.serialize_entry("value", &value)?;
        }
        map.serialize_entry("tags", &Map(|| metric.tags()))?;
        map.end()
    }
}
