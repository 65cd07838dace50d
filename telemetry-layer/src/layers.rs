//! All layers there are, and in which subscriber each of them is.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use telemetry_core::__private::Tick;
use telemetry_core::__private::sync::{AsItIs, on_fork};
use telemetry_core::__private::{are_threads_wanted, on_threads_wanted, thread_number};
use tracing::span::Id;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanData as _, SpanRef};

use crate::fields;
use crate::generation::changed;
use crate::spans::{self, Slot};
use crate::tracer::Tracer;

/// All layers that there are: for those that another layer wraps and hides.
fn all() -> MutexGuard<'static, Vec<Weak<Tracer>>> {
    static LAYERS: Mutex<Vec<Weak<Tracer>>> = Mutex::new(Vec::new());
    LAYERS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn register(layer: &Arc<Tracer>) {
    static NAMED: AtomicBool = AtomicBool::new(false);
    on_fork(
        &NAMED,
        &[
            || Box::new(AsItIs(all())),
            || Box::new(AsItIs(spans::free_slots())),
            || Box::new(AsItIs(fields::declared())),
        ],
    );
    let mut layers = all();
    layers.retain(|layer| layer.strong_count() > 0);
    layers.push(Arc::downgrade(layer));
    drop(layers);
    on_threads_wanted(|| living().iter().for_each(|layer| layer.know_threads()));
    if are_threads_wanted() {
        layer.know_threads();
    }
    changed();
}

/// Those that there are now, the one that was made last at the end.
pub(crate) fn living() -> Vec<Arc<Tracer>> {
    all().iter().filter_map(Weak::upgrade).collect()
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
pub(crate) fn marks_of(dispatch: &Dispatch, id: Option<&Id>) -> Vec<u64> {
    let span = dispatch.downcast_ref::<Registry>().zip(id).and_then(|(registry, id)| registry.span_data(id));
    span.and_then(|span| span.extensions().get::<Marks>().map(|marks| marks.0.clone())).unwrap_or_default()
}

/// The layers of a subscriber, also those that others wrap and hide, or that came into it late and saw that span.
pub(crate) fn layers_of(dispatch: &Dispatch, id: Option<&Id>) -> Vec<Arc<Tracer>> {
    let (registry, marks) = (registry_of(dispatch), marks_of(dispatch, id));
    living().into_iter().filter(|layer| layer.is_of(dispatch, registry, &marks)).collect()
}

impl Tracer {
    /// A thread enters a span, where more is to be done than to remember that. Here the default subscriber can be asked for,
    /// so a layer that was told of no subscriber finds out.
    #[cold]
    pub(crate) fn entering(&self, id: &Id) {
        if !self.has_registry() {
            dispatcher::get_default(|dispatch| {
                self.is_of(dispatch, registry_of(dispatch), &marks_of(dispatch, Some(id)))
            });
        }
        if self.knows_threads()
            && let Some(slot) = self.store.find(id.into_u64())
        {
            slot.is_entered_by(id.into_u64(), thread_number());
        }
        // Whoever is told of the beginning is told of the end.
        let since = if self.times_busy() { self.sink.clock().now() } else { Tick::from_raw(0) };
        let is_told = self.times_busy() || self.gives_tags();
        self.enter(id.into_u64(), is_told.then_some(since));
        if self.gives_tags() {
            self.moved();
        }
    }

    /// It leaves a span of which it was told when it entered it.
    #[cold]
    pub(crate) fn leaving(&self, id: &Id, slot: &Slot, since: Tick) {
        if self.times_busy() {
            slot.add_busy(id.into_u64(), since, self.sink.clock().now());
        }
        if self.gives_tags() {
            self.moved();
        }
    }
}
