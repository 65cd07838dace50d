//! Events: their heads, where their fields are written, and those that are more than one that is kept as it is.

use telemetry_core::__private::Tick;
use telemetry_core::__private::record::{Encoded, EventHead, FieldBuf, Site, Time};
use telemetry_core::__private::sync::atomic::AtomicU64;
use telemetry_core::Signal;
use telemetry_core::model::SpanContext;
use tracing::{Event, Level, Metadata};

use crate::fields::{CallsitePlan, EventKind, measure, write_log_record};
use crate::remote::attached_span;
use crate::spans::Slot;
use crate::tracer::Tracer;

/// Fields of an event, or recorded later, that need more words take memory of their own.
const PLACE: usize = 24;

/// Where fields are written that are not those of a new span.
#[inline]
pub(crate) fn field_place() -> [AtomicU64; PLACE] {
    [const { AtomicU64::new(0) }; PLACE]
}

/// Where an event in that span stands; outside of spans in the context that is attached.
#[inline]
pub(crate) fn event_context(event: &Event<'_>, span: Option<(u64, &'static Slot)>) -> Option<SpanContext> {
    let of_span = span.and_then(|(id, slot)| slot.publish(id));
    of_span.or_else(|| if event.is_root() { None } else { attached_span() })
}

/// What the record of an event in that span begins with.
#[inline]
pub(crate) fn event_head<'a>(
    span: Option<SpanContext>,
    site: &'static Metadata<'static>,
    now: Tick,
    fields: &FieldBuf<'_>,
) -> EventHead<'a> {
    EventHead {
        trace_id: span.map(|span| span.trace_id),
        span_id: span.map(|span| span.span_id),
        sampled: span.is_some_and(|span| span.sampled),
        random: span.is_some_and(|span| span.random),
        time: Time::Tick(now.raw()),
        site: Site::Static(site),
        cut: fields.cut(),
    }
}

impl Tracer {
    /// An event that may be more than one that is kept as it is.
    #[cold]
    pub(crate) fn event_by_plan(&self, event: &Event<'_>, plan: &CallsitePlan) {
        let (site, clock) = (event.metadata(), self.sink.clock());
        let current = self.with_thread(|thread| thread.current()).flatten();
        let span = self.parent(event.parent(), event.is_contextual(), current);
        let context = event_context(event, span);
        let now = clock.now();
        let keeps = self.sink.sampler().keeps_event(context.map(|span| span.trace_id), site, || now);
        if !keeps {
            self.write(|writer| writer.sampled_out(Signal::Events));
        }
        let may_fail = *site.level() == Level::ERROR;
        let place = field_place();
        let mut fields = FieldBuf::at(&place);
        if plan.events == EventKind::Log {
            if keeps {
                let target = write_log_record(event, &plan.actions, &mut fields);
                let head = event_head(context, site, now, &fields);
                let site = Site::Inline { name: "", target: &target, level: *site.level() };
                let texts = site.texts();
                let record = Encoded::event(&EventHead { site, ..head }, (&*texts, fields.words()));
                self.write(|writer| writer.push(Signal::Events, record));
            }
        } else if keeps || may_fail {
            plan.record(|recorder| event.record(recorder), &mut fields);
            if keeps {
                let record = Encoded::event(&event_head(context, site, now, &fields), fields.words());
                self.write(|writer| writer.push(Signal::Events, record));
            }
            if may_fail
                && let Some((id, slot)) = span.filter(|(_, slot)| slot.is_watched())
                && let Some(text) = fields.text_of("error", site)
            {
                slot.change(id, |extras| extras.fail(text));
            }
        }
        if plan.events == EventKind::Metrics {
            measure(event, &self.sink, &plan.actions);
        }
    }
}
