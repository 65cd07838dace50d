//! What tests and models record.

use std::sync::{Arc, OnceLock};

use super::writer::Writer;
use crate::exporters::{Batch, Signal};
use crate::metrics::Snapshot;
use crate::model::record::{Chunk, Encoded, FieldBuf, Key, Links, Site, SpanHead, Time};
use crate::model::{
    Kind, Metric, Resource, SpanContext, SpanId, SpanKind, StatusRef, Tags, TraceId, ValueRef,
};

/// Records a span whose id, duration and field say which one it is.
pub(super) fn push_span(writer: &mut Writer, n: u64) {
    with_span(n, |head, fields| {
        let texts = head.texts();
        writer.push(Signal::Spans, Encoded::span(head, (&*texts, fields.words())));
    });
}

/// A batch of such spans.
pub(super) fn spans(ids: impl IntoIterator<Item = u64>) -> Batch {
    let mut chunk = Chunk::default();
    ids.into_iter().for_each(|n| with_span(n, |head, fields| chunk.push_span(head, fields)));
    Batch::of_spans(chunk, resource(), Arc::default())
}

/// A batch of counters that stand at these sums.
pub(super) fn sums(values: impl IntoIterator<Item = u64>) -> Batch {
    let metrics = values.into_iter().map(|n| Metric::new(Kind::Counter, "sum", n, 7));
    let metrics: Vec<Metric> = metrics.collect();
    Batch::of_metrics(Snapshot::new(metrics, resource()), resource())
}

/// The same for all, so that batches can be merged.
fn resource() -> Arc<Resource> {
    static RESOURCE: OnceLock<Arc<Resource>> = OnceLock::new();
    Arc::clone(RESOURCE.get_or_init(|| Arc::new(Resource::new(Tags::new(), "test").unwrap())))
}

fn with_span(n: u64, f: impl FnOnce(&SpanHead<'_>, &FieldBuf<'_>)) {
    let span_id = SpanId::new(n).unwrap();
    let context = SpanContext::new(TraceId::new(u128::from(n)).unwrap(), span_id, true);
    let mut fields = FieldBuf::new();
    fields.push(Key::Name("n"), ValueRef::U64(n));
    let head = SpanHead {
        context,
        parent: None,
        parent_is_remote: Some(false),
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
    f(&head, &fields);
}
