//! Events, which OTLP calls log records.
//!
//! Source: opentelemetry-proto, `logs.proto`.

use tracing_core::Level;

use super::attributes::{Name, put_attribute, put_value};
use super::call_sites::CallSites;
use super::scopes::{ITEM, Scopes};
use super::wire::{bytes, fixed64, put_count, put_message, put_text, varint};
use crate::exporters::{Batch, EventRef, FieldKey, RawValue};
use crate::model::record::Site;

const TIME: u8 = fixed64(1);
const SEVERITY_NUMBER: u8 = varint(2);
const SEVERITY_TEXT: u8 = bytes(3);
const BODY: u8 = bytes(5);
const ATTRIBUTE: u8 = bytes(6);
const DROPPED_ATTRIBUTES: u8 = varint(7);
/// 8, four bytes: the flags of W3C's `traceparent`.
const FLAGS: u8 = 0x45;
const TRACE_ID: u8 = bytes(9);
const SPAN_ID: u8 = bytes(10);
const OBSERVED_TIME: u8 = fixed64(11);
const EVENT_NAME: u8 = bytes(12);

/// The field that is the text for people.
const MESSAGE: &str = "message";

/// Adds the first events of a batch to a request, and says how many fit.
pub(super) fn put_events(batch: &Batch, sites: &mut CallSites, scopes: &mut Scopes) -> usize {
    let mut constant = Vec::new();
    let fits = |event: &EventRef<'_>| match event.record.head.site {
        Site::Static(meta) => {
            let site = sites.get(meta, scopes, ATTRIBUTE, |out| put_constant(out, event));
            scopes.add(site.scope, |out| put_event(out, event, &site.constant, &site.fields))
        }
        Site::Inline { target, .. } => {
            let scope = scopes.find(target);
            constant.clear();
            put_constant(&mut constant, event);
            scopes.add(scope, |out| put_event(out, event, &constant, &[]))
        }
    };
    batch.events().take_while(fits).count()
}

/// What all events of a call site have in common.
fn put_constant(out: &mut Vec<u8>, event: &EventRef<'_>) {
    out.extend_from_slice(&[SEVERITY_NUMBER, severity(event.level())]);
    put_text(out, SEVERITY_TEXT, event.level().as_str());
    put_text(out, EVENT_NAME, event.name());
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 17,
        Level::WARN => 13,
        Level::INFO => 9,
        Level::DEBUG => 5,
        Level::TRACE => 1,
    }
}

#[inline]
fn put_event(out: &mut Vec<u8>, event: &EventRef<'_>, constant: &[u8], fields: &[Name]) {
    put_message::<2>(out, ITEM, |out| {
        let head = &event.record.head;
        out.extend_from_slice(&times(event.time_unix_nano()));
        if let Some(trace_id) = head.trace_id {
            out.extend_from_slice(&[TRACE_ID, 16]);
            out.extend_from_slice(&trace_id.get().to_be_bytes());
            out.extend_from_slice(&[FLAGS, u8::from(head.sampled) | u8::from(head.random) << 1, 0, 0, 0]);
        }
        if let Some(span_id) = head.span_id {
            out.extend_from_slice(&[SPAN_ID, 8]);
            out.extend_from_slice(&span_id.get().to_be_bytes());
        }
        out.extend_from_slice(constant);
        for (key, value) in event.record.fields.keyed() {
            match key {
                FieldKey::Name(MESSAGE) => put_body(out, value),
                FieldKey::Name(name) => put_attribute(out, ATTRIBUTE, name, value),
                FieldKey::Index(index) => match fields.get(index) {
                    Some(name) if name.as_str() == MESSAGE => put_body(out, value),
                    Some(name) => name.put(out, value),
                    None => {}
                },
            }
        }
        put_count(out, DROPPED_ATTRIBUTES, head.cut.into());
    });
}

/// It was seen when it happened.
#[inline]
fn times(time: u64) -> [u8; 18] {
    let mut fields = [0; 18];
    fields[0] = TIME;
    fields[1..9].copy_from_slice(&time.to_le_bytes());
    fields[9] = OBSERVED_TIME;
    fields[10..].copy_from_slice(&time.to_le_bytes());
    fields
}

#[inline]
fn put_body(out: &mut Vec<u8>, value: RawValue<'_>) {
    if !matches!(value, RawValue::Text([])) {
        put_value(out, BODY, value);
    }
}
