//! Traces across process borders, and what a span can be told later.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use telemetry_core::model::{SpanContext, SpanId, TraceContext, TraceId};
use tracing::span::Id;
use tracing::{Dispatch, Span};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanData as _, SpanRef};

use crate::layer::{Inner, TelemetryLayer};
use crate::store::Slot;

/// What `TelemetryLayer` knows of a span, and can be told of it while it is open.
///
/// Where no layer of ours sees the span (it is disabled, filtered out, or closed), there is nothing to know, and nothing
/// happens.
pub trait SpanExt {
    /// Makes it a child of a span elsewhere, and so a part of that trace, sampled as that is, with all spans below it. Only
    /// before the trace that they are in is known: before one of them has an event or is linked to, a child has ended,
    /// or somebody has asked for their context. Not while another thread opens or closes spans below it, which may
    /// stay where they are.
    ///
    /// Spans that were not sampled before have lost the fields they began with; they are counted in them. It is better
    /// to open the span inside of [`with_remote_parent`], which tells first.
    fn set_parent(&self, parent: &TraceContext) -> Result<(), SetParentError>;

    /// Adds a link to another span; a span keeps 128.
    fn add_link(&self, to: SpanContext);

    /// Where it stands, for other programs.
    fn trace_context(&self) -> Option<TraceContext>;

    /// Its trace.
    fn trace_id(&self) -> Option<TraceId>;

    /// Its id.
    fn span_id(&self) -> Option<SpanId>;
}

/// Why a span keeps its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetParentError {
    /// No layer of ours sees the span.
    NotSeen,
    /// Its trace is known already: in an event or a link, in a child that has ended, or to somebody who asked.
    InUse,
}

impl fmt::Display for SetParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSeen => "no TelemetryLayer sees the span: it is disabled, filtered out, or closed",
            Self::InUse => {
                "the trace of the span is in use already: it, or a span below it, has an event or a link to it, a child \
                 of it has ended, or its context was asked for"
            }
        })
    }
}

impl std::error::Error for SetParentError {}

impl SpanExt for Span {
    fn set_parent(&self, parent: &TraceContext) -> Result<(), SetParentError> {
        let set = |inner: &Inner, id, slot: &'static Slot| {
            let Some(site) = slot.site() else { return Err(SetParentError::NotSeen) };
            let now = inner.sink.clock().now();
            let propagated = carried(Arc::new(parent.clone()));
            let sampled = inner.sink.sampler().keeps_remote(parent.span, site, || now);
            let all = inner.store.below(id, slot);
            if all.iter().any(|(_, slot)| slot.is_used()) {
                return Err(SetParentError::InUse);
            }
            for (below, slot) in all {
                let above = (below == id).then_some(parent.span.span_id);
                slot.move_to(below, SpanContext { sampled, ..parent.span }, above, now);
                slot.propagate(below, propagated.clone());
            }
            Ok(())
        };
        let all = each_slot(self, set);
        all.into_iter().reduce(Result::and).unwrap_or(Err(SetParentError::NotSeen))
    }

    fn add_link(&self, to: SpanContext) {
        each_slot(self, |_, id, slot| slot.link(id, to));
    }

    fn trace_context(&self) -> Option<TraceContext> {
        let read = |inner: &Inner, id, slot: &'static Slot| {
            let span = slot.hand_out(id)?;
            let mut context = slot.propagated().map_or_else(|| TraceContext::new(span), Arc::unwrap_or_clone);
            context.span = span;
            if context.trace_state.is_empty() && context.span.sampled && slot.is_decided_here() {
                context.trace_state = inner.sink.sampler().trace_state();
            }
            Some(context)
        };
        with_slot(self, read).flatten()
    }

    fn trace_id(&self) -> Option<TraceId> {
        with_slot(self, |_, id, slot| Some(slot.hand_out(id)?.trace_id)).flatten()
    }

    fn span_id(&self) -> Option<SpanId> {
        with_slot(self, |_, id, slot| Some(slot.context(id)?.span_id)).flatten()
    }
}

/// Where the current span stands, for other programs: what to inject into a request.
pub fn current_trace_context() -> Option<TraceContext> {
    Span::current().trace_context()
}

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

/// All layers that there are: for those that another layer wraps and hides.
static LAYERS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

pub(crate) fn register(layer: &Arc<Inner>) {
    let mut layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
    layers.retain(|layer| layer.strong_count() > 0);
    layers.push(Arc::downgrade(layer));
}

/// Tells one subscriber from another: where its Registry is; 0 where it has none that can be asked for.
pub(crate) fn registry_of(dispatch: &Dispatch) -> usize {
    dispatch.downcast_ref::<Registry>().map_or(0, |registry| std::ptr::from_ref(registry).addr())
}

/// The numbers of layers that saw the span and do not know yet whose subscriber they are in.
struct Marks(Vec<u64>);

/// Leaves the number of a layer in a span.
#[cold]
pub(crate) fn mark<'a, R: LookupSpan<'a>>(span: Option<SpanRef<'a, R>>, layer: u64) {
    if let Some(span) = span {
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Marks>() {
            Some(marks) => marks.0.push(layer),
            None => extensions.insert(Marks(vec![layer])),
        }
    }
}

/// What was left in a span.
fn marks_of(dispatch: &Dispatch, id: &Id) -> Vec<u64> {
    let span = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span_data(id));
    span.and_then(|span| span.extensions().get::<Marks>().map(|marks| marks.0.clone())).unwrap_or_default()
}

/// The layers of a subscriber, also those that others wrap and hide, or that came into it late.
fn layers_of(dispatch: &Dispatch, id: &Id) -> Vec<Arc<Inner>> {
    let (registry, marks) = (registry_of(dispatch), marks_of(dispatch, id));
    let living: Vec<Arc<Inner>> = {
        let layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
        layers.iter().filter_map(Weak::upgrade).collect()
    };
    living.into_iter().filter(|layer| layer.is_of(registry, &marks)).collect()
}

/// Runs `f` for each layer that sees the span.
fn each_slot<R>(span: &Span, mut f: impl FnMut(&Inner, u64, &'static Slot) -> R) -> Vec<R> {
    let seen = span.with_subscriber(|(id, dispatch)| {
        let layers = layers_of(dispatch, id);
        let id = id.into_u64();
        let mut run = |inner: &Inner| inner.store.find(id).map(|slot| f(inner, id, slot));
        if layers.is_empty() {
            return dispatch
                .downcast_ref::<TelemetryLayer>()
                .and_then(|layer| run(layer.inner()))
                .into_iter()
                .collect();
        }
        layers.iter().filter_map(|inner| run(inner)).collect()
    });
    seen.unwrap_or_default()
}

/// The same for the first one.
fn with_slot<R>(span: &Span, f: impl FnOnce(&Inner, u64, &'static Slot) -> R) -> Option<R> {
    let mut f = Some(f);
    let all = each_slot(span, |inner, id, slot| f.take().map(|f| f(inner, id, slot)));
    all.into_iter().next().flatten()
}
