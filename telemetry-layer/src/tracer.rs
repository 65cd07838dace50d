//! What a layer has, and what it does with a span from its start to its end: from `tracing`'s view of it to a finished
//! record in the collector's buffers.
//!
//! Nothing here blocks, and no code of the user runs under a lock.

mod wishes;

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use telemetry_core::__private::Held;
use telemetry_core::__private::record::{Encoded, FieldBuf, Key, Links, SpanHead};
use telemetry_core::__private::{Sink, Tick, Writer};
use telemetry_core::__private::{is_suppressed, new_ids, thread_number};
use telemetry_core::Signal;
use telemetry_core::model::{SpanContext, SpanId, TraceContext, TraceId, ValueRef};
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Metadata};

use crate::fields::{Action, CallsitePlan, CallsitePlans, Rules, SpanMetricSites, plan_of};
use crate::generation::changed;
use crate::remote;
use crate::spans::{Opening, Slot, Store, ThreadState, with_thread};

/// What a layer has.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) sink: Sink,
    pub(crate) store: Store,
    /// Longer texts are cut.
    pub(crate) max_text: u32,
    /// Tells layers apart.
    number: u64,
    /// What is to be done beyond keeping spans and events; looked at when the first one comes.
    rules: Mutex<Rules>,
    plans: OnceLock<CallsitePlans>,
    /// Where the subscriber's Registry is, which tells it from others; 0 where nobody knows.
    registry: AtomicUsize,
    /// That subscriber, where the layer was told of it.
    subscriber: Mutex<Option<WeakDispatch>>,
    /// Spans are told how long threads were in them.
    times_busy: AtomicBool,
    /// There is something to do beyond remembering where threads are.
    minds_entering: AtomicBool,
    /// There is something to do beyond writing down what a span was.
    minds_closing: AtomicBool,
    /// There is something to do beyond taking a span down: the fields of some are needed, kept or not, or their threads are.
    minds_opening: AtomicBool,
    /// The fields of some spans are needed, kept or not.
    watches_spans: AtomicBool,
    /// Some fields of spans are tags of what is measured in them.
    gives_tags: AtomicBool,
    /// Somebody wants to know which thread a span is on.
    knows_threads: AtomicBool,
    /// Itself.
    own: Weak<dyn Any + Send + Sync>,
}

impl Tracer {
    pub(crate) fn new(sink: Sink) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new_cyclic(|own: &Weak<Self>| Self {
            store: Store::new(sink.open_spans_bytes()),
            max_text: sink.max_text(),
            sink,
            number: NEXT.fetch_add(1, Relaxed),
            rules: Mutex::default(),
            plans: OnceLock::new(),
            registry: AtomicUsize::new(0),
            subscriber: Mutex::default(),
            times_busy: AtomicBool::new(false),
            minds_entering: AtomicBool::new(true),
            minds_closing: AtomicBool::new(false),
            minds_opening: AtomicBool::new(false),
            watches_spans: AtomicBool::new(false),
            gives_tags: AtomicBool::new(false),
            knows_threads: AtomicBool::new(false),
            own: own.clone(),
        })
    }

    #[inline]
    pub(crate) fn gives_tags(&self) -> bool {
        self.gives_tags.load(Relaxed)
    }

    /// The same: spans are told how long threads were in them.
    pub(crate) fn time_busy(&self) {
        self.times_busy.store(true, Relaxed);
        self.minds_closing.store(true, Relaxed);
    }

    /// From now on it is known of spans on which thread they are.
    pub(crate) fn know_threads(&self) {
        let all = [&self.knows_threads, &self.minds_opening, &self.minds_entering, &self.minds_closing];
        all.into_iter().for_each(|minds| minds.store(true, Relaxed));
    }

    /// Whether it is.
    pub(crate) fn knows_threads(&self) -> bool {
        self.knows_threads.load(Relaxed)
    }

    /// Whether [`Tracer::entering`] has something to do when a thread enters a span.
    #[inline]
    pub(crate) fn minds_entering(&self) -> bool {
        self.minds_entering.load(Relaxed)
    }

    /// A thread enters a span; since when, where that is measured.
    #[inline]
    pub(crate) fn enter(&self, id: u64, since: Option<Tick>) {
        self.with_thread(|thread| {
            if let Some(slot) = thread.find(&self.store, id) {
                thread.enter(id, slot, since);
            }
        });
    }

    #[inline]
    pub(crate) fn times_busy(&self) -> bool {
        self.times_busy.load(Relaxed)
    }

    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// It is a part of that subscriber, which has that Registry.
    pub(crate) fn belongs_to(&self, subscriber: &Dispatch, registry: usize) {
        let before = self.registry.swap(registry, Relaxed);
        self.minds_entering.store(self.times_busy() || self.gives_tags() || self.knows_threads(), Relaxed);
        *self.subscriber.lock().unwrap_or_else(PoisonError::into_inner) = Some(subscriber.downgrade());
        if before != registry {
            changed();
        }
    }

    /// That subscriber, where the layer was told of it.
    #[cold]
    pub(crate) fn subscriber(&self) -> Option<Dispatch> {
        self.subscriber.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
    }

    /// Whether it is a part of a subscriber with a Registry, as far as it knows.
    #[inline]
    pub(crate) fn has_registry(&self) -> bool {
        self.registry() != 0
    }

    /// Where the Registry of its subscriber is; 0 where it knows of none.
    #[inline]
    pub(crate) fn registry(&self) -> usize {
        self.registry.load(Relaxed)
    }

    /// Whether it is a part of that subscriber with that Registry. One that came into it late, through a `reload` handle, or
    /// among others in a `Vec`, was told by nobody: it has put its number into the spans that it saw.
    pub(crate) fn is_of(&self, subscriber: &Dispatch, registry: usize, marks: &[u64]) -> bool {
        if marks.contains(&self.number) {
            self.belongs_to(subscriber, registry);
        }
        registry != 0 && self.registry.load(Relaxed) == registry
    }

    /// Whether what is going on is recorded; what is not, because telemetry is suppressed on this thread, is counted.
    #[expect(clippy::inline_always, reason = "a call costs more than all of it")]
    #[inline(always)]
    pub(crate) fn is_recording(&self, signal: Option<Signal>) -> bool {
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

    /// Runs `f`, which runs no code of the user, with what this thread has of the layer; nothing where the thread is
    /// ending.
    #[inline]
    pub(crate) fn with_thread<R>(&self, f: impl FnOnce(&mut ThreadState) -> R) -> Option<R> {
        with_thread(self.number, &self.own, &self.sink, f)
    }

    /// Runs `f`, which runs no code of the user, with this thread's writer; with another one where the thread has nothing
    /// of its own any more.
    #[cold]
    pub(crate) fn write(&self, f: impl FnOnce(&mut Writer) + Clone) {
        if self.with_thread(|thread| f.clone()(&mut thread.writer)).is_none() {
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
        mut thread: Option<&mut ThreadState>,
        attributes: &Attributes<'_>,
        id: u64,
    ) -> Option<&'static Slot> {
        let current = thread.as_deref().and_then(ThreadState::current);
        let parent = self.parent(attributes.parent(), attributes.is_contextual(), current);
        let known = parent.and_then(|(id, slot)| Some((slot.context(id)?, id, slot)));
        let is_remote = known.is_none() && remote::is_attached() && !attributes.is_root();
        let (new_trace, span_id) = new_ids();
        let site = attributes.metadata();
        let marks =
            if self.minds_opening.load(Relaxed) { self.marks(site, known.map(|(.., slot)| slot)) } else { 0 };
        let (context, parent, decided_here) = match known {
            Some((parent, _, slot)) => {
                slot.child_begins();
                (parent.with_span(span_id), Some(parent), slot.is_decided_here())
            }
            None if is_remote => self.below_remote(new_trace, span_id, site),
            None => {
                let sampled = self.sink.sampler().keeps(new_trace, site, || self.sink.clock().now());
                (SpanContext::new(new_trace, span_id, sampled).with_random(true), None, true)
            }
        };
        let parent_id = known.map_or(0, |(_, id, _)| id);
        let parent_span = parent.map(|parent| parent.span_id);
        let parent_is_remote = parent.is_some_and(|parent| parent.is_remote);
        let opening =
            Opening { context, parent_span, parent_is_remote, parent_id, site, decided_here, marks };
        let slot = self.store.open(id, &opening)?;
        if is_remote || known.is_some_and(|(.., slot)| slot.propagates()) {
            let propagated = match known {
                Some((.., parent)) => parent.propagated(),
                None => remote::attached().and_then(|remote| self.carried(remote, context.sampled)),
            };
            slot.propagate(id, propagated);
        }
        if let Some(thread) = &mut thread {
            thread.opened(id, slot);
        }
        Some(slot)
    }

    /// What is to be remembered of a span that opens, for what is done when it closes.
    #[cold]
    fn marks(&self, site: &'static Metadata<'static>, parent: Option<&'static Slot>) -> u64 {
        let is_measured = self.watches_spans.load(Relaxed) && self.plan(site).is_watched();
        let thread = if self.knows_threads() { thread_number() } else { 0 };
        Slot::flag_of_measured(is_measured) | Slot::flags_of_thread(thread, parent)
    }

    /// Where a span stands whose parent is elsewhere.
    #[cold]
    fn below_remote(
        &self,
        new_trace: TraceId,
        span_id: SpanId,
        site: &'static Metadata<'static>,
    ) -> (SpanContext, Option<SpanContext>, bool) {
        let (sampler, now) = (self.sink.sampler(), || self.sink.clock().now());
        let remote = remote::attached();
        let Some((remote, parent)) = remote.as_deref().and_then(|remote| Some((remote, remote.span?))) else {
            // It brings nothing but baggage, or the thread is ending, and what was told it is gone.
            let sampled = sampler.keeps(new_trace, site, now);
            return (SpanContext::new(new_trace, span_id, sampled).with_random(true), None, true);
        };
        let sampled = sampler.keeps_remote(remote, site, now);
        (parent.with_span(span_id).with_sampled(sampled), Some(parent), false)
    }

    /// What spans below are told of that context beside ids.
    #[cold]
    pub(crate) fn carried(&self, context: Arc<TraceContext>, sampled: bool) -> Option<Arc<TraceContext>> {
        let mut context = context;
        if let Some(state) = self.sink.sampler().trace_state_below(&context, sampled) {
            Arc::make_mut(&mut context).trace_state = state;
        }
        context.is_more_than_ids().then_some(context)
    }

    /// Where an open span stands, for other programs: from then on it stays in its trace.
    pub(crate) fn trace_context(&self, id: u64, slot: &'static Slot) -> Option<TraceContext> {
        let span = slot.publish(id)?;
        let mut context = slot.propagated().map(Arc::unwrap_or_clone).unwrap_or_default().with_span(span);
        if span.sampled && slot.is_decided_here() {
            context.trace_state =
                self.sink.sampler().trace_state_of_own(std::mem::take(&mut context.trace_state));
        }
        Some(context)
    }

    /// A span ends: it is written, if it is kept, and forgotten.
    #[inline]
    pub(crate) fn close(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
        if let parent_id @ 1.. = slot.parent_id()
            && let Some(parent) = self.store.find(parent_id)
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
            self.with_thread(|thread| thread.closes(id, slot));
            self.measure_span(slot);
        }
        self.write(|writer| self.close(id, slot, writer));
    }

    /// What is done with that call site.
    #[inline]
    pub(crate) fn plan(&self, site: &'static Metadata<'static>) -> &'static CallsitePlan {
        let rules = || self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        plan_of(self.number, site, || self.plans.get_or_init(|| CallsitePlans::new(rules())))
    }

    /// What is done with a field of that name, which its call site does not declare.
    #[cold]
    pub(crate) fn action(&self, name: &str) -> Action {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).action(name)
    }

    #[cold]
    fn measure_span(&self, slot: &Slot) {
        let measured = slot.site().and_then(|site| self.plan(site).metrics.as_ref());
        let Some(measured) = measured else { return };
        let seconds = self.sink.clock().now().since(slot.start()) as f64 / 1e9;
        let outcome = slot.outcome();
        with_tags(measured, slot, |tags| measured.sites.end(&self.sink, tags, outcome, seconds));
    }

    /// Writes a span that ends now.
    #[inline]
    fn finish(&self, id: u64, slot: &'static Slot, writer: &mut Writer) {
        if slot.has_extras() || self.minds_closing.load(Relaxed) {
            return self.finish_with_extras(id, slot, writer);
        }
        let ((words, cut), start, clock) = (slot.words(), slot.start(), self.sink.clock());
        if let Some(head) = slot.head(id) {
            let record = Encoded::span(&SpanHead { cut, ..head }, words);
            writer.push_with(Signal::Spans, record, |record| record.end(clock.now().since(start)));
        }
    }

    /// The same with what most spans don't have.
    #[cold]
    fn finish_with_extras(&self, id: u64, slot: &Slot, writer: &mut Writer) {
        let Some(head) = slot.head(id) else { return };
        if slot.is_lost() {
            return writer.open_spans_full();
        }
        let duration_nano = self.sink.clock().now().since(slot.start());
        let mut extras = slot.take_extras().unwrap_or_default();
        let mut fields = slot.fields(extras.fields.take());
        if self.times_busy()
            && let Some(site) = slot.site()
        {
            let (mut times, busy) = (FieldBuf::new(), slot.busy());
            times.push(Key::Name("busy_ns"), ValueRef::U64(busy));
            times.push(Key::Name("idle_ns"), ValueRef::U64(duration_nano.saturating_sub(busy)));
            fields = fields.updated(&times, site, usize::MAX);
        }
        let head = SpanHead {
            duration_nano,
            kind: extras.kind,
            status: extras.status(),
            name: extras.name.as_deref(),
            cut: fields.cut(),
            trace_state: extras.propagated.as_deref().map_or("", |propagated| &propagated.trace_state),
            links: Links::new(&extras.links),
            ..head
        };
        let texts = head.texts();
        let mut record = Encoded::span(&head, (&*texts, fields.words()));
        if self.knows_threads() && slot.was_only_on(thread_number()) {
            record.on_one_thread(slot.is_parent_far());
        }
        writer.push(Signal::Spans, record);
    }
}

/// Runs `f`, which runs no code of the user, with the tags that the fields of a span are.
fn with_tags(measured: &SpanMetricSites, slot: &Slot, f: impl Fn(&[(&str, &str)])) {
    let Some(site) = slot.site().filter(|_| !measured.tags.is_empty()) else { return f(&[]) };
    let fields = slot.all_fields();
    let value = |key| Some((key, fields.value_of(key, site)?));
    let tags: Vec<(&str, String)> = measured.tags.iter().filter_map(|key| value(&**key)).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    f(&tags);
}
