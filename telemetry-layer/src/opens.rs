//! A span while its fields are taken down, which runs code of the program. Where that panics, the span ends: nobody will ever
//! have it, and spans above it would wait for its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use telemetry_core::__private::Tick;
use telemetry_core::__private::record::FieldBuf;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan as _, SpanData as _};

use crate::fields::{CallsitePlan, OtelFields, taking};
use crate::layers::{marks_of, registry_of};
use crate::spans::{Extras, Slot};
use crate::tracer::Tracer;

/// A span that opens.
pub(crate) struct Opens<'a> {
    pub(crate) tracer: &'a Tracer,
    pub(crate) id: u64,
    pub(crate) slot: &'static Slot,
    pub(crate) plan: &'static CallsitePlan,
    /// When its timer began, if it has one.
    pub(crate) announced: Option<Tick>,
}

impl Opens<'_> {
    /// Takes its fields down, and what they say of it.
    #[cold]
    pub(crate) fn take_by_plan(&self, attributes: &Attributes<'_>, fields: &mut FieldBuf<'_>) {
        let mut taken = (fields, OtelFields::default());
        let keep = |(fields, otel): &mut (&mut FieldBuf<'_>, OtelFields)| {
            self.plan.settle(fields, attributes.metadata());
            self.slot.apply(self.id, std::mem::take(otel));
        };
        let take = |(fields, otel): &mut (&mut FieldBuf<'_>, OtelFields)| {
            self.plan.record(|recorder| attributes.record(recorder), fields, otel);
        };
        taking(&mut taken, take, |taken| {
            keep(taken);
            self.breaks(taken.0);
        });
        keep(&mut taken);
    }

    /// A panic goes through its opening: it ends with what was taken by then.
    #[cold]
    pub(crate) fn breaks(&self, fields: &FieldBuf<'_>) {
        let Self { tracer, id, slot, plan, announced } = self;
        slot.begin(announced.unwrap_or_else(|| tracer.sink.clock().now()), fields);
        slot.change(*id, Extras::panic);
        if let Some(measured) = &plan.metrics {
            measured.sites.begin(&tracer.sink);
        }
        let close = || self.subscriber().into_iter().for_each(|subscriber| close(&subscriber, *id));
        // Other layers may not expect the end of what they have not seen open, and a second panic would end the program.
        let _ = catch_unwind(AssertUnwindSafe(close));
        if let Some(slot) = tracer.store.find(*id) {
            tracer.close_measured(*id, slot);
        }
    }

    /// The subscriber that has the span.
    fn subscriber(&self) -> Option<Dispatch> {
        let id = Id::from_u64(self.id);
        let default = || dispatcher::get_default(Clone::clone);
        let is_own = |default: &Dispatch| {
            self.tracer.is_of(default, registry_of(default), &marks_of(default, Some(&id)))
        };
        self.tracer.subscriber().or_else(|| Some(default()).filter(is_own))
    }
}

/// Lets go of a span that nobody has. The Registry lets go of what is above it through the default subscriber, which inside of
/// a call of `tracing` is mostly hidden.
fn close(subscriber: &Dispatch, id: u64) {
    let is_default = dispatcher::get_default(registry_of) == registry_of(subscriber);
    let above = |id: &Id| subscriber.downcast_ref::<Registry>()?.span_data(id)?.parent().cloned();
    let mut next = Some(Id::from_u64(id));
    while let Some(id) = next.take() {
        let above = above(&id);
        if subscriber.try_close(id) && !is_default {
            next = above;
        }
    }
}
