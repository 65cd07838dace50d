//! Events: their heads, where their fields are written, and those that are more than one that is kept as it is.

use telemetry_core::__private::Tick;
use telemetry_core::__private::record::{Encoded, EventHead, FieldBuf, Site, Time};
use telemetry_core::__private::sync::atomic::AtomicU64;
use telemetry_core::Signal;
use telemetry_core::model::SpanContext;
use tracing::{Event, Level, Metadata};

use crate::fields::{CallsitePlan, EventKind, Measurements, taking, write_log_record};
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

/// What is taken down of an event by its plan.
struct Taken<'a> {
    fields: FieldBuf<'a>,
    measurements: Measurements,
    /// Of a record of `log`.
    target: String,
}

/// An event, and what is known of it before its fields.
struct Happened<'a, 'e> {
    event: &'a Event<'e>,
    plan: &'static CallsitePlan,
    span: Option<(u64, &'static Slot)>,
    context: Option<SpanContext>,
    now: Tick,
    is_kept: bool,
}

impl Happened<'_, '_> {
    /// Its span may fail by it.
    fn may_fail(&self) -> bool {
        *self.event.metadata().level() == Level::ERROR
    }

    fn take(&self, taken: &mut Taken<'_>) {
        let (event, plan) = (self.event, self.plan);
        match plan.events {
            EventKind::Log if self.is_kept => {
                write_log_record(event, &plan.actions, &mut taken.fields, &mut taken.target);
            }
            EventKind::Plain if !self.is_kept && !self.may_fail() => {}
            EventKind::Plain | EventKind::Metrics => {
                plan.record_event(event, &mut taken.fields, &mut taken.measurements);
            }
            EventKind::Log => {}
        }
    }
}

impl Tracer {
    /// An event that is nothing but that, and is kept.
    #[expect(clippy::inline_always, reason = "called in one place where it matters")]
    #[inline(always)]
    pub(crate) fn write_event(&self, event: &Event<'_>, now: Tick, fields: &FieldBuf<'_>) {
        let written = self.with_thread(|thread| {
            let span = self.parent(event.parent(), event.is_contextual(), thread.current());
            // Mostly there is one.
            let Some(context) = span.and_then(|(id, slot)| slot.publish(id)) else { return false };
            let head = event_head(Some(context), event.metadata(), now, fields);
            thread.writer.push(Signal::Events, Encoded::event(&head, fields.words()));
            true
        });
        if written != Some(true) {
            self.write_event_without_span(event, now, fields);
        }
    }

    /// The same where there is no span, or where the thread has nothing of its own any more.
    #[inline(never)]
    fn write_event_without_span(&self, event: &Event<'_>, now: Tick, fields: &FieldBuf<'_>) {
        let current = self.with_thread(|thread| thread.current()).flatten();
        let context = event_context(event, self.parent(event.parent(), event.is_contextual(), current));
        let record = Encoded::event(&event_head(context, event.metadata(), now, fields), fields.words());
        self.write(|writer| writer.push(Signal::Events, record));
    }

    /// The same of one that a panic has left: with the fields that were taken by then.
    #[cold]
    pub(crate) fn write_broken_event(&self, event: &Event<'_>, now: Tick, fields: &FieldBuf<'_>) {
        self.write_event(event, now, fields);
    }

    /// Where the record of an event stands; for one that tells of a span that closes, that span also when it has closed here.
    #[cfg(feature = "fmt")]
    pub(crate) fn context_of(&self, event: &Event<'_>) -> Option<SpanContext> {
        let here = |contextual, current| match self.parent(event.parent(), contextual, current) {
            None => event
                .parent()
                .and_then(|id| self.store.just_closed(id.into_u64()))
                .or_else(|| event_context(event, None)),
            span => event_context(event, span),
        };
        self.with_thread(|thread| here(event.is_contextual(), thread.current()))
            .unwrap_or_else(|| here(false, None))
    }

    /// An event that may be more than one that is kept as it is.
    #[cold]
    pub(crate) fn event_by_plan(&self, event: &Event<'_>, plan: &'static CallsitePlan) {
        let (site, clock) = (event.metadata(), self.sink.clock());
        let current = self.with_thread(|thread| thread.current()).flatten();
        let span = self.parent(event.parent(), event.is_contextual(), current);
        let context = event_context(event, span);
        let now = clock.now();
        let is_kept = self.sink.sampler().keeps_event(context.map(|span| span.trace_id), site, || now);
        if !is_kept {
            self.write(|writer| writer.sampled_out(Signal::Events));
        }
        let place = field_place();
        let fields = FieldBuf::at(&place).with_max_text(self.max_text);
        let mut taken = Taken { fields, measurements: Measurements::default(), target: String::new() };
        let happened = Happened { event, plan, span, context, now, is_kept };
        taking(&mut taken, |taken| happened.take(taken), |taken| self.keep_event(&happened, taken));
        self.keep_event(&happened, &mut taken);
    }

    /// With what was taken of it, all or as much as there is by a panic.
    fn keep_event(&self, happened: &Happened<'_, '_>, taken: &mut Taken<'_>) {
        let (site, Taken { fields, measurements, target }) = (happened.event.metadata(), taken);
        happened.plan.settle(fields, site);
        let given = || self.given_tags(&happened.plan.inherited_tags, happened.span);
        measurements.measure(fields, site, &self.sink, given);
        if happened.is_kept && !happened.plan.inherited.is_empty() {
            self.inherit(&happened.plan.inherited, fields, site, happened.span);
        }
        let head = event_head(happened.context, site, happened.now, fields);
        if happened.is_kept && happened.plan.events == EventKind::Log {
            let site = Site::Inline { name: "", target, level: *site.level() };
            let texts = site.texts();
            let record = Encoded::event(&EventHead { site, ..head }, (&*texts, fields.words()));
            self.write(|writer| writer.push(Signal::Events, record));
        } else if happened.is_kept {
            let record = Encoded::event(&head, fields.words());
            self.write(|writer| writer.push(Signal::Events, record));
        }
        if happened.may_fail()
            && let Some((id, slot)) = happened.span.filter(|(_, slot)| slot.is_watched())
            && let Some(text) = fields.text_of("error", site)
        {
            slot.change(id, |extras| extras.fail(text));
        }
    }
}
