//! The spans that are open, kept by this layer itself and found by the id that the Registry gave them.
//!
//! A span has a slot of atomic words, so that any thread may look at any time: opening, entering and closing one takes no
//! lock and no atomic operation but loads and stores. Whoever opens a span is the only one who knows its id, and
//! whoever closes it is the last one; in between, what is recorded later takes the slot's lock. No code of the user
//! runs under it: fields are visited before.
//!
//! Slots are never given back: a layer that is gone leaves them to the next one.

use std::collections::HashMap;
use std::sync::atomic::fence;
use std::sync::{Arc, OnceLock, PoisonError};

use telemetry_core::clock::Tick;
use telemetry_core::model::record::{FieldBuf, Links, Site, SpanHead, Time, Words};
use telemetry_core::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceContext, TraceId};
use telemetry_core::private::Outcome;
use telemetry_core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use telemetry_core::sync::{Mutex, StaticRef};
use telemetry_core::thread::Suppression;
use tracing::Metadata;

use crate::locked::{self, Locked};
use crate::visit::{Code, Special};

use Ordering::{Acquire, Relaxed, Release};

/// A span between its start and its end.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The Registry's; 0 while no span is here.
    id: AtomicU64,
    trace: [AtomicU64; 2],
    span: AtomicU64,
    /// 0 for a root.
    parent: AtomicU64,
    /// The Registry's id of the parent, if that is here; otherwise 0.
    above: AtomicU64,
    start: AtomicU64,
    /// [`SAMPLED`] and so on.
    flags: AtomicU64,
    /// How many of `words` are used, and above that how many fields were cut.
    fields: AtomicU64,
    /// Nanoseconds in which threads were in it, where that is measured.
    busy: AtomicU64,
    site: StaticRef<Metadata<'static>>,
    /// Somebody may know the trace and the ids by now, or a child has ended, with the trace as it was.
    is_used: AtomicBool,
    /// A span has begun below it.
    is_parent: AtomicBool,
    /// It stands alone, and not where ids lead to.
    is_apart: AtomicBool,
    words: [AtomicU64; WORDS],
    late: Mutex<Option<Box<Late>>>,
}

/// What most spans don't have.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(crate) name: Option<String>,
    pub(crate) kind: SpanKind,
    pub(crate) code: Option<Code>,
    /// Of the error, if it becomes one.
    pub(crate) description: Option<String>,
    pub(crate) has_panicked: bool,
    pub(crate) links: Vec<SpanContext>,
    /// What travels with the trace beside its ids.
    pub(crate) propagated: Option<Arc<TraceContext>>,
    /// All fields, where they are too large for the slot.
    pub(crate) fields: Option<FieldBuf<'static>>,
}

/// Fields of so many words fit into a slot.
const WORDS: usize = 20;

/// The start of a span that has not begun: later than any other.
const NOT_YET: u64 = u64::MAX;

const SAMPLED: u64 = 1;
/// There is something in `late`.
const LATE: u64 = 1 << 1;
/// Among it, what children are told.
const PROPAGATES: u64 = 1 << 2;
/// It is measured, sampled or not.
const MEASURED: u64 = 1 << 3;
/// Whether its trace is kept was decided by this layer's collector.
const DECIDED_HERE: u64 = 1 << 4;

/// A span that begins.
pub(crate) struct Opening {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    /// The Registry's id of the parent, if that is here; otherwise 0.
    pub(crate) above: u64,
    pub(crate) site: &'static Metadata<'static>,
    pub(crate) decided_here: bool,
    pub(crate) measured: bool,
}

impl Slot {
    /// Takes a span in, without its fields.
    #[inline]
    fn open(&self, id: u64, span: &Opening) {
        let trace = span.context.trace_id.get();
        // Who still reads the span that was here before sees first that it is gone.
        fence(Release);
        self.trace[0].store((trace >> 64) as u64, Relaxed);
        self.trace[1].store(trace as u64, Relaxed);
        self.span.store(span.context.span_id.get(), Relaxed);
        self.parent.store(span.parent.map_or(0, SpanId::get), Relaxed);
        self.above.store(span.above, Relaxed);
        self.start.store(NOT_YET, Relaxed);
        self.fields.store(0, Relaxed);
        self.busy.store(0, Relaxed);
        self.site.set(span.site);
        self.is_used.store(false, Relaxed);
        self.is_parent.store(false, Relaxed);
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(span.context.sampled, SAMPLED) | flag(span.measured, MEASURED);
        self.flags.store(flags | flag(span.decided_here, DECIDED_HERE), Relaxed);
        self.id.store(id, Release);
    }

    /// Whether ids lead to it for ever.
    #[inline]
    pub(crate) fn has_place(&self) -> bool {
        !self.is_apart.load(Relaxed)
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
            return self.change(self.id(), |late| late.fields = Some(fields.to_owned()));
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
        let context = SpanContext {
            trace_id: TraceId::new(
                u128::from(self.trace[0].load(Relaxed)) << 64 | u128::from(self.trace[1].load(Relaxed)),
            )?,
            span_id: SpanId::new(self.span.load(Relaxed))?,
            sampled: self.flags.load(Relaxed) & SAMPLED != 0,
        };
        fence(Acquire);
        (self.id.load(Relaxed) == id).then_some(context)
    }

    /// The same for somebody who will remember it.
    #[inline]
    pub(crate) fn hand_out(&self, id: u64) -> Option<SpanContext> {
        self.is_used.store(true, Relaxed);
        self.context(id)
    }

    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Relaxed)
    }

    /// The Registry's id of its parent; 0 for a root.
    #[inline]
    pub(crate) fn above(&self) -> u64 {
        self.above.load(Relaxed)
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
        if !self.is_used.load(Relaxed) {
            self.is_used.store(true, Relaxed);
        }
    }

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
            self.change(id, |late| late.propagated = propagated);
            let _late = self.lock();
            self.flags.store(self.flags.load(Relaxed) & !PROPAGATES | flag, Relaxed);
        }
    }

    /// Another trace, and another parent if one is given, if the span with that id is still here. A span that was not sampled has no fields and begins now.
    pub(crate) fn move_to(&self, id: u64, context: SpanContext, parent: Option<SpanId>, now: Tick) {
        let _late = self.lock();
        if self.id() != id {
            return;
        }
        let trace = context.trace_id.get();
        self.trace[0].store((trace >> 64) as u64, Relaxed);
        self.trace[1].store(trace as u64, Relaxed);
        if let Some(parent) = parent {
            self.parent.store(parent.get(), Relaxed);
            self.above.store(0, Relaxed);
        }
        let flags = self.flags.load(Relaxed) & !DECIDED_HERE;
        if context.sampled && flags & (SAMPLED | MEASURED) == 0 {
            self.start.store(now.raw(), Relaxed);
            self.busy.store(0, Relaxed);
            let lost = self.site.get().map_or(0, |site| site.fields().len());
            self.fields.store((lost as u64) << 32, Relaxed);
        }
        self.flags.store(if context.sampled { flags | SAMPLED } else { flags & !SAMPLED }, Relaxed);
    }

    /// Changes what most spans don't have, if the span with that id is still here.
    #[cold]
    pub(crate) fn change(&self, id: u64, change: impl FnOnce(&mut Late)) {
        let mut late = self.lock();
        if self.id.load(Acquire) == id {
            self.flags.store(self.flags.load(Relaxed) | LATE, Relaxed);
            change(late.get_or_insert_default());
        }
    }

    /// Points to another span.
    pub(crate) fn link(&self, id: u64, to: SpanContext) {
        self.change(id, |late| {
            if late.links.len() < Links::MAX {
                late.links.push(to);
            }
        });
    }

    /// Fields that were recorded after the start: of a name that is there already the later value wins.
    pub(crate) fn update(&self, later: &FieldBuf<'_>) {
        let Some(site) = self.site.get() else { return };
        let mut late = self.lock();
        let before = late.as_mut().and_then(|late| late.fields.take());
        let fields = self.fields(before).updated(later, site);
        if fields.words().count() > WORDS {
            self.flags.store(self.flags.load(Relaxed) | LATE, Relaxed);
            late.get_or_insert_default().fields = Some(fields);
        } else {
            fields.words().write(&self.words);
            self.set_size(&fields);
        }
    }

    /// All fields now.
    pub(crate) fn all_fields(&self) -> FieldBuf<'static> {
        let late = self.lock();
        let elsewhere = late.as_ref().and_then(|late| late.fields.as_ref());
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

    pub(crate) fn outcome(&self) -> Outcome {
        if !self.is_late() {
            return Outcome::Ok;
        }
        match self.lock().as_deref() {
            Some(late) if late.has_panicked => Outcome::Panic,
            Some(late) if late.code == Some(Code::Error) => Outcome::Error,
            _ => Outcome::Ok,
        }
    }

    /// A thread was in it between these ticks, if the span with that id is still here.
    pub(crate) fn add_busy(&self, id: u64, since: Tick, until: Tick) {
        if self.id() == id {
            self.busy.fetch_add(until.since(since.max(self.start())), Relaxed);
        }
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy.load(Relaxed)
    }

    /// Whether it will be exported.
    #[inline]
    pub(crate) fn is_sampled(&self) -> bool {
        self.flags.load(Relaxed) & SAMPLED != 0
    }

    pub(crate) fn parent(&self) -> Option<SpanId> {
        SpanId::new(self.parent.load(Relaxed))
    }

    /// Whether it has what most spans don't have.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.flags.load(Relaxed) & LATE != 0
    }

    /// What most spans don't have, of one that ends.
    pub(crate) fn take_late(&self) -> Option<Box<Late>> {
        self.lock().take()
    }

    /// What its record begins with but for its duration, if the span with that id is still here.
    #[inline]
    pub(crate) fn head(&self, id: u64) -> Option<SpanHead<'static>> {
        Some(SpanHead {
            context: self.context(id)?,
            parent: self.parent(),
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

    /// Its span has ended: the slot serves another one.
    #[inline]
    fn free(&self) {
        self.id.store(0, Release);
        if self.is_late() {
            *self.lock() = None;
        }
    }

    fn lock(&self) -> Locked<'_, Option<Box<Late>>> {
        Locked::new(&self.late)
    }
}

impl Late {
    /// It failed, unless somebody has said how it ended.
    pub(crate) fn fail(&mut self, text: String) {
        if self.code.is_none() {
            self.code = Some(Code::Error);
            self.description.get_or_insert(text);
        }
    }

    pub(crate) fn status(&self) -> StatusRef<'_> {
        match self.code {
            None => StatusRef::Unset,
            Some(Code::Ok) => StatusRef::Ok,
            Some(Code::Error) => StatusRef::Error(self.description.as_deref().unwrap_or_default()),
        }
    }

    pub(crate) fn apply(&mut self, special: Special) {
        // Only an error has a description.
        let described = special.description.as_ref().map(|_| Code::Error);
        self.code = special.code.or(self.code).or(described);
        self.kind = special.kind.unwrap_or(self.kind);
        self.name = special.name.or_else(|| self.name.take());
        self.description = special.description.or_else(|| self.description.take());
    }
}

/// The open spans of one layer.
#[derive(Debug)]
pub(crate) struct Store {
    /// By the thread that created a span, which the Registry puts above bit 38 of its id.
    threads: [OnceLock<Shard>; THREADS],
    /// What has no place there: ids of another form, and spans beyond the number of slots.
    others: Mutex<HashMap<u64, &'static Slot>>,
    /// How many of these there are.
    many_others: AtomicUsize,
}

/// By the low bits of the id, which count from 0 and are used again: 32 slots, then twice as many, and so on.
type Shard = Box<[OnceLock<&'static [Slot]>; SEGMENTS]>;

const THREADS: usize = 512;
const FIRST: usize = 32;
const SEGMENTS: usize = 12;
/// Beyond that a span is not recorded, and counted.
const MOST_OTHERS: usize = 64 << 10;

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            threads: [const { OnceLock::new() }; THREADS],
            others: Mutex::default(),
            many_others: AtomicUsize::new(0),
        }
    }

    /// Takes a span in; none where there is no memory for it.
    #[inline]
    pub(crate) fn open(&self, id: u64, span: &Opening) -> Option<&'static Slot> {
        let slot = match self.place(id, true) {
            // Taken only by an id of another form.
            Some(slot) if slot.id.load(Relaxed) == 0 => slot,
            _ => self.other(id)?,
        };
        slot.open(id, span);
        Some(slot)
    }

    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<&'static Slot> {
        match self.place(id, false) {
            Some(slot) if slot.id.load(Acquire) == id => Some(slot),
            _ => self.find_other(id),
        }
    }

    #[cold]
    fn find_other(&self, id: u64) -> Option<&'static Slot> {
        if self.many_others.load(Relaxed) == 0 || locked::is_held() {
            return None;
        }
        self.others().get(&id).copied()
    }

    /// The span has ended, and nobody needs its slot any more.
    #[inline]
    pub(crate) fn close(&self, id: u64, slot: &'static Slot) {
        slot.free();
        if slot.is_apart.load(Relaxed) {
            self.forget(id);
        }
    }

    #[cold]
    fn forget(&self, id: u64) {
        let mut others = self.others();
        let slot = others.remove(&id);
        self.many_others.store(others.len(), Relaxed);
        drop(others);
        unused(|slots| slots.extend(slot.map(std::slice::from_ref)));
    }

    /// All that are open now.
    pub(crate) fn each(&self, mut f: impl FnMut(&'static Slot)) {
        let segments = self.threads.iter().filter_map(OnceLock::get).flat_map(|shard| shard.iter());
        let slots = segments.filter_map(OnceLock::get).flat_map(|slots| slots.iter());
        slots.filter(|slot| slot.id() != 0).for_each(&mut f);
        let others: Vec<_> = self.others().values().copied().collect();
        others.into_iter().for_each(f);
    }

    /// A span and all open ones below it, with their ids.
    pub(crate) fn below(&self, id: u64, slot: &'static Slot) -> Vec<(u64, &'static Slot)> {
        let mut below = vec![(id, slot)];
        if !slot.is_parent.load(Relaxed) {
            return below;
        }
        let mut children: HashMap<u64, Vec<(u64, &'static Slot)>> = HashMap::new();
        self.each(|slot| {
            let (id, above) = (slot.id(), slot.above());
            if id != 0 && above != 0 {
                children.entry(above).or_default().push((id, slot));
            }
        });
        let mut at = 0;
        while let Some((id, _)) = below.get(at) {
            below.extend(children.remove(id).unwrap_or_default());
            at += 1;
        }
        below
    }

    #[inline]
    fn place(&self, id: u64, make: bool) -> Option<&'static Slot> {
        let number = id.wrapping_sub(1);
        let thread = self.threads.get((number >> 38 & 0x1fff) as usize)?;
        let at = (number & ((1 << 38) - 1)) as usize + FIRST;
        let segment = (at / FIRST).ilog2() as usize;
        let first = FIRST << segment;
        if let Some(segments) = thread.get()
            && let Some(slots) = segments.get(segment)?.get()
        {
            return slots.get(at - first);
        }
        if make && segment < SEGMENTS { Self::make(thread, segment)?.get(at - first) } else { None }
    }

    #[cold]
    fn make(thread: &OnceLock<Shard>, segment: usize) -> Option<&'static [Slot]> {
        let _away = Suppression::begin();
        let segments = thread.get_or_init(|| Box::new([const { OnceLock::new() }; SEGMENTS]));
        Some(segments.get(segment)?.get_or_init(|| lease(FIRST << segment)))
    }

    #[cold]
    fn other(&self, id: u64) -> Option<&'static Slot> {
        let mut others = self.others();
        if others.len() >= MOST_OTHERS {
            return None;
        }
        let slot = lease(1).first()?;
        slot.is_apart.store(true, Relaxed);
        others.insert(id, slot);
        self.many_others.store(others.len(), Relaxed);
        Some(slot)
    }

    fn others(&self) -> Locked<'_, HashMap<u64, &'static Slot>> {
        Locked::new(&self.others)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let segments = self.threads.iter().filter_map(OnceLock::get).flat_map(|shard| shard.iter());
        let leased = segments.filter_map(OnceLock::get).copied();
        let others = self.others().drain().map(|(_, slot)| std::slice::from_ref(slot)).collect::<Vec<_>>();
        let all: Vec<&'static [Slot]> = leased.chain(others).collect();
        all.iter().flat_map(|slots| slots.iter()).for_each(Slot::free);
        unused(|slots| slots.extend(all));
    }
}

/// That many slots in a row.
fn lease(many: usize) -> &'static [Slot] {
    let again = unused(|all| {
        let at = all.iter().position(|slots| slots.len() == many)?;
        Some(all.swap_remove(at))
    });
    again.unwrap_or_else(|| Box::leak((0..many).map(|_| Slot::default()).collect()))
}

/// Runs `f` with the slots that no layer has.
fn unused<R>(f: impl FnOnce(&mut Vec<&'static [Slot]>) -> R) -> R {
    static FREE: std::sync::Mutex<Vec<&'static [Slot]>> = std::sync::Mutex::new(Vec::new());
    let _away = Suppression::begin();
    f(&mut FREE.lock().unwrap_or_else(PoisonError::into_inner))
}
