//! Spans that are seen while they are open.

use std::sync::atomic::{Ordering::Acquire, fence};
use std::sync::{Arc, Weak};
use std::time::Duration;

use telemetry_core::Level;
use telemetry_core::model::{SpanContext, SpanId, Text, Value};

use crate::tracer::Tracer;

/// Shows the spans of one layer that are open. It does not keep the layer alive.
#[derive(Clone, Debug)]
pub struct OpenSpans(Weak<Tracer>);

/// A span that is open.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenSpan {
    /// What is done: the name of its call site, or the one that a field `otel.name` gave it.
    pub name: Text,
    /// The module or component that opened it.
    pub target: &'static str,
    /// How detailed.
    pub level: Level,
    /// Its trace and its id.
    pub context: SpanContext,
    /// The span it is a part of.
    pub parent_span_id: Option<SpanId>,
    /// How long it has been open.
    pub age: Duration,
    /// Names and values so far.
    pub fields: Vec<(Text, Value)>,
}

impl OpenSpans {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    pub(crate) fn new(layer: &Arc<Tracer>) -> Self {
        Self(Arc::downgrade(layer))
    }

    /// Those that will be exported, oldest first. A span that ends meanwhile may be among them or not.
    pub fn list(&self) -> Vec<OpenSpan> {
        let Some(layer) = self.0.upgrade() else { return Vec::new() };
        let now = layer.sink.clock().now();
        let mut all = Vec::new();
        layer.store.each(|slot| {
            let (id, fields, late_name) = (slot.id(), slot.all_fields(), slot.late_name());
            let (site, start, parent_span_id) = (slot.site(), slot.start(), slot.parent_span());
            // Only if it was the same span all the time.
            fence(Acquire);
            let is_kept = |context: &SpanContext| context.sampled && !slot.is_lost();
            let Some((context, site)) = slot.context(id).zip(site).filter(|(context, _)| is_kept(context))
            else {
                return;
            };
            all.push(OpenSpan {
                name: late_name.map_or(Text::Borrowed(site.name()), Text::Owned),
                target: site.target(),
                level: *site.level(),
                context,
                parent_span_id,
                age: Duration::from_nanos(now.since(start)),
                fields: fields.to_values(site),
            });
        });
        all.sort_by_key(|span| std::cmp::Reverse(span.age));
        all
    }
}

#[cfg(test)]
mod tests {
    use telemetry_core::Collector;
    use tracing_subscriber::layer::SubscriberExt as _;

    use crate::TelemetryLayer;

    #[test]
    fn an_open_span_has_the_name_that_it_was_given_late() {
        let collector = Collector::builder().ignore_env().start().unwrap();
        let layer = TelemetryLayer::new(&collector);
        let open = layer.open_spans();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request", otel.name = tracing::field::Empty);
            assert_eq!(open.list()[0].name, "request");
            span.record("otel.name", "GET /orders");
            assert_eq!(open.list()[0].name, "GET /orders");
        });
    }
}
