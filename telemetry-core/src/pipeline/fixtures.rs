//! What tests and models record.

use super::writer::Writer;
use crate::exporters::Signal;
use crate::model::record::{Encoded, FieldBuf, Key, Links, Site, SpanHead, Time};
use crate::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceId, ValueRef};

/// Records a span whose id, duration and field say which one it is.
pub(super) fn push_span(writer: &mut Writer, n: u64) {
    let span_id = SpanId::new(n).unwrap();
    let context = SpanContext { trace_id: TraceId::new(u128::from(n)).unwrap(), span_id, sampled: true };
    let mut fields = FieldBuf::new();
    fields.push(Key::Name("n"), ValueRef::U64(n));
    let head = SpanHead {
        context,
        parent: None,
        start: Time::Unix(n),
        duration_nano: n,
        kind: SpanKind::Internal,
        status: StatusRef::Unset,
        name: None,
        site: Site::Inline { name: "work", target: "test", level: tracing_core::Level::INFO },
        cut: 0,
        trace_state: "",
        links: Links::default(),
    };
    let texts = head.texts();
    writer.push(Signal::Spans, Encoded::span(&head, (&*texts, fields.words())));
}
