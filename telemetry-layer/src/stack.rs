//! Which span a thread is in, for one layer: fed by enter and exit, so that it follows per-layer filters.

use std::cell::RefCell;

use telemetry_core::model::SpanContext;

/// A span that the thread has entered.
#[derive(Clone, Copy, Debug)]
struct Entered {
    id: u64,
    context: SpanContext,
    /// It was entered before and not left: then that entry says where the thread is, as in the Registry.
    again: bool,
    /// Whether the thread was panicking already.
    panicking: bool,
}

thread_local! {
    /// Of each layer that was used on this thread.
    static STACKS: RefCell<Vec<(u64, Vec<Entered>)>> = const { RefCell::new(Vec::new()) };
}

/// Nothing below runs code of the user while it holds the stacks.
fn with<R: Default>(layer: u64, f: impl FnOnce(&mut Vec<Entered>) -> R) -> R {
    let run = |stacks: &RefCell<Vec<(u64, Vec<Entered>)>>| {
        let mut stacks = stacks.borrow_mut();
        if let Some((_, stack)) = stacks.iter_mut().find(|(id, _)| *id == layer) {
            return f(stack);
        }
        // Layers that are gone left empty stacks.
        stacks.retain(|(_, stack)| !stack.is_empty());
        let mut stack = Vec::new();
        let result = f(&mut stack);
        stacks.push((layer, stack));
        result
    };
    STACKS.try_with(run).unwrap_or_default()
}

pub(crate) fn current(layer: u64) -> Option<SpanContext> {
    with(layer, |stack| stack.iter().rev().find(|e| !e.again).map(|e| e.context))
}

pub(crate) fn enter(layer: u64, id: u64, context: SpanContext) {
    with(layer, |stack| {
        let again = stack.iter().any(|e| e.id == id);
        stack.push(Entered { id, context, again, panicking: std::thread::panicking() });
    });
}

/// Leaves the span, wherever it stands. True if a panic is what leaves it.
pub(crate) fn exit(layer: u64, id: u64) -> bool {
    with(layer, |stack| {
        let Some(at) = stack.iter().rposition(|e| e.id == id) else { return false };
        !stack.remove(at).panicking && std::thread::panicking()
    })
}
