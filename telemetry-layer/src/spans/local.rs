//! What one thread has of one layer: which spans it is in, and where it writes what is finished.
//!
//! Fed by enter and exit, the stack follows per-layer filters.

use std::any::Any;
use std::cell::RefCell;
use std::sync::{Arc, OnceLock, Weak};

use telemetry_core::__private::is_suppressed;
use telemetry_core::__private::{Sink, Writer};
use telemetry_core::__private::{Tick, held};
use telemetry_core::model::{SpanContext, SpanId, TraceId};

use super::giving::Giving;
use super::slot::Slot;
use super::store::Store;

/// A span that the thread has entered, or a context that was attached to it.
#[derive(Clone, Copy, Debug)]
struct Entered {
    /// 0 for a context.
    id: u64,
    slot: &'static Slot,
    /// It was entered before and not left: then that entry says where the thread is, as in the Registry.
    again: bool,
    /// Whether the thread was panicking already.
    panicking: bool,
    /// Since when, where that is measured.
    since: Option<Tick>,
}

/// A span that the thread has left.
#[derive(Debug)]
pub(crate) struct Exited {
    pub(crate) slot: &'static Slot,
    pub(crate) by_panic: bool,
    pub(crate) since: Option<Tick>,
}

/// All that a layer has, of which nothing is known here.
pub(crate) type Layer = dyn Any + Send + Sync;

/// The span that a thread is in.
pub(crate) type Here = Option<(u64, &'static Slot)>;

/// What one thread has of one layer.
#[derive(Debug)]
pub(crate) struct ThreadState {
    layer: u64,
    tracer: Weak<Layer>,
    /// That the layer feeds.
    collector: u64,
    stack: Vec<Entered>,
    /// The span that was opened or left last: most are entered or closed next.
    last: Option<(u64, &'static Slot)>,
    /// The span that closed last with a held clock, and where that stood.
    closed: Option<(u64, SpanContext)>,
    /// Whether spans that it is in give tags.
    pub(crate) giving: Giving,
    pub(crate) writer: Writer,
}

/// What a thread has of each layer that was used on it.
#[derive(Debug)]
struct ThreadStates {
    /// Of the one that was used first: mostly there is no other.
    first: Option<ThreadState>,
    others: Vec<ThreadState>,
}

thread_local! {
    static STATES: RefCell<ThreadStates> = const { RefCell::new(ThreadStates { first: None, others: Vec::new() }) };
}

/// A thread is in at most that many spans at once, as far as this layer looks.
const MAX_DEPTH: usize = 1 << 16;

/// Runs `f`, which runs no code of the user, with what this thread has of that layer; nothing where the thread is
/// ending.
#[inline]
pub(crate) fn with_thread<R>(
    layer: u64,
    tracer: &Weak<Layer>,
    sink: &Sink,
    f: impl FnOnce(&mut ThreadState) -> R,
) -> Option<R> {
    let run = |states: &RefCell<ThreadStates>| {
        // Borrowed already only where an allocator makes spans.
        let mut states = states.try_borrow_mut().ok()?;
        let ThreadStates { first, others } = &mut *states;
        let thread = match first {
            Some(first) if first.layer == layer => first,
            _ => of_other_layer(first, others, layer, tracer, sink)?,
        };
        Some(f(thread))
    };
    STATES.try_with(run).ok().flatten()
}

/// Of a layer that is new to the thread, or not the first one on it.
#[cold]
fn of_other_layer<'a>(
    first: &'a mut Option<ThreadState>,
    others: &'a mut Vec<ThreadState>,
    layer: u64,
    tracer: &Weak<Layer>,
    sink: &Sink,
) -> Option<&'a mut ThreadState> {
    let make = || {
        let (collector, writer) = (sink.number(), sink.writer());
        let (tracer, stack, giving) = (Weak::clone(tracer), Vec::new(), Giving::default());
        ThreadState { layer, tracer, collector, stack, last: None, closed: None, giving, writer }
    };
    let known = others.iter().position(|thread| thread.layer == layer);
    if let Some(at) = known {
        return Some(&mut others[at]);
    }
    // Telemetry may hold the lock that a new writer needs, and an allocator enter a span.
    if is_suppressed() {
        return None;
    }
    // Those of layers that are gone go with them.
    others.retain(|thread| thread.tracer.strong_count() > 0);
    if first.as_ref().is_none_or(|thread| thread.tracer.strong_count() == 0) {
        return Some(first.insert(make()));
    }
    others.push(make());
    others.last_mut()
}

/// The span of a kept trace that this thread is in, of a layer that feeds that collector.
pub(crate) fn kept_span(collector: u64) -> Option<(TraceId, SpanId)> {
    let find = |states: &RefCell<ThreadStates>| {
        let states = states.try_borrow().ok()?;
        let all = states.first.iter().chain(&states.others);
        all.filter(|thread| thread.collector == collector).find_map(ThreadState::kept)
    };
    STATES.try_with(find).ok().flatten()
}

/// The layers that feed that collector and were used on this thread, and the span that it is in for each of them.
pub(crate) fn layers_of_thread(collector: u64) -> Vec<(Arc<Layer>, Here)> {
    let find = |states: &RefCell<ThreadStates>| {
        let states = states.try_borrow().ok()?;
        let all = states.first.iter().chain(&states.others).filter(|thread| thread.collector == collector);
        Some(all.filter_map(|thread| Some((thread.tracer.upgrade()?, thread.current()))).collect())
    };
    STATES.try_with(find).ok().flatten().unwrap_or_default()
}

/// A context is attached to this thread: it stands in front of the spans that the thread is in.
pub(crate) fn context_begins() {
    static NO_SPAN: OnceLock<&Slot> = OnceLock::new();
    let slot = NO_SPAN.get_or_init(|| Box::leak(Box::default()));
    each_state(|thread| {
        let entered = Entered { id: 0, slot, again: false, panicking: false, since: None };
        thread.stack.push(entered);
    });
}

/// It is attached no more; so many came after it and still are.
pub(crate) fn context_ends(later: usize) {
    each_state(|thread| {
        let mut contexts = thread.stack.iter().enumerate().rev().filter(|(_, entered)| entered.id == 0);
        if let Some((at, _)) = contexts.nth(later) {
            thread.stack.remove(at);
        }
    });
}

/// Whether this thread has entered no span since a context was attached to it, as far as any layer looks.
pub(crate) fn is_context_innermost() -> bool {
    let mut is_innermost = true;
    each_state(|thread| is_innermost &= thread.current().is_none_or(|(id, _)| id == 0));
    is_innermost
}

/// Runs `f`, which runs no code of the user, with what this thread has of each layer that was used on it.
fn each_state(f: impl FnMut(&mut ThreadState)) {
    let run = |states: &RefCell<ThreadStates>| {
        if let Ok(mut states) = states.try_borrow_mut() {
            let ThreadStates { first, others } = &mut *states;
            first.iter_mut().chain(others).for_each(f);
        }
    };
    let _ = STATES.try_with(run);
}

impl ThreadState {
    fn kept(&self) -> Option<(TraceId, SpanId)> {
        let current = || self.current().and_then(|(id, slot)| slot.publish(id));
        let closed = self.closed.filter(|(at, _)| *at == held()).map(|(_, context)| context);
        let context = closed.or_else(current)?;
        context.sampled.then_some((context.trace_id, context.span_id))
    }

    /// The open span with that id.
    #[inline]
    pub(crate) fn find(&self, store: &Store, id: u64) -> Option<&'static Slot> {
        match self.last {
            Some((last, slot)) if last == id && slot.id() == id => Some(slot),
            _ => store.find(id),
        }
    }

    /// A span that this thread will soon look for.
    #[inline]
    pub(crate) fn opened(&mut self, id: u64, slot: &'static Slot) {
        self.last = (!slot.is_overflow()).then_some((id, slot));
    }

    /// A span closes: what ends with the same reading of the clock belongs to it.
    #[inline]
    pub(crate) fn closes(&mut self, id: u64, slot: &Slot) {
        let held = held();
        if held != 0 {
            self.closed = slot.context(id).map(|context| (held, context));
        }
    }

    /// The span that the thread is in; a slot without one, and 0, where a context was attached since.
    #[inline]
    pub(crate) fn current(&self) -> Option<(u64, &'static Slot)> {
        let entered = self.stack.iter().rev().find(|entered| !entered.again)?;
        Some((entered.id, entered.slot))
    }

    /// All spans that it has entered and not left.
    pub(crate) fn entered(&self) -> impl Iterator<Item = (u64, &'static Slot)> {
        self.stack.iter().rev().map(|entered| (entered.id, entered.slot))
    }

    #[inline]
    pub(crate) fn enter(&mut self, id: u64, slot: &'static Slot, since: Option<Tick>) {
        if self.stack.len() < MAX_DEPTH {
            let again = self.stack.iter().any(|entered| entered.id == id);
            let since = since.filter(|_| !again);
            self.stack.push(Entered { id, slot, again, panicking: std::thread::panicking(), since });
        }
    }

    /// Leaves the span, wherever it stands. Nothing if there is nothing to do about that.
    #[inline]
    pub(crate) fn exit(&mut self, id: u64) -> Option<Exited> {
        let at = self.stack.iter().rposition(|entered| entered.id == id)?;
        // Mostly it is the last one.
        let left = if at + 1 == self.stack.len() { self.stack.pop()? } else { self.stack.remove(at) };
        let Entered { slot, panicking, since, .. } = left;
        self.opened(id, slot);
        let by_panic = !panicking && std::thread::panicking();
        (by_panic || since.is_some()).then_some(Exited { slot, by_panic, since })
    }
}
