//! What a layer has, and what it does with a span from its start to its end and with an event: from `tracing`'s view of
//! it to a finished record in the collector's buffers.
//!
//! Nothing here blocks, and no code of the user runs under a lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use telemetry_core::clock::{Held, Tick};
use telemetry_core::model::record::{Encoded, EventHead, FieldBuf, Key, Links, Site, SpanHead, Time};
use telemetry_core::model::{SpanContext, SpanId, TraceId, ValueRef};
use telemetry_core::thread::{is_suppressed, new_ids};
use telemetry_core::{Signal, Sink, Writer, sync};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata};

use crate::local::{self, Local};
use crate::plan::{self, Events, Measured, Plan, Plans, Rules};
use crate::store::{Opening, Slot, Store};
use crate::{log_record, metric_fields, remote};

/// Fields of an event, or recorded later, that need more words take memory of their own.
const PLACE: usize = 24;

#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) sink: Sink,
    /// Tells layers apart.
    pub(crate) number: u64,
    pub(crate) store: Store,
    /// What is to be done beyond keeping spans and events; looked at when the first one comes.
    pub(crate) rules: Mutex<Rules>,
    pub(crate) plans: OnceLock<Plans>,
    /// Where the subscriber's Registry is, which tells it from others; 0 where nobody knows.
    pub(crate) registry: AtomicUsize,
    /// Spans are told how long threads were in them.
    pub(crate) times_busy: AtomicBool,
    /// Some spans are measured, kept or not.
    pub(crate) measures_spans: AtomicBool,
    /// Gone when the layer is.
    pub(crate) alive: Arc<()>,
}

impl Tracer {
    /// Whether it is a part of the subscriber with that Registry. One that came into it late, through a `reload` handle,
    /// was told by nobody: it has put its number into the spans that it saw.
    pub(crate) fn is_of(&self, registry: usize, marks: &[u64]) -> bool {
        if marks.contains(&self.number) {
            self.registry.store(registry, Relaxed);
        }
        registry != 0 && self.registry.load(Relaxed) == registry
    }

    /// Whether to look at what is going on; counts it where the reason is that telemetry looks away.
    #[expect(clippy::inline_always, reason = "a call costs more than all of it")]
    #[inline(always)]
    pub(crate) fn looks(&self, signal: Option<Signal>) -> bool {
        if !self.sink.is_enabled() {
            return false;
        }
        if is_suppressed() {
            if let Some(signal) = signal {
                self.sink.suppressed(signal);
            }
            return false;
        }
        true
    }

    #[inline]
    pub(crate) fn local<R>(&self, f: impl FnOnce(&mut Local) -> R) -> Option<R> {
        local::with(self.number, &self.alive, &self.sink, f)
    }

    /// Runs `f`, which runs no code of the user, with this thread's writer; with another one where the thread has nothing
    /// of its own any more.
    #[cold]
    pub(crate) fn write(&self, f: impl FnOnce(&mut Writer) + Clone) {
        if self.local(|local| f.clone()(&mut local.writer)).is_none() {
            self.sink.with_writer(f);
        }
    }

    /// Explicit parent, else the current span, else none. An explicit parent that this layer does not know,
    /// because a filter hides it, leaves a root.
    #[inline]
    pub(crate) fn parent(
        &self,
        explicit: Option<&Id>,
        contextual: bool,
        current: Option<(u64, &'static Slot)>,
    ) -> Option<(u64, &'static Slot)> {
        match explicit {
            Some(id) => Some((id.into_u64(), self.store.find(id.into_u64())?)),
            None => current.filter(|_| contextual),
        }
    }
}

impl Tracer {
    /// The same as [`Tracer::begin`] where the thread has nothing of its own any more.
    #[cold]
    pub(crate) fn begin_alone(&self, attributes: &Attributes<'_>, id: u64) -> Option<&'static Slot> {
        self.begin(None, attributes, id)
    }

    /// Takes down a span that opens now; its fields come later. None where there is no memory for it.
    #[expect(clippy::inline_always, reason = "called in one place where it matters")]
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        mut local: Option<&mut Local>,
        attributes: &Attributes<'_>,
        id: u64,
    ) -> Option<&'static Slot> {
        let current = local.as_deref().and_then(Local::current);
        let parent = self.parent(attributes.parent(), attributes.is_contextual(), current);
        let known = parent.and_then(|(id, slot)| Some((slot.context(id)?, id, slot)));
        let is_remote = known.is_none() && remote::has_remote_parent();
        let (new_trace, span_id) = new_ids();
        let site = attributes.metadata();
        let measured = self.measures_spans.load(Relaxed) && self.plan(site).metrics.is_some();
        let (context, parent, decided_here) = match known {
            Some((parent, _, slot)) => {
                slot.child_begins();
                (SpanContext { span_id, ..parent }, Some(parent.span_id), slot.is_decided_here())
            }
            None if is_remote => self.below_remote(new_trace, span_id, site),
            None => {
                let sampled = self.sink.sampler().keeps(new_trace, site, || self.sink.clock().now());
                (SpanContext { trace_id: new_trace, span_id, sampled }, None, true)
            }
        };
        let above = known.map_or(0, |(_, id, _)| id);
        let opening = Opening { context, parent, above, site, decided_here, measured };
        let slot = self.store.open(id, &opening)?;
        if is_remote || known.is_some_and(|(.., slot)| slot.propagates()) {
            let propagated = match known {
                Some((.., parent)) => parent.propagated(),
                None => remote::remote_parent().and_then(remote::carried),
            };
            slot.propagate(id, propagated);
        }
        if let Some(local) = &mut local {
            local.opened(id, slot);
        }
        Some(slot)
    }

    /// Where a span stands whose parent is elsewhere.
    #[cold]
    pub(crate) fn below_remote(
        &self,
        new_trace: TraceId,
        span_id: SpanId,
        site: &'static Metadata<'static>,
    ) -> (SpanContext, Option<SpanId>, bool) {
        let (sampler, now) = (self.sink.sampler(), || self.sink.clock().now());
        let Some(parent) = remote::remote_parent().map(|remote| remote.span) else {
            // The thread is ending, and what was told it is gone.
            let sampled = sampler.keeps(new_trace, site, now);
            return (SpanContext { trace_id: new_trace, span_id, sampled }, None, true);
        };
        let sampled = sampler.keeps_remote(parent, site, now);
        (SpanContext { trace_id: parent.trace_id, span_id, sampled }, Some(parent.span_id), false)
    }

    /// A span ends: it is written, if it is kept, and forgotten.
    #[inline]
    pub(crate) fn close(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
        if let above @ 1.. = slot.above()
            && let Some(parent) = self.store.find(above)
        {
            parent.child_ended();
        }
        if slot.is_sampled() {
            self.finish(id, slot, writer);
        } else {
            writer.sampled_out(Signal::Spans);
        }
        self.store.close(id, slot);
    }

    /// The same for a span that is measured, or where the thread is ending.
    #[cold]
    pub(crate) fn close_measured(&self, id: u64, slot: &'static Slot) {
        let _held = slot.is_measured().then(Held::now);
        if slot.is_measured() {
            self.local(|local| local.closes(id, slot));
            self.measure_span(slot);
        }
        self.write(|writer| self.close(id, slot, writer));
    }

    /// What is done with that call site.
    #[inline]
    pub(crate) fn plan(&self, site: &'static Metadata<'static>) -> &'static Plan {
        let rules = || self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        plan::of(self.number, site, || self.plans.get_or_init(|| Plans::new(rules())))
    }

    #[cold]
    pub(crate) fn measure_span(&self, slot: &Slot) {
        let measured = slot.site().and_then(|site| self.plan(site).metrics.as_ref());
        let Some(measured) = measured else { return };
        let seconds = self.sink.clock().now().since(slot.start()) as f64 / 1e9;
        let outcome = slot.outcome();
        with_tags(measured, slot, |tags| measured.sites.end(&self.sink, tags, outcome, seconds));
    }

    /// An event that may be more than one that is kept as it is.
    #[cold]
    pub(crate) fn event_by_plan(&self, event: &Event<'_>, plan: &Plan) {
        let (site, clock) = (event.metadata(), self.sink.clock());
        let current = self.local(|local| local.current()).flatten();
        let span = self.parent(event.parent(), event.is_contextual(), current);
        let context = span.and_then(|(id, slot)| slot.hand_out(id));
        let now = clock.now();
        let keeps = self.sink.sampler().keeps_event(context.map(|span| span.trace_id), site, || now);
        if !keeps {
            self.write(|writer| writer.sampled_out(Signal::Events));
        }
        let may_fail = *site.level() == Level::ERROR;
        let place = field_place();
        let mut fields = FieldBuf::at(&place);
        if plan.events == Events::Log {
            if keeps {
                let target = log_record::take(event, &plan.actions, &mut fields);
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
                slot.change(id, |late| late.fail(text));
            }
        }
        if plan.events == Events::Metrics {
            metric_fields::measure(event, &self.sink, &plan.actions);
        }
    }

    /// Writes a span that ends now.
    #[inline]
    pub(crate) fn finish(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
        if slot.is_late() || self.times_busy.load(Relaxed) {
            return self.finish_late(id, slot, writer);
        }
        let ((words, cut), start, clock) = (slot.words(), slot.start(), self.sink.clock());
        if let Some(head) = slot.head(id) {
            let record = Encoded::span(&SpanHead { cut, ..head }, words);
            writer.push_with(Signal::Spans, record, |record| record.end(clock.now().since(start)));
        }
    }

    /// The same with what most spans don't have.
    #[cold]
    pub(crate) fn finish_late(&self, id: u64, slot: &Slot, writer: &mut Writer) {
        let Some(head) = slot.head(id) else { return };
        let duration_nano = self.sink.clock().now().since(slot.start());
        let mut late = slot.take_late().unwrap_or_default();
        let mut fields = slot.fields(late.fields.take());
        if self.times_busy.load(Relaxed) {
            let busy = slot.busy();
            fields.push(Key::Name("busy_ns"), ValueRef::U64(busy));
            fields.push(Key::Name("idle_ns"), ValueRef::U64(duration_nano.saturating_sub(busy)));
        }
        let head = SpanHead {
            duration_nano,
            kind: late.kind,
            status: late.status(),
            name: late.name.as_deref(),
            cut: fields.cut(),
            trace_state: late.propagated.as_deref().map_or("", |propagated| &propagated.trace_state),
            links: Links::new(&late.links),
            ..head
        };
        let texts = head.texts();
        writer.push(Signal::Spans, Encoded::span(&head, (&*texts, fields.words())));
    }
}

/// Where fields are written that are not those of a new span.
#[inline]
pub(crate) fn field_place() -> [sync::atomic::AtomicU64; PLACE] {
    [const { sync::atomic::AtomicU64::new(0) }; PLACE]
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
        time: Time::Tick(now.raw()),
        site: Site::Static(site),
        cut: fields.cut(),
    }
}

/// Runs `f`, which runs no code of the user, with the tags that the fields of a span are.
pub(crate) fn with_tags(measured: &Measured, slot: &Slot, f: impl Fn(&[(&str, &str)])) {
    let Some(site) = slot.site().filter(|_| !measured.tags.is_empty()) else { return f(&[]) };
    let fields = slot.all_fields();
    let value = |key: &&'static str| Some((*key, fields.value_of(key, site)?));
    let tags: Vec<(&str, String)> = measured.tags.iter().filter_map(value).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    f(&tags);
}
