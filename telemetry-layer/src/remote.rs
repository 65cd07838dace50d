//! The contexts that are attached to this thread: where spans belong that open on it and have no span here around them.
//!
//! A context stands in front of the spans that the thread was in before, and behind those that it enters later. Nothing here
//! decides what is recorded.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;

use telemetry_core::__private::Suppression;
use telemetry_core::model::{SpanContext, TraceContext};

use crate::spans::{context_begins, context_ends};

thread_local! {
    static IS_ATTACHED: Cell<bool> = const { Cell::new(false) };
    /// The innermost one last, each with a number of its own.
    static ATTACHED: RefCell<Vec<(u64, Arc<TraceContext>)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a context attached to its thread.
#[derive(Debug)]
pub(crate) struct Attached {
    number: u64,
    _of_this_thread: PhantomData<*const ()>,
}

/// From now on that context is the innermost one. Nothing where the thread is ending.
pub(crate) fn attach(context: Arc<TraceContext>) -> Attached {
    // An allocator may open spans, which would look here.
    let _away = Suppression::begin();
    let push = |all: &RefCell<Vec<(u64, Arc<TraceContext>)>>| {
        let mut all = all.borrow_mut();
        let number = all.last().map_or(1, |(number, _)| number + 1);
        all.push((number, context));
        IS_ATTACHED.set(true);
        context_begins();
        number
    };
    Attached { number: ATTACHED.try_with(push).unwrap_or_default(), _of_this_thread: PhantomData }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let remove = |all: &RefCell<Vec<(u64, Arc<TraceContext>)>>| {
            let mut all = all.borrow_mut();
            // Mostly it is the last one.
            let at = all.iter().rposition(|(number, _)| *number == self.number)?;
            let (_, context) = all.remove(at);
            IS_ATTACHED.set(!all.is_empty());
            context_ends(all.len() - at);
            Some(context)
        };
        let _ = ATTACHED.try_with(remove);
    }
}

/// Whether a context is attached to this thread.
#[inline]
pub(crate) fn is_attached() -> bool {
    IS_ATTACHED.get()
}

/// The innermost context.
pub(crate) fn attached() -> Option<Arc<TraceContext>> {
    let last =
        |all: &RefCell<Vec<(u64, Arc<TraceContext>)>>| all.borrow().last().map(|(_, last)| Arc::clone(last));
    if is_attached() { ATTACHED.try_with(last).ok().flatten() } else { None }
}

/// The span that speaks in it.
#[inline]
pub(crate) fn attached_span() -> Option<SpanContext> {
    #[cold]
    fn of_attached() -> Option<SpanContext> {
        attached()?.span
    }
    if is_attached() { of_attached() } else { None }
}
