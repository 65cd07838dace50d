//! The layer in subscribers of all kinds, beside others like it, and on many threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use telemetry_layer::SetParentError;
use telemetry_layer::model::{SpanId, Value};
use telemetry_layer::prelude::*;
use telemetry_tests::{SOON, collector, remote};
use tracing::field::Empty;
use tracing::{Span, info, info_span};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::{EnvFilter, filter, registry, reload};

#[test]
fn a_span_of_a_subscriber_without_the_layer_is_not_one_of_ours() {
    let (collector, memory) = collector(|b| b);
    let ours = tracing::Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    let theirs = tracing::Dispatch::new(registry());
    let mine = tracing::dispatcher::with_default(&ours, || info_span!("mine"));
    let other = tracing::dispatcher::with_default(&theirs, || info_span!("other"));
    assert_eq!(other.trace_id(), None);
    assert_eq!(other.set_parent(&remote(true)), Err(SetParentError::NotSeen));
    drop((mine, other));
    collector.shutdown(SOON);
    assert_ne!(memory.kept().span("mine").trace_id, remote(true).span.unwrap().trace_id);
}

#[test]
fn all_layers_of_a_subscriber_are_told_of_a_remote_parent() {
    let ((one, of_one), (two, of_two)) = (collector(|b| b), collector(|b| b));
    let both = registry().with(TelemetryLayer::new(&one)).with(TelemetryLayer::new(&two));
    tracing::subscriber::with_default(both, || info_span!("work").set_parent(&remote(true)).unwrap());
    for (collector, memory) in [(one, of_one), (two, of_two)] {
        collector.shutdown(SOON);
        assert_eq!(memory.kept().span("work").trace_id, remote(true).span.unwrap().trace_id);
    }
}

/// The layer wrapped in one way or another: what it sees, and that spans can be asked.
fn wrapped<S: tracing::Subscriber + Send + Sync>(wrap: impl FnOnce(TelemetryLayer) -> S) {
    let (collector, memory) = collector(|b| b);
    tracing::subscriber::with_default(wrap(TelemetryLayer::new(&collector)), || {
        info_span!("outer").in_scope(|| {
            assert!(Span::current().trace_id().is_some());
            info_span!("inner", n = 1).in_scope(|| info!("said"));
            tracing::trace!("too much");
        });
    });
    collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!(kept.span("inner").parent_span_id, Some(kept.span("outer").span_id));
    assert_eq!(kept.event("said").span_id, Some(kept.span("inner").span_id));
    assert_eq!(kept.events.len(), 1);
}

#[test]
fn it_works_however_it_is_wrapped() {
    let info = || filter::LevelFilter::INFO;
    wrapped(|layer| registry().with(info()).with(Some(layer)));
    wrapped(|layer| registry().with(vec![layer]).with(info()));
    wrapped(|layer| registry().with(layer.boxed()).with(info()));
    wrapped(|layer| registry().with(layer.with_filter(info())));
    wrapped(|layer| registry().with(layer.with_filter(EnvFilter::new("info"))));
    wrapped(|layer| registry().with(EnvFilter::new("warn,subscribers=info")).with(layer));
    wrapped(|layer| {
        registry().with(tracing_subscriber::fmt::layer().with_writer(std::io::sink)).with(info()).with(layer)
    });
    wrapped(|layer| registry().with(layer).with(None::<TelemetryLayer>).with(info()));
    let empty = || tracing_subscriber::layer::Identity::new();
    wrapped(|layer| registry().with(layer.and_then(empty())).with(info()));
}

#[test]
fn behind_reload_spans_are_seen_too() {
    let (collector, memory) = collector(|b| b);
    let (layer, handle) = reload::Layer::new(Some(TelemetryLayer::new(&collector)));
    tracing::subscriber::with_default(registry().with(layer), || {
        info_span!("seen").in_scope(|| ());
        handle.modify(|layer| *layer = None).unwrap();
        info_span!("not seen").in_scope(|| ());
    });
    collector.shutdown(SOON);
    let kept = memory.kept();
    assert_eq!(kept.spans.len(), 1);
    assert_eq!(kept.span("seen").parent_span_id, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_held_over_an_await_loses_nothing() {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing::Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    use tracing::instrument::WithSubscriber as _;
    let local = tokio::task::LocalSet::new();
    let run = |n: u64| {
        async move {
            let span = info_span!("held", n);
            let _guard = span.enter();
            tokio::task::yield_now().await;
            info!(n, "after");
        }
        .with_subscriber(subscriber.clone())
    };
    local.run_until(async { futures(vec![run(0), run(1), run(2)]).await }).await;
    drop(subscriber);
    collector.shutdown(SOON);
    assert_eq!((memory.kept().spans.len(), memory.kept().events.len()), (3, 3));
}

/// All of them, in turns.
async fn futures<F: Future<Output = ()>>(all: Vec<F>) {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        all.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Asks the Registry for the parents of all spans and events, by the number that each has.
#[derive(Clone, Default)]
struct Oracle(Arc<Mutex<HashMap<u64, Option<u64>>>>);

struct Number(u64);

impl tracing::field::Visit for Number {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "n" {
            self.0 = value;
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber + for<'a> registry::LookupSpan<'a>> Layer<S> for Oracle {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, id: &tracing::Id, ctx: Context<'_, S>) {
        let mut number = Number(0);
        attributes.record(&mut number);
        let span = ctx.span(id).unwrap();
        let parent = span.parent().and_then(|parent| parent.extensions().get::<Number>().map(|n| n.0));
        self.0.lock().unwrap().insert(number.0, parent);
        span.extensions_mut().insert(number);
    }

    fn on_event(&self, event: &tracing::Event<'_>, ctx: Context<'_, S>) {
        let mut number = Number(0);
        event.record(&mut number);
        let parent = ctx.event_span(event).and_then(|span| span.extensions().get::<Number>().map(|n| n.0));
        self.0.lock().unwrap().insert(number.0, parent);
    }
}

/// What a thread does with spans that all threads share.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(u8),
    OpenUnder(u8, u8),
    OpenRoot(u8),
    Enter(u8),
    Exit,
    ExitFirst,
    Record(u8, u16),
    Close(u8),
    Event,
    EventIn(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..6u8;
    prop_oneof![
        3 => place.clone().prop_map(Step::Open),
        1 => (place.clone(), place.clone()).prop_map(|(a, b)| Step::OpenUnder(a, b)),
        1 => place.clone().prop_map(Step::OpenRoot),
        4 => place.clone().prop_map(Step::Enter),
        3 => Just(Step::Exit),
        1 => Just(Step::ExitFirst),
        2 => (place.clone(), any::<u16>()).prop_map(|(a, n)| Step::Record(a, n)),
        2 => place.clone().prop_map(Step::Close),
        3 => Just(Step::Event),
        1 => place.prop_map(Step::EventIn),
    ]
}

fn run(steps: &[Step], shared: &[Mutex<Span>], next: &std::sync::atomic::AtomicU64) {
    let number = || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let get = |place: u8| shared[usize::from(place)].lock().unwrap().clone();
    let put = |place: u8, span: Span| {
        drop(std::mem::replace(&mut *shared[usize::from(place)].lock().unwrap(), span));
    };
    let mut entered = Vec::new();
    for step in steps {
        match *step {
            Step::Open(at) => put(at, info_span!("span", n = number(), late = Empty)),
            Step::OpenUnder(at, parent) => {
                put(at, info_span!(parent: &get(parent), "span", n = number(), late = Empty));
            }
            Step::OpenRoot(at) => put(at, info_span!(parent: None, "span", n = number(), late = Empty)),
            Step::Enter(at) => entered.push(get(at).entered()),
            Step::Exit => drop(entered.pop()),
            Step::ExitFirst if !entered.is_empty() => drop(entered.remove(0)),
            Step::ExitFirst => {}
            Step::Record(at, value) => _ = get(at).record("late", value),
            Step::Close(at) => put(at, Span::none()),
            Step::Event => info!(n = number(), "event"),
            Step::EventIn(at) => info!(parent: &get(at), n = number(), "event"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn parents_are_those_of_the_registry_with_many_threads(
        threads in prop::collection::vec(prop::collection::vec(step(), 0..60), 1..16),
    ) {
        let oracle = Oracle::default();
        let (collector, memory) = collector(|b| b);
        let layer = TelemetryLayer::new(&collector);
        let open = layer.open_spans();
        let dispatch = tracing::Dispatch::new(registry().with(oracle.clone()).with(layer));
        let shared: Vec<Mutex<Span>> = (0..6).map(|_| Mutex::new(Span::none())).collect();
        let next = std::sync::atomic::AtomicU64::new(1);
        std::thread::scope(|scope| {
            for steps in &threads {
                let (dispatch, shared, next) = (dispatch.clone(), &shared, &next);
                scope.spawn(move || tracing::dispatcher::with_default(&dispatch, || run(steps, shared, next)));
            }
        });
        tracing::dispatcher::with_default(&dispatch, || drop(shared));
        // Where a span ends while another thread looks at it on behalf of an event, that thread takes it out of the
        // Registry, which then finds no subscriber to ask to let go of the parent: that stays open.
        let left = open.list();
        drop(dispatch);
        let report = collector.shutdown(SOON);
        prop_assert!(report.ledger().balances() && report.ledger().lost() == 0);
        let kept = memory.kept();
        let n = |fields: &[(std::borrow::Cow<'static, str>, Value)]| fields.iter().find_map(|(key, value)| match value {
            Value::U64(n) if key == "n" => Some(*n),
            _ => None,
        });
        let closed = kept.spans.iter().map(|span| (span.span_id, span.parent_span_id, n(&span.fields).unwrap()));
        let left = left.iter().map(|span| (span.context.span_id, span.parent_span_id, n(&span.fields).unwrap()));
        let spans: Vec<_> = closed.chain(left).collect();
        let by_id: HashMap<SpanId, u64> = spans.iter().map(|(id, _, n)| (*id, *n)).collect();
        let mut seen = HashMap::new();
        for (_, parent, n) in spans {
            seen.insert(n, parent.map(|id| by_id[&id]));
        }
        for event in &kept.events {
            seen.insert(n(&event.fields).unwrap(), event.span_id.map(|id| by_id[&id]));
        }
        prop_assert_eq!(seen, oracle.0.lock().unwrap().clone());
    }
}
