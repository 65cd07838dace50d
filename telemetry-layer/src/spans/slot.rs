//! A place for one open span: atomic words, so that any thread may look at any time.
//!
//! Opening, entering and closing a span takes no lock and no atomic operation but loads and stores. The id is written last
//! and looked at again after everything else was read, as in a seqlock: who reads sees the whole of one span or none.
//! Whoever opens a span is the only one who knows its id, and whoever closes it is the last one; in between, what is
//! recorded later takes the slot's lock. No code of the user runs under it: fields are visited before.

mod threads;

use std::sync::Arc;
use std::sync::atomic::fence;

use telemetry_core::__private::Tick;
use telemetry_core::__private::record::{FieldBuf, Links, Site, SpanHead, Time, Words};
use telemetry_core::__private::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use telemetry_core::__private::sync::{Mutex, StaticRef};
use telemetry_core::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceContext, TraceId};
use tracing::Metadata;

use super::budget::Budget;
use super::extras::Extras;
use super::locked::Locked;
use crate::fields::OtelFields;

use Ordering::{Acquire, Relaxed, Release};

/// A span between its start and its end.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The Registry's; 0 while no span is here.
    id: AtomicU64,
    trace: [AtomicU64; 2],
    span: AtomicU64,
    /// The span id of the parent, here or elsewhere; 0 for a root.
    parent_span: AtomicU64,
    /// The Registry's id of the parent, if that is here; otherwise 0.
    parent_id: AtomicU64,
    start: AtomicU64,
    /// [`SAMPLED`] and so on.
    flags: AtomicU64,
    /// How many of `words` are used, and above that how many fields were cut.
    fields: AtomicU64,
    /// Nanoseconds in which threads were in it, where that is measured, and whether one was more than once.
    busy: AtomicU64,
    site: StaticRef<Metadata<'static>>,
    /// For what is in `extras`; that of the layer whose slot it is.
    budget: StaticRef<Budget>,
    /// Somebody may know the trace and the ids by now, or a child has ended, with the trace as it was.
    is_published: AtomicBool,
    /// A span has begun below it.
    is_parent: AtomicBool,
    /// It stands in the store's overflow, and not where ids lead to.
    is_overflow: AtomicBool,
    words: [AtomicU64; WORDS],
    extras: Mutex<Option<Box<Extras>>>,
}

/// Fields of so many words fit into a slot.
const WORDS: usize = 20;

/// A span has at most so many, however they are given to it: each new one is compared with all of them.
const MAX_FIELDS: usize = 255;

/// The start of a span that has not begun: later than any other.
const NOT_YET: u64 = u64::MAX;

const SAMPLED: u64 = 1;
/// There is something in `extras`.
const EXTRAS: u64 = 1 << 1;
/// Among it, what children are told.
const PROPAGATES: u64 = 1 << 2;
/// It is measured, sampled or not.
const MEASURED: u64 = 1 << 3;
/// Whether its trace is kept was decided by this layer's collector.
const DECIDED_HERE: u64 = 1 << 4;
/// Somebody vouches for the randomness of its trace id.
const RANDOM: u64 = 1 << 5;
/// Another program told of its parent.
const REMOTE_PARENT: u64 = 1 << 6;
/// There was no memory for what it has in `extras`: it will not be exported. It stays the parent of those below it.
const LOST: u64 = 1 << 7;
/// A span that begins.
pub(crate) struct Opening {
    pub(crate) context: SpanContext,
    pub(crate) parent_span: Option<SpanId>,
    /// Another program told of it.
    pub(crate) parent_is_remote: bool,
    /// The Registry's id of the parent, if that is here; otherwise 0.
    pub(crate) parent_id: u64,
    pub(crate) site: &'static Metadata<'static>,
    pub(crate) decided_here: bool,
    pub(crate) marks: u64,
}

impl Slot {
    /// Takes a span in, without its fields.
    #[inline]
    pub(super) fn open(&self, id: u64, span: &Opening) {
        let trace = span.context.trace_id.get();
        // Who still reads the span that was here before sees first that it is gone.
        fence(Release);
        self.trace[0].store((trace >> 64) as u64, Relaxed);
        self.trace[1].store(trace as u64, Relaxed);
        self.span.store(span.context.span_id.get(), Relaxed);
        self.parent_span.store(span.parent_span.map_or(0, SpanId::get), Relaxed);
        self.parent_id.store(span.parent_id, Relaxed);
        self.start.store(NOT_YET, Relaxed);
        self.fields.store(0, Relaxed);
        self.busy.store(0, Relaxed);
        self.site.set(span.site);
        self.is_published.store(false, Relaxed);
        self.is_parent.store(false, Relaxed);
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(span.context.sampled, SAMPLED) | span.marks;
        let flags = flags | flag(span.context.random, RANDOM);
        let flags = flags | flag(span.parent_is_remote, REMOTE_PARENT);
        self.flags.store(flags | flag(span.decided_here, DECIDED_HERE), Relaxed);
        self.id.store(id, Release);
    }

    /// What the flags of a span say that is measured, or not.
    pub(crate) fn flag_of_measured(is_measured: bool) -> u64 {
        if is_measured { MEASURED } else { 0 }
    }

    /// What it holds beside itself is booked there.
    pub(super) fn belong_to(&self, budget: &'static Budget) {
        self.budget.set(budget);
    }

    /// Books what it holds beside itself, with its lock; where there is no memory for that, the span is lost.
    fn book(&self, extras: &mut Extras) {
        if self.is_lost() || self.budget.get().is_some_and(|budget| !extras.book(budget)) {
            self.flags.store(self.flags.load(Relaxed) | LOST, Relaxed);
            extras.forget();
        }
    }

    /// Whether there was no memory for it.
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.flags.load(Relaxed) & LOST != 0
    }

    /// Whether it stands in the store's overflow, and not where ids lead to for ever.
    #[inline]
    pub(crate) fn is_overflow(&self) -> bool {
        self.is_overflow.load(Relaxed)
    }

    pub(super) fn put_into_overflow(&self) {
        self.is_overflow.store(true, Relaxed);
    }

    /// Whether a span has begun below it.
    pub(super) fn is_parent(&self) -> bool {
        self.is_parent.load(Relaxed)
    }

    /// Whether no span is here, for whoever may take one in.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.id.load(Relaxed) == 0
    }

    /// Where the fields of a span that opens are written. Nobody looks there before [`Slot::begin`].
    #[inline]
    pub(crate) fn place(&self) -> FieldBuf<'_> {
        FieldBuf::at(&self.words)
    }

    /// The span begins with these fields, which were written there, or did not fit.
    #[inline]
    pub(crate) fn begin(&self, start: Tick, fields: &FieldBuf<'_>) {
        self.start.store(start.raw(), Relaxed);
        if fields.is_elsewhere() {
            return self.change(self.id(), |extras| extras.fields = Some(fields.to_owned()));
        }
        self.set_size(fields);
    }

    #[inline]
    fn set_size(&self, fields: &FieldBuf<'_>) {
        self.fields.store(u64::from(fields.cut()) << 32 | fields.words().count() as u64, Release);
    }

    /// The fields, where they are in the slot, and how many were cut.
    #[inline]
    pub(crate) fn words(&self) -> (&[AtomicU64], u32) {
        let packed = self.fields.load(Acquire);
        let words = (packed as u32 as usize).min(WORDS);
        (&self.words[..words], (packed >> 32) as u32)
    }

    /// Where the span with that id stands, if it is still the one that is here.
    #[inline]
    pub(crate) fn context(&self, id: u64) -> Option<SpanContext> {
        let trace = u128::from(self.trace[0].load(Relaxed)) << 64 | u128::from(self.trace[1].load(Relaxed));
        let (trace, span) = (TraceId::new(trace)?, SpanId::new(self.span.load(Relaxed))?);
        let flags = self.flags.load(Relaxed);
        let mut context = SpanContext::new(trace, span, flags & SAMPLED != 0);
        context.random = flags & RANDOM != 0;
        fence(Acquire);
        (self.id.load(Relaxed) == id).then_some(context)
    }

    /// Where the span with that id stood, if it was the last one that was here.
    #[cfg(feature = "fmt")]
    pub(super) fn closed_context(&self, id: u64) -> Option<SpanContext> {
        if self.start.load(Relaxed) == id { self.context(0) } else { None }
    }

    /// The same for somebody who will remember it: from then on the span stays in its trace.
    #[inline]
    pub(crate) fn publish(&self, id: u64) -> Option<SpanContext> {
        self.is_published.store(true, Relaxed);
        self.context(id)
    }

    pub(crate) fn is_published(&self) -> bool {
        self.is_published.load(Relaxed)
    }

    /// The Registry's id of its parent; 0 for a root.
    #[inline]
    pub(crate) fn parent_id(&self) -> u64 {
        self.parent_id.load(Relaxed)
    }

    /// A span begins below it.
    #[inline]
    pub(crate) fn child_begins(&self) {
        if !self.is_parent.load(Relaxed) {
            self.is_parent.store(true, Relaxed);
        }
    }

    /// A child of it has ended.
    #[inline]
    pub(crate) fn child_ended(&self) {
        if !self.is_published.load(Relaxed) {
            self.is_published.store(true, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Acquire)
    }

    pub(crate) fn site(&self) -> Option<&'static Metadata<'static>> {
        self.site.get()
    }

    pub(crate) fn start(&self) -> Tick {
        Tick::from_raw(self.start.load(Relaxed))
    }

    /// Whether there is something that children are told.
    #[inline]
    pub(crate) fn propagates(&self) -> bool {
        self.flags.load(Relaxed) & PROPAGATES != 0
    }

    /// What children are told, and other programs.
    pub(crate) fn propagated(&self) -> Option<Arc<TraceContext>> {
        if self.propagates() { self.lock().as_ref()?.propagated.clone() } else { None }
    }

    #[cold]
    pub(crate) fn propagate(&self, id: u64, propagated: Option<Arc<TraceContext>>) {
        let flag = if propagated.is_some() { PROPAGATES } else { 0 };
        if propagated.is_some() || self.propagates() {
            self.change(id, |extras| extras.propagated = propagated);
            let _late = self.lock();
            self.flags.store(self.flags.load(Relaxed) & !PROPAGATES | flag, Relaxed);
        }
    }

    /// Another trace, and another parent if one is given, if the span with that id is still here. A span that was not
    /// sampled has no fields and begins now.
    pub(crate) fn move_to(&self, id: u64, context: SpanContext, parent_span: Option<SpanId>, now: Tick) {
        let _late = self.lock();
        if self.id() != id {
            return;
        }
        let trace = context.trace_id.get();
        self.trace[0].store((trace >> 64) as u64, Relaxed);
        self.trace[1].store(trace as u64, Relaxed);
        let mut flags = self.flags.load(Relaxed) & !DECIDED_HERE;
        if let Some(parent_span) = parent_span {
            self.parent_span.store(parent_span.get(), Relaxed);
            self.parent_id.store(0, Relaxed);
            flags = if context.is_remote { flags | REMOTE_PARENT } else { flags & !REMOTE_PARENT };
        }
        if context.sampled && flags & (SAMPLED | MEASURED) == 0 {
            self.start.store(now.raw(), Relaxed);
            self.busy.store(0, Relaxed);
            let lost = self.site.get().map_or(0, |site| site.fields().len());
            self.fields.store((lost as u64) << 32, Relaxed);
        }
        let flags = if context.sampled { flags | SAMPLED } else { flags & !SAMPLED };
        self.flags.store(if context.random { flags | RANDOM } else { flags & !RANDOM }, Relaxed);
    }

    /// What fields said of it, if they said anything and the span with that id is still here.
    pub(crate) fn apply(&self, id: u64, otel: OtelFields) {
        if otel.is_some() {
            self.change(id, |extras| extras.apply(otel));
        }
    }

    /// Changes what most spans don't have, if the span with that id is still here.
    #[cold]
    pub(crate) fn change(&self, id: u64, change: impl FnOnce(&mut Extras)) {
        let mut extras = self.lock();
        if self.id.load(Acquire) == id {
            self.flags.store(self.flags.load(Relaxed) | EXTRAS, Relaxed);
            let extras = extras.get_or_insert_default();
            change(extras);
            self.book(extras);
        }
    }

    /// Points to another span.
    pub(crate) fn link(&self, id: u64, to: SpanContext) {
        self.change(id, |extras| {
            if extras.links.len() < Links::MAX {
                extras.links.push(to);
            }
        });
    }

    /// Fields that were recorded after the start: of a name that is there already the later value wins.
    pub(crate) fn update(&self, later: &FieldBuf<'_>) {
        let Some(site) = self.site.get() else { return };
        let mut extras = self.lock();
        let before = extras.as_mut().and_then(|extras| extras.fields.take());
        let fields = self.fields(before).updated(later, site, MAX_FIELDS);
        if fields.words().count() > WORDS {
            self.flags.store(self.flags.load(Relaxed) | EXTRAS, Relaxed);
            extras.get_or_insert_default().fields = Some(fields);
        } else {
            fields.words().write(&self.words);
            self.set_size(&fields);
        }
        if let Some(extras) = extras.as_mut() {
            self.book(extras);
        }
    }

    /// All fields now.
    pub(crate) fn all_fields(&self) -> FieldBuf<'static> {
        let extras = self.lock();
        let elsewhere = extras.as_ref().and_then(|extras| extras.fields.as_ref());
        elsewhere.map_or_else(|| self.fields(None).to_owned(), FieldBuf::to_owned)
    }

    /// All fields; those that did not fit are elsewhere.
    pub(crate) fn fields(&self, elsewhere: Option<FieldBuf<'static>>) -> FieldBuf<'_> {
        elsewhere.unwrap_or_else(|| {
            let (words, cut) = self.words();
            FieldBuf::written(words, cut)
        })
    }

    #[inline]
    pub(crate) fn is_decided_here(&self) -> bool {
        self.flags.load(Relaxed) & DECIDED_HERE != 0
    }

    #[inline]
    pub(crate) fn is_measured(&self) -> bool {
        self.flags.load(Relaxed) & MEASURED != 0
    }

    /// Whether what happens to it matters to anybody.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.flags.load(Relaxed) & (SAMPLED | MEASURED) != 0
    }

    /// A thread was in it between these ticks, if the span with that id is still here.
    pub(crate) fn add_busy(&self, id: u64, since: Tick, until: Tick) {
        if self.id() == id {
            self.busy.fetch_add(until.since(since.max(self.start())), Relaxed);
        }
    }

    /// Whether it will be exported.
    #[inline]
    pub(crate) fn is_sampled(&self) -> bool {
        self.flags.load(Relaxed) & SAMPLED != 0
    }

    pub(crate) fn parent_span(&self) -> Option<SpanId> {
        SpanId::new(self.parent_span.load(Relaxed))
    }

    /// Whether it has what most spans don't have.
    #[inline]
    pub(crate) fn has_extras(&self) -> bool {
        self.flags.load(Relaxed) & EXTRAS != 0
    }

    /// What most spans don't have, of one that ends.
    pub(crate) fn take_extras(&self) -> Option<Box<Extras>> {
        self.lock().take()
    }

    /// The name that it was given after the one of its call site.
    pub(crate) fn late_name(&self) -> Option<String> {
        if self.has_extras() { self.lock().as_ref()?.name.clone() } else { None }
    }

    /// What its record begins with but for its duration, if the span with that id is still here.
    #[inline]
    pub(crate) fn head(&self, id: u64) -> Option<SpanHead<'static>> {
        Some(SpanHead {
            context: self.context(id)?,
            parent: self.parent_span(),
            parent_is_remote: Some(self.flags.load(Relaxed) & REMOTE_PARENT != 0),
            start: Time::Tick(self.start().raw()),
            duration_nano: 0,
            kind: SpanKind::Internal,
            status: StatusRef::Unset,
            name: None,
            site: Site::Static(self.site()?),
            cut: 0,
            trace_state: "",
            links: Links::default(),
        })
    }

    /// Its span has ended: the slot serves another one. Until then it says which one that was.
    #[inline]
    pub(super) fn free(&self, id: u64) {
        self.id.store(0, Release);
        // Who still reads the span sees first that it is gone.
        fence(Release);
        self.start.store(id, Relaxed);
        if self.has_extras() {
            *self.lock() = None;
        }
    }

    pub(super) fn lock(&self) -> Locked<'_, Option<Box<Extras>>> {
        Locked::new(&self.extras)
    }
}
