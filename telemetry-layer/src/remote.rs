//! The parent that a span has in another program: told to the spans that open next on this thread.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use telemetry_core::model::TraceContext;

/// If it says more than ids.
pub(crate) fn carried(context: Arc<TraceContext>) -> Option<Arc<TraceContext>> {
    (!context.trace_state.is_empty() || !context.baggage.is_empty()).then_some(context)
}

thread_local! {
    static HAS_REMOTE: Cell<bool> = const { Cell::new(false) };
    static REMOTE: RefCell<Option<Arc<TraceContext>>> = const { RefCell::new(None) };
}

/// Runs `f`; spans without a parent that begin in it on this thread are children of that span elsewhere. What a server
/// does with the context that came with a request, around the opening of the request's span.
///
/// ```
/// use telemetry_layer::model::TraceContext;
///
/// # fn header(_: &str) -> Option<&'static str> { None }
/// let parent = TraceContext::extract(header);
/// let span = telemetry_layer::with_remote_parent(parent, || tracing::info_span!("request", otel.kind = "server"));
/// ```
pub fn with_remote_parent<R>(parent: Option<TraceContext>, f: impl FnOnce() -> R) -> R {
    struct Back(Option<Arc<TraceContext>>);
    impl Drop for Back {
        fn drop(&mut self) {
            HAS_REMOTE.set(self.0.is_some());
            let _ = REMOTE.try_with(|remote| remote.replace(self.0.take()));
        }
    }
    let is_some = parent.is_some();
    let before = REMOTE.try_with(|remote| remote.replace(parent.map(Arc::new))).ok().flatten();
    HAS_REMOTE.set(is_some);
    let _back = Back(before);
    f()
}

/// Whether a span that has no parent here has one elsewhere.
#[inline]
pub(crate) fn has_remote_parent() -> bool {
    HAS_REMOTE.get()
}

/// That parent.
pub(crate) fn remote_parent() -> Option<Arc<TraceContext>> {
    REMOTE.try_with(|remote| remote.borrow().clone()).ok().flatten()
}
