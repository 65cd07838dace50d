//! Items that were made by hand, on their way into records: events, and the fields of all.

use std::sync::Arc;

use crate::exporters::Signal;
use crate::model::record::{Encoded, EventHead, FieldBuf, Key, Site, Time, latest};
use crate::model::{Event, ValueRef, cut};
use crate::pipeline::buffers::Buffers;
use crate::pipeline::writer;
use crate::sampling::Sampler;

/// Takes a finished event, with texts of at most so many bytes.
pub(super) fn collect_event(event: &Event, max_text: u32, sampler: &Sampler, buffers: &Arc<Buffers>) {
    let mut fields = FieldBuf::new().with_max_text(max_text);
    let message = ("message", ValueRef::Str(&event.message));
    let others = event.fields.iter().map(|(name, value)| (&**name, value.as_ref()));
    push_all(&mut fields, std::iter::once(message).chain(others));
    let (name, target) = (cut::name(&event.name), cut::name(&event.target));
    let head = EventHead {
        trace_id: event.trace_id,
        span_id: event.span_id,
        sampled: event.trace_id.is_some_and(|trace| sampler.keeps_finished(trace)),
        random: false,
        time: Time::Unix(event.time_unix_nano),
        site: Site::Inline { name: &name, target: &target, level: event.level },
        cut: fields.cut(),
    };
    let texts = head.site.texts();
    let record = Encoded::event(&head, (&*texts, fields.words()));
    writer::with(buffers, |writer| writer.push(Signal::Events, record));
}

/// Of a name that comes twice, the last value.
pub(super) fn push_all<'a>(buffer: &mut FieldBuf<'_>, fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) {
    let fields: Vec<_> = fields.collect();
    latest(&fields, |(name, _)| name).for_each(|(name, value)| buffer.push(Key::Name(name), *value));
}
