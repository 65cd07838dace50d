//! A program, and other layers that watch it with and without ours.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use telemetry_layer::prelude::*;
use tracing::field::{Empty, Field, Visit};
use tracing::instrument::Instrument as _;
use tracing::span::Attributes;
use tracing::{
    Dispatch, Event, Id, Span, Subscriber, debug, debug_span, info, info_span, instrument, trace, trace_span,
    warn,
};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, registry, reload};

use crate::{Kept, Memory, collector, exported, on_a_thread};

/// A collector of a test's own, and its layers.
#[derive(Debug)]
pub struct Ours {
    collector: Collector,
    memory: Memory,
}

impl Default for Ours {
    fn default() -> Self {
        let (collector, memory) = collector(|b| b);
        Self { collector, memory }
    }
}

impl Ours {
    /// A layer that feeds it; there can be many.
    pub fn layer(&self) -> TelemetryLayer {
        TelemetryLayer::new(&self.collector)
    }

    /// What was exported, at the end.
    pub fn kept(&self) -> Kept {
        exported(&self.collector, &self.memory)
    }
}

/// Another layer, and what it saw.
pub trait Other: Default {
    /// The layer, as a part of any subscriber.
    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync;

    /// A line for each thing.
    fn saw(self) -> Vec<String>;
}

/// Locks it, whoever panicked before.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[instrument(err)]
fn fails(times: i64) -> Result<(), String> {
    Err(format!("failed {times} times"))
}

/// A future that is polled here and ends elsewhere.
fn moves_between_threads(span: &Span) {
    let mut polls = 0;
    let future = std::future::poll_fn(move |_| {
        polls += 1;
        debug!(polls, "polled");
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut future = Box::pin(future.instrument(span.clone()));
    let mut poll = || future.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    assert!(on_a_thread(&mut poll).is_pending());
    assert!(on_a_thread(&mut poll).is_ready());
}

/// What programs do with spans and events, on several threads, but one after the other.
pub fn program() {
    let root = info_span!("root", otel.kind = "server", n = 3i64, late = Empty);
    root.in_scope(|| {
        info!("began");
        debug_span!("contextual", share = 0.5, "said of it").in_scope(|| {
            warn!(left = 2i64, "inside");
            trace_span!("deep", flag = true).in_scope(|| trace!("deeper"));
            fails(2).unwrap_err();
        });
        info_span!(parent: None, "alone").in_scope(|| {
            info!(parent: &root, "from elsewhere");
            debug!("by itself");
        });
        info!(parent: None, "in no span");
        root.record("late", "now");
        root.record("not declared", 1);
    });
    let sibling = info_span!(parent: &root, "sibling", otel.name = "renamed", otel.status_code = "ok");
    sibling.follows_from(&root);
    let child = sibling.in_scope(|| info_span!("child of renamed"));
    drop(sibling);
    on_a_thread(|| {
        child.in_scope(|| info_span!("on a thread").in_scope(|| warn!("there")));
        drop(child);
    });
    let (first, second) = (info_span!("first"), info_span!("second"));
    let (in_first, in_second) = (first.enter(), second.enter());
    drop(in_first);
    drop(first);
    info_span!("in second").in_scope(|| debug!("still in second"));
    drop((in_second, root));
    info!("outside");
    moves_between_threads(&info_span!("moved"));
}

fn placed<S, O>(other: &O, max: Option<LevelFilter>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    O: Other,
{
    match max {
        Some(max) => other.layer().with_filter(max).boxed(),
        None => other.layer(),
    }
}

/// Runs the program where the other layer stands alone, and beside ours in each way: it sees the same, without a filter of
/// its own and with one of these. What ours exported.
///
/// # Panics
///
/// If it sees anything else.
#[track_caller]
pub fn sees_the_same<O: Other>(program: impl Fn(), filters: &[Option<LevelFilter>]) -> Kept {
    let ours = Ours::default();
    let saw = |other: O, subscriber: Dispatch| {
        tracing::dispatcher::with_default(&subscriber, &program);
        drop(subscriber);
        other.saw().join("\n")
    };
    for max in filters.iter().copied() {
        let other = O::default();
        let alone = registry().with(placed(&other, max));
        let alone = saw(other, Dispatch::new(alone));
        assert!(alone.lines().count() > 5, "there is something to compare: {alone}");
        let other = O::default();
        let above = registry().with(ours.layer()).with(placed(&other, max));
        assert_eq!(saw(other, Dispatch::new(above)), alone, "above ours, up to {max:?}");
        let other = O::default();
        let below = registry().with(placed(&other, max)).with(ours.layer());
        assert_eq!(saw(other, Dispatch::new(below)), alone, "below ours, up to {max:?}");
        let other = O::default();
        let filtered = ours.layer().with_filter(LevelFilter::WARN);
        let filtered = registry().with(filtered).with(placed(&other, max));
        assert_eq!(saw(other, Dispatch::new(filtered)), alone, "where ours has a filter, up to {max:?}");
        let other = O::default();
        let (reloaded, _handle) = reload::Layer::new(vec![ours.layer().boxed(), ours.layer().boxed()]);
        let many = registry().with(reloaded).with(Some(placed(&other, max)));
        assert_eq!(saw(other, Dispatch::new(many)), alone, "where ours is wrapped, up to {max:?}");
    }
    ours.kept()
}

/// Where a layer sees spans and events, as lines.
#[derive(Clone, Debug, Default)]
pub struct View(Arc<Mutex<BTreeSet<String>>>);

impl View {
    /// So far.
    pub fn lines(&self) -> BTreeSet<String> {
        locked(&self.0).clone()
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for View {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, ctx: Context<'_, S>) {
        let explicit = attributes.parent().and_then(|id| ctx.span(id));
        let parent = if attributes.is_contextual() { ctx.lookup_current() } else { explicit };
        let (name, parent) = (attributes.metadata().name(), parent.map(|span| span.name()));
        locked(&self.0).insert(format!("{name} in {}", parent.unwrap_or("none")));
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let within = ctx.event_span(event).map(|span| span.name());
        locked(&self.0).insert(format!("{}: {}", within.unwrap_or("none"), message.0));
    }
}

/// The same of what was exported; `?` for a span that was not.
pub fn view(kept: &Kept) -> BTreeSet<String> {
    let name = |id| kept.spans.iter().find(|span| span.span_id == id).map_or("?", |span| &*span.name);
    let spans = kept
        .spans
        .iter()
        .map(|span| format!("{} in {}", span.name, span.parent_span_id.map_or("none", name)));
    let events =
        kept.events.iter().map(|event| format!("{}: {}", event.span_id.map_or("none", name), event.message));
    spans.chain(events).collect()
}
