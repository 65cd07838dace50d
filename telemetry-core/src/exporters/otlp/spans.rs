//! Spans.
//!
//! Source: opentelemetry-proto, `trace.proto`.

use tracing_core::Metadata;

use super::attributes::{Name, put_attribute};
use super::call_sites::{CallSite, CallSites, is_place};
use super::pad::Pad;
use super::scopes::{ITEM, Scopes};
use super::wire::{bytes, fixed64, put_count, put_message, put_text, varint};
use crate::clock::Anchors;
use crate::exporters::{Batch, FieldKey, SpanRef};
use crate::model::record::{RawSpan, Site, SpanHead};
use crate::model::{SpanContext, SpanId, StatusRef};

const TRACE_ID: u8 = bytes(1);
const SPAN_ID: u8 = bytes(2);
const TRACE_STATE: u8 = bytes(3);
const PARENT_SPAN_ID: u8 = bytes(4);
const NAME: u8 = bytes(5);
const KIND: u8 = varint(6);
const START: u8 = fixed64(7);
const END: u8 = fixed64(8);
const ATTRIBUTE: u8 = bytes(9);
const DROPPED_ATTRIBUTES: u8 = varint(10);
const LINK: u8 = bytes(13);
const STATUS: u8 = bytes(15);
/// 16, four bytes.
const FLAGS: [u8; 2] = [0x85, 0x01];

const LINK_TRACE_ID: u8 = bytes(1);
const LINK_SPAN_ID: u8 = bytes(2);
/// 6, four bytes.
const LINK_FLAGS: u8 = 0x35;

const STATUS_MESSAGE: u8 = bytes(2);
const STATUS_CODE: u8 = varint(3);
const STATUS_OK: [u8; 4] = [STATUS, 2, STATUS_CODE, 1];
const ERROR: u8 = 2;

/// Flags of W3C's `traceparent`, and two of OTLP.
const SAMPLED: u16 = 1;
const RANDOM: u16 = 1 << 1;
const HAS_IS_REMOTE: u16 = 1 << 8;
const IS_REMOTE: u16 = 1 << 9;

/// Adds the first spans of a batch to a request, and says how many fit.
pub(super) fn put_spans(batch: &Batch, sites: &mut CallSites, scopes: &mut Scopes, pad: &mut Pad) -> usize {
    let fits = |(raw, anchors): &(RawSpan<'_>, &Anchors)| {
        let span = || SpanRef { record: raw.read(), anchors };
        if let Some(meta) = raw.site() {
            let site = call_site(meta, sites, scopes);
            if let Some(field) = draw_span(pad, &span(), site) {
                return scopes.add(site.scope, |out| out.extend_from_slice(field));
            }
        }
        put_any(&span(), sites, scopes)
    };
    batch.raw_spans().take_while(fits).count()
}

#[inline]
fn call_site<'a>(
    meta: &'static Metadata<'static>,
    sites: &'a mut CallSites,
    scopes: &mut Scopes,
) -> &'a CallSite {
    sites.get(meta, scopes, ATTRIBUTE, |out| put_text(out, NAME, meta.name()))
}

/// Adds a span, whatever it has, and says whether it fits.
#[inline(never)]
fn put_any(span: &SpanRef<'_>, sites: &mut CallSites, scopes: &mut Scopes) -> bool {
    match span.record.head.site {
        Site::Static(meta) => {
            let site = call_site(meta, sites, scopes);
            let name = span.record.head.name;
            let (own_name, place) = site.constant.split_at(site.name_len);
            let constant = [if name.is_some() { &[] } else { own_name }, place];
            scopes.add(site.scope, |out| put_span(out, span, name, constant, &site.fields))
        }
        Site::Inline { target, .. } => {
            let scope = scopes.find(target);
            scopes.add(scope, |out| put_span(out, span, Some(span.name()), [&[]; 2], &[]))
        }
    }
}

/// Most spans have nothing that is seldom or long: what is written of such a one, as a field.
#[expect(clippy::inline_always, reason = "what is not needed of a record is not read then")]
#[inline(always)]
fn draw_span<'a>(pad: &'a mut Pad, span: &SpanRef<'_>, site: &CallSite) -> Option<&'a [u8]> {
    let head = &span.record.head;
    if head.name.is_some() || has_seldom(head) {
        return None;
    }
    let mut pen = pad.begin();
    pen.put(&start(span))?;
    if let Some(parent) = head.parent {
        pen.put(&parent_of(parent))?;
    }
    pen.put_all(&site.constant)?;
    for (key, value) in span.record.fields.keyed() {
        let FieldKey::Index(index) = key else { return None };
        if let Some(name) = site.fields.get(index) {
            name.draw(&mut pen, value)?;
        }
    }
    if matches!(head.status, StatusRef::Ok) {
        pen.put(&STATUS_OK)?;
    }
    pen.field(ITEM)
}

/// `name` is what is not constant of the call site, which has a name and a place.
#[inline]
fn put_span(
    out: &mut Vec<u8>,
    span: &SpanRef<'_>,
    name: Option<&str>,
    [own_name, place]: [&[u8]; 2],
    fields: &[Name],
) {
    put_message::<2>(out, ITEM, |out| {
        let head = &span.record.head;
        out.extend_from_slice(&start(span));
        if let Some(parent) = head.parent {
            out.extend_from_slice(&parent_of(parent));
        }
        name.into_iter().for_each(|name| put_text(out, NAME, name));
        out.extend_from_slice(own_name);
        let (at, mut is_elsewhere) = (out.len(), false);
        out.extend_from_slice(place);
        for (key, value) in span.record.fields.keyed() {
            match key {
                FieldKey::Name(name) => {
                    is_elsewhere |= is_place(name);
                    put_attribute(out, ATTRIBUTE, name, value);
                }
                FieldKey::Index(index) => fields.get(index).into_iter().for_each(|name| name.put(out, value)),
            }
        }
        if is_elsewhere {
            out.drain(at..at + place.len());
        }
        put_seldom(out, head);
    });
}

/// What every span has: `trace_id`, `span_id`, `kind`, `start`, `end`, `flags`.
#[inline]
fn start(span: &SpanRef<'_>) -> [u8; 54] {
    let SpanHead { context, parent, parent_is_remote, kind, .. } = &span.record.head;
    let start = span.start_unix_nano();
    let remote = match parent {
        None => Some(false),
        Some(_) => *parent_is_remote,
    };
    let flags = trace_flags(*context) | remote.map_or(0, remote_flags);
    let mut fields = [0; 54];
    fields[..2].copy_from_slice(&[TRACE_ID, 16]);
    fields[2..18].copy_from_slice(&context.trace_id.get().to_be_bytes());
    fields[18..20].copy_from_slice(&[SPAN_ID, 8]);
    fields[20..28].copy_from_slice(&context.span_id.get().to_be_bytes());
    fields[28..30].copy_from_slice(&[KIND, *kind as u8 + 1]);
    fields[30] = START;
    fields[31..39].copy_from_slice(&start.to_le_bytes());
    fields[39] = END;
    fields[40..48].copy_from_slice(&start.saturating_add(span.duration_nano()).to_le_bytes());
    fields[48..50].copy_from_slice(&FLAGS);
    fields[50..].copy_from_slice(&u32::from(flags).to_le_bytes());
    fields
}

#[inline]
fn parent_of(parent: SpanId) -> [u8; 10] {
    let mut field = [8; 10];
    field[0] = PARENT_SPAN_ID;
    field[2..].copy_from_slice(&parent.get().to_be_bytes());
    field
}

fn trace_flags(context: SpanContext) -> u16 {
    let flag = |is, flag| if is { flag } else { 0 };
    flag(context.sampled, SAMPLED) | flag(context.random, RANDOM)
}

fn remote_flags(is_remote: bool) -> u16 {
    HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

/// Whether there is something of [`put_seldom`] but that it is well.
#[inline]
fn has_seldom(head: &SpanHead<'_>) -> bool {
    let is_failed = matches!(head.status, StatusRef::Error(_));
    is_failed || head.cut > 0 || !head.trace_state.is_empty() || !head.links.is_empty()
}

fn put_seldom(out: &mut Vec<u8>, head: &SpanHead<'_>) {
    put_text(out, TRACE_STATE, head.trace_state);
    put_count(out, DROPPED_ATTRIBUTES, head.cut.into());
    if !head.links.is_empty() {
        head.links.iter().for_each(|link| put_link(out, link));
    }
    match head.status {
        StatusRef::Unset => {}
        StatusRef::Ok => out.extend_from_slice(&STATUS_OK),
        StatusRef::Error(message) => put_message::<1>(out, STATUS, |out| {
            put_text(out, STATUS_MESSAGE, message);
            out.extend_from_slice(&[STATUS_CODE, ERROR]);
        }),
    }
}

fn put_link(out: &mut Vec<u8>, link: SpanContext) {
    let flags = trace_flags(link) | remote_flags(link.is_remote);
    put_message::<1>(out, LINK, |out| {
        out.extend_from_slice(&[LINK_TRACE_ID, 16]);
        out.extend_from_slice(&link.trace_id.get().to_be_bytes());
        out.extend_from_slice(&[LINK_SPAN_ID, 8]);
        out.extend_from_slice(&link.span_id.get().to_be_bytes());
        out.push(LINK_FLAGS);
        out.extend_from_slice(&u32::from(flags).to_le_bytes());
    });
}
