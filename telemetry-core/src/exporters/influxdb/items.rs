//! Spans and events as lines.

use std::collections::HashMap;

use super::form::{Precision, Refusal, TOO_LATE, end_line};
use super::points::put_tags;
use super::text::{put_key, put_string};
use crate::exporters::digits::put_whole;
use crate::exporters::json::{Map, put};
use crate::exporters::{EventRef, SpanRef};
use crate::model::{Resource, SpanId, StatusRef, TraceId, ValueRef, level_name};

/// The times of one request: none is there twice. Of each it is known from which one on the next that is free can be.
#[derive(Debug, Default)]
pub(super) struct Times(HashMap<u64, u64>);

impl Times {
    /// That time, or the next one that is free.
    fn free(&mut self, unix_nanos: u64) -> Result<u64, Refusal> {
        let mut free = unix_nanos;
        while let Some(next) = self.0.get(&free) {
            free = *next;
        }
        let free = Precision::Nanos.of(free).ok_or(TOO_LATE)?;
        // Nobody goes the same way again: however many have one time, each of them is found in a few steps.
        let mut known = Some(unix_nanos);
        while let Some(time) = known {
            known = self.0.insert(time, free + 1);
        }
        Ok(free)
    }
}

/// Adds the line of a span.
pub(super) fn put_span(
    out: &mut Vec<u8>,
    span: &SpanRef<'_>,
    resource: &Resource,
    times: &mut Times,
) -> Result<(), Refusal> {
    let time = times.free(span.start_unix_nano())?;
    let own = [
        ("kind", span.kind().name()),
        ("level", level_name(span.level())),
        ("name", span.name()),
        ("status", span.status().name()),
        ("target", span.target()),
    ];
    begin(out, "spans", resource, &own);
    out.extend_from_slice(b" duration_nano=");
    put_whole(out, span.duration_nano().min(i64::MAX as u64));
    out.push(b'i');
    put_ids(out, Some(span.trace_id()), Some(span.span_id()));
    if let Some(parent) = span.parent_span_id() {
        put_text(out, "parent_span_id", &parent.to_string());
    }
    if let StatusRef::Error(message) = span.status()
        && !message.is_empty()
    {
        put_text(out, "status_message", message);
    }
    put_code(out, span.code());
    let links: Vec<_> = span.links().map(|to| (to.trace_id, to.span_id)).collect();
    if !links.is_empty() {
        put_json(out, "links", &links)?;
    }
    if !span.trace_state().is_empty() {
        put_text(out, "trace_state", span.trace_state());
    }
    put_fields(out, || span.fields())?;
    end_line(out, time);
    Ok(())
}

/// Adds the line of an event.
pub(super) fn put_event(
    out: &mut Vec<u8>,
    event: &EventRef<'_>,
    resource: &Resource,
    times: &mut Times,
) -> Result<(), Refusal> {
    let time = times.free(event.time_unix_nano())?;
    let own = [("level", level_name(event.level())), ("name", event.name()), ("target", event.target())];
    begin(out, "events", resource, &own);
    out.extend_from_slice(b" message=");
    put_string(out, event.message());
    put_ids(out, event.trace_id(), event.span_id());
    put_code(out, event.code());
    put_fields(out, || event.fields())?;
    end_line(out, time);
    Ok(())
}

/// The measurement and the tags. Those of its own that are empty are left out: nothing else is told apart by them.
fn begin(out: &mut Vec<u8>, measurement: &str, resource: &Resource, own: &[(&str, &str)]) {
    const FIELDS: [&str; 11] = [
        "code_file",
        "code_line",
        "duration_nano",
        "fields",
        "links",
        "message",
        "parent_span_id",
        "span_id",
        "status_message",
        "trace_id",
        "trace_state",
    ];
    out.extend_from_slice(measurement.as_bytes());
    let is_own = |key: &str| FIELDS.contains(&key) || own.iter().any(|(known, _)| *known == key);
    let tags = resource.tags();
    put_tags(out, tags.iter(), is_own, |key| tags.get(key).is_some());
    for (key, value) in own.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(b',');
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        put_key(out, value);
    }
}

fn put_ids(out: &mut Vec<u8>, trace: Option<TraceId>, span: Option<SpanId>) {
    trace.into_iter().for_each(|id| put_text(out, "trace_id", &id.to_string()));
    span.into_iter().for_each(|id| put_text(out, "span_id", &id.to_string()));
}

fn put_code(out: &mut Vec<u8>, code: Option<(&str, Option<u32>)>) {
    let Some((file, line)) = code else { return };
    put_text(out, "code_file", file);
    if let Some(line) = line {
        out.extend_from_slice(b",code_line=");
        put_whole(out, line);
        out.push(b'i');
    }
}

fn put_fields<'a, I: Iterator<Item = (&'a str, ValueRef<'a>)>>(
    out: &mut Vec<u8>,
    fields: impl Fn() -> I,
) -> Result<(), Refusal> {
    if fields().next().is_some() { put_json(out, "fields", &Map(fields)) } else { Ok(()) }
}

/// A field that is not the first one, as a text in JSON.
fn put_json(out: &mut Vec<u8>, key: &str, value: &impl serde::Serialize) -> Result<(), Refusal> {
    let mut json = Vec::new();
    put(&mut json, value).map_err(|e| format!("it can't be written as JSON: {e}"))?;
    put_text(out, key, &String::from_utf8_lossy(&json));
    Ok(())
}

/// A field that is not the first one.
fn put_text(out: &mut Vec<u8>, key: &str, text: &str) {
    out.push(b',');
    out.extend_from_slice(key.as_bytes());
    out.push(b'=');
    put_string(out, text);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_many_with_one_time_the_next_is_a_step_away() {
        let mut times = Times::default();
        for n in 0..5_000 {
            assert_eq!(times.free(7).unwrap(), 7 + n);
            assert_eq!(times.0[&7], 7 + n + 1);
        }
        let last = i64::MAX as u64 - 1;
        assert_eq!(times.free(last).unwrap(), last);
        assert_eq!(times.free(last).unwrap_err(), TOO_LATE);
    }

    proptest! {
        #[test]
        fn each_gets_the_first_time_that_is_free(all in prop::collection::vec(0..40_u64, 0..100)) {
            let (mut times, mut taken) = (Times::default(), BTreeSet::new());
            for time in all {
                let free = (time..u64::MAX).find(|time| taken.insert(*time)).unwrap();
                prop_assert_eq!(times.free(time).unwrap(), free);
            }
        }
    }
}
