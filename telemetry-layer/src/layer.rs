//! The layer: from `tracing`'s calls to finished records in the collector's buffers.
//!
//! A span is taken down when it opens, kept in this layer's own store while it is open, and written as one
//! record when it closes; an event is written at once. What is not sampled, or made by telemetry itself, is
//! counted and not written. Nothing here blocks, and no code of the user runs under a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use telemetry_core::clock::{Held, Tick};
use telemetry_core::model::record::{Encoded, EventHead, FieldBuf, Key, Links, Site, SpanHead, Time};
use telemetry_core::model::{SpanContext, SpanId, Text, TraceId, ValueRef};
use telemetry_core::thread::{is_suppressed, look_for_spans, new_ids};
use telemetry_core::{Collector, Signal, Sink, Writer, sync};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::context;
use crate::local::{self, Local};
use crate::open_spans::OpenSpans;
use crate::plan::{self, Events, Measured, Plan, Plans, Rules, SpanMetrics};
use crate::store::{Opening, Slot, Store};
use crate::visit::Recorder;
use crate::{heartbeat, log_record, metric_fields};

/// Fields of an event, or recorded later, that need more words take memory of their own.
const PLACE: usize = 24;

/// Turns spans and events into telemetry of the collector it was made with.
///
/// ```
/// use telemetry_layer::prelude::*;
///
/// // Global, so that attributes and instruments feed it too; `start` makes one for this layer alone.
/// let telemetry = Collector::builder().export("discard:").install()?;
/// tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry)).init();
/// tracing::info_span!("work", items = 3).in_scope(|| tracing::info!("done"));
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
///
/// It stands beside other layers and changes nothing that they see. It does not keep the collector running: what
/// comes after the collector's shutdown, or after its last handle or its guard was dropped, is lost and counted.
///
/// In a `reload::Layer` it can be put in and taken out at any time. Put in a new one each time: one that was taken out
/// while spans were open missed their ends, and would take them for the parents of what comes. A span that closes on a
/// thread with another default subscriber does not let go of its parent (`tracing-subscriber` asks the default one),
/// which then stays among the open spans.
///
/// Some fields of spans have a meaning, as in `tracing-opentelemetry`, and are not exported as fields:
/// `otel.name`, `otel.kind` (`server`, `client`, ..), `otel.status_code` (`ok`, `error`) and
/// `otel.status_description`. A span that a panic leaves has the status error.
///
/// Some fields of events are measurements; the other fields of the event, without its message, are their tags:
///
/// | field | what it does |
/// | --- | --- |
/// | `monotonic_counter.x` | adds to the counter `x` |
/// | `counter.x` | adds to the up-down counter `x` |
/// | `histogram.x` | records a value of the histogram `x` |
/// | `gauge.x` | sets the gauge `x` |
// Threads that share a scoped `Dispatch` count it in front of the subscriber: what they read stands in another cache
// line (two threads: 330 ns a span instead of 505).
#[repr(align(128))]
#[derive(Debug)]
pub struct TelemetryLayer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) sink: Sink,
    /// Tells layers apart.
    number: u64,
    pub(crate) store: Store,
    /// What is to be done beyond keeping spans and events; looked at when the first one comes.
    rules: Mutex<Rules>,
    plans: OnceLock<Plans>,
    /// Where the subscriber's Registry is, which tells it from others; 0 where nobody knows.
    registry: AtomicUsize,
    /// Spans are told how long threads were in them.
    times_busy: AtomicBool,
    /// Some spans are measured, kept or not.
    measures_spans: AtomicBool,
    /// Gone when the layer is.
    alive: Arc<()>,
}

impl TelemetryLayer {
    /// A layer that feeds that collector.
    pub fn new(collector: &Collector) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (sink, number) = (collector.sink(), NEXT.fetch_add(1, Relaxed));
        let inner = Arc::new(Inner {
            sink,
            number,
            store: Store::new(),
            rules: Mutex::default(),
            plans: OnceLock::new(),
            registry: AtomicUsize::new(0),
            times_busy: AtomicBool::new(false),
            measures_spans: AtomicBool::new(false),
            alive: Arc::default(),
        });
        context::register(&inner);
        look_for_spans(local::kept_span);
        Self { inner }
    }

    /// The same, measuring spans.
    pub fn with_span_metrics(self, metrics: SpanMetrics) -> Self {
        self.inner.measures_spans.store(true, Relaxed);
        self.plan(|rules| rules.metrics = Some(metrics))
    }

    /// The same with `[redacted]` in place of the values of fields whose names are like one of these: `*` stands for any
    /// text, `?` for one character. For spans and events; records of `log` have the fields `message`, `code.file.path` and
    /// `code.line.number`.
    pub fn redact_fields<T: Into<Text>>(self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.plan(|rules| rules.redacted.extend(patterns.into_iter().map(Into::into)))
    }

    /// The same without the fields whose names are like one of these.
    pub fn drop_fields<T: Into<Text>>(self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.plan(|rules| rules.dropped.extend(patterns.into_iter().map(Into::into)))
    }

    /// The same, with the fields `busy_ns` and `idle_ns` on each span that is kept: the nanoseconds in which threads were
    /// in it, counted once for each of them, and what is left of its duration. Entering and leaving a span then read the
    /// clock.
    pub fn with_busy_times(self) -> Self {
        self.inner.times_busy.store(true, Relaxed);
        self
    }

    /// Shows the spans that are open now, after the layer has gone into a subscriber.
    pub fn open_spans(&self) -> OpenSpans {
        OpenSpans::new(&self.inner)
    }

    /// From now on each span that is open for that long makes an event `span is open` each time it has been open for so
    /// long again, with its name, its age in seconds, and its ids: so a backend sees it before it ends. A thread of
    /// its own looks after them as long as the layer lives.
    pub fn heartbeats(&self, every: Duration) -> std::io::Result<()> {
        heartbeat::start(self.open_spans(), self.inner.sink.collector(), every)
    }

    /// Only before anything has come through the layer.
    fn plan(self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.inner.rules.lock().unwrap_or_else(PoisonError::into_inner));
        self
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl Inner {
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
    fn looks(&self, signal: Option<Signal>) -> bool {
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
    fn local<R>(&self, f: impl FnOnce(&mut Local) -> R) -> Option<R> {
        local::with(self.number, &self.alive, &self.sink, f)
    }

    /// Runs `f`, which runs no code of the user, with this thread's writer; with another one where the thread has nothing
    /// of its own any more.
    #[cold]
    fn write(&self, f: impl FnOnce(&mut Writer) + Clone) {
        if self.local(|local| f.clone()(&mut local.writer)).is_none() {
            self.sink.with_writer(f);
        }
    }

    /// Explicit parent, else the current span, else none. An explicit parent that this layer does not know,
    /// because a filter hides it, leaves a root.
    #[inline]
    fn parent(
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

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TelemetryLayer {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.inner.registry.store(context::registry_of(subscriber), Relaxed);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let inner = &*self.inner;
        if inner.registry.load(Relaxed) == 0 {
            context::mark(ctx.span(id), inner.number);
        }
        if !inner.looks(Some(Signal::Spans)) {
            return;
        }
        let begun = inner
            .local(|local| inner.begin(Some(local), attributes, id.into_u64()))
            .unwrap_or_else(|| inner.begin_alone(attributes, id.into_u64()));
        let Some(slot) = begun else {
            return inner.write(|writer| writer.dropped(Signal::Spans));
        };
        if !slot.is_watched() {
            return;
        }
        let (mut fields, plan) = (slot.place(), inner.plan(attributes.metadata()));
        // With the timer of its function, if it has one: known before the code of the user runs, which may begin others.
        let announced = if plan.is_timed { inner.sink.clock().announced() } else { None };
        if plan.is_plain {
            attributes.record(&mut Recorder { fields: &mut fields, rules: None });
        } else {
            let special = plan.record(|recorder| attributes.record(recorder), &mut fields);
            if special.is_some() {
                slot.change(id.into_u64(), |late| late.apply(special));
            }
        }
        // The clock last: what comes before and what comes after do not wait for each other then.
        slot.begin(announced.unwrap_or_else(|| inner.sink.clock().now()), &fields);
        if let Some(measured) = &plan.metrics {
            measured.sites.begin(&inner.sink);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let inner = &*self.inner;
        let Some(slot) = inner.store.find(id.into_u64()) else { return };
        if !inner.looks(None) || !slot.is_watched() {
            return;
        }
        let Some(site) = slot.site() else { return };
        let place = field_place();
        let mut fields = FieldBuf::at(&place);
        let special = inner.plan(site).record(|recorder| values.record(recorder), &mut fields);
        if !fields.is_empty() || fields.cut() > 0 {
            slot.update(&fields);
        }
        if special.is_some() {
            slot.change(id.into_u64(), |late| late.apply(special));
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        let store = &self.inner.store;
        // One that is closed, or that a filter hides, is nothing that can be pointed to.
        let to = store.find(follows.into_u64()).and_then(|slot| slot.hand_out(follows.into_u64()));
        if let Some((slot, to)) = store.find(id.into_u64()).zip(to) {
            slot.link(id.into_u64(), to);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let inner = &*self.inner;
        if !inner.looks(Some(Signal::Events)) {
            return;
        }
        let (site, clock) = (event.metadata(), inner.sink.clock());
        let plan = inner.plan(site);
        if !plan.is_plain || !inner.sink.sampler().keeps_all_events() {
            return inner.event_by_plan(event, plan);
        }
        let now = clock.now();
        let place = field_place();
        let mut fields = FieldBuf::at(&place);
        event.record(&mut Recorder { fields: &mut fields, rules: None });
        let written = inner.local(|local| {
            let span = inner.parent(event.parent(), event.is_contextual(), local.current());
            let context = span.and_then(|(id, slot)| slot.hand_out(id));
            let head = event_head(context, site, now, &fields);
            local.writer.push(Signal::Events, Encoded::event(&head, fields.words()));
        });
        if written.is_none() {
            let span = inner.parent(event.parent(), false, None);
            let context = span.and_then(|(id, slot)| slot.hand_out(id));
            let record = Encoded::event(&event_head(context, site, now, &fields), fields.words());
            inner.sink.with_writer(|writer| writer.push(Signal::Events, record));
        }
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let (inner, id) = (&*self.inner, id.into_u64());
        inner.local(|local| {
            if let Some(slot) = local.find(&inner.store, id) {
                let since = inner.times_busy.load(Relaxed).then(|| inner.sink.clock().now());
                local.enter(id, slot, since);
            }
        });
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let left = self.inner.local(|local| local.exit(id.into_u64())).flatten();
        let Some(left) = left else { return };
        if let Some(since) = left.since {
            left.slot.add_busy(id.into_u64(), since, self.inner.sink.clock().now());
        }
        if left.by_panic {
            left.slot.change(id.into_u64(), |late| {
                late.has_panicked = true;
                late.fail("panicked".to_owned());
            });
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let (inner, id) = (&*self.inner, id.into_u64());
        let measured = inner.local(|local| {
            let slot = local.find(&inner.store, id)?;
            local.closes(id, slot);
            if slot.is_measured() {
                return Some(slot);
            }
            inner.close(id, slot, &mut local.writer);
            None
        });
        // A thread that is ending has nothing of its own any more.
        if let Some(slot) = measured.unwrap_or_else(|| inner.store.find(id)) {
            inner.close_measured(id, slot);
        }
    }
}

impl Inner {
    /// The same as [`Inner::begin`] where the thread has nothing of its own any more.
    #[cold]
    fn begin_alone(&self, attributes: &Attributes<'_>, id: u64) -> Option<&'static Slot> {
        self.begin(None, attributes, id)
    }

    /// Takes down a span that opens now; its fields come later. None where there is no memory for it.
    #[expect(clippy::inline_always, reason = "called in one place where it matters")]
    #[inline(always)]
    fn begin(
        &self,
        mut local: Option<&mut Local>,
        attributes: &Attributes<'_>,
        id: u64,
    ) -> Option<&'static Slot> {
        let current = local.as_deref().and_then(Local::current);
        let parent = self.parent(attributes.parent(), attributes.is_contextual(), current);
        let known = parent.and_then(|(id, slot)| Some((slot.context(id)?, id, slot)));
        let is_remote = known.is_none() && context::has_remote_parent();
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
                None => context::remote_parent().and_then(context::carried),
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
    fn below_remote(
        &self,
        new_trace: TraceId,
        span_id: SpanId,
        site: &'static Metadata<'static>,
    ) -> (SpanContext, Option<SpanId>, bool) {
        let (sampler, now) = (self.sink.sampler(), || self.sink.clock().now());
        let Some(parent) = context::remote_parent().map(|remote| remote.span) else {
            // The thread is ending, and what was told it is gone.
            let sampled = sampler.keeps(new_trace, site, now);
            return (SpanContext { trace_id: new_trace, span_id, sampled }, None, true);
        };
        let sampled = sampler.keeps_remote(parent, site, now);
        (SpanContext { trace_id: parent.trace_id, span_id, sampled }, Some(parent.span_id), false)
    }

    /// A span ends: it is written, if it is kept, and forgotten.
    #[inline]
    fn close(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
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
    fn close_measured(&self, id: u64, slot: &'static Slot) {
        let _held = slot.is_measured().then(Held::now);
        if slot.is_measured() {
            self.local(|local| local.closes(id, slot));
            self.measure_span(slot);
        }
        self.write(|writer| self.close(id, slot, writer));
    }

    /// What is done with that call site.
    #[inline]
    fn plan(&self, site: &'static Metadata<'static>) -> &'static Plan {
        let rules = || self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        plan::of(self.number, site, || self.plans.get_or_init(|| Plans::new(rules())))
    }

    #[cold]
    fn measure_span(&self, slot: &Slot) {
        let measured = slot.site().and_then(|site| self.plan(site).metrics.as_ref());
        let Some(measured) = measured else { return };
        let seconds = self.sink.clock().now().since(slot.start()) as f64 / 1e9;
        let outcome = slot.outcome();
        with_tags(measured, slot, |tags| measured.sites.end(&self.sink, tags, outcome, seconds));
    }

    /// An event that may be more than one that is kept as it is.
    #[cold]
    fn event_by_plan(&self, event: &Event<'_>, plan: &Plan) {
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
    fn finish(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
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
    fn finish_late(&self, id: u64, slot: &Slot, writer: &mut Writer) {
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
fn field_place() -> [sync::atomic::AtomicU64; PLACE] {
    [const { sync::atomic::AtomicU64::new(0) }; PLACE]
}

/// What the record of an event in that span begins with.
#[inline]
fn event_head<'a>(
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
fn with_tags(measured: &Measured, slot: &Slot, f: impl Fn(&[(&str, &str)])) {
    let Some(site) = slot.site().filter(|_| !measured.tags.is_empty()) else { return f(&[]) };
    let fields = slot.all_fields();
    let value = |key: &&'static str| Some((*key, fields.value_of(key, site)?));
    let tags: Vec<(&str, String)> = measured.tags.iter().filter_map(value).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    f(&tags);
}
