//! The same spans and events from both.

use std::sync::{Arc, Barrier};

use proptest::prelude::*;
use telemetry_layer::prelude::*;
use telemetry_tests::beside::{Ours, program};
use telemetry_tests::on_a_thread;
use tracing::field::Empty;
use tracing::{Dispatch, Id, Span, Subscriber, debug_span, error, info, info_span, trace, trace_span, warn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt, registry};

use crate::Otel;
use crate::nodes::{both, of_otel, of_ours};

#[test]
fn the_spans_are_those_of_tracing_opentelemetry() {
    for (max, many) in [(LevelFilter::TRACE, 12), (LevelFilter::DEBUG, 11), (LevelFilter::INFO, 10)] {
        let (ours, theirs) = both(max, program);
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), many, "up to {max}: {:?}", ours.keys());
    }
}

#[test]
fn kinds_statuses_and_values_of_all_types_are_the_same() {
    let (ours, theirs) = both(LevelFilter::TRACE, || {
        let (failed, none) = (std::io::Error::other("no stock"), None::<i64>);
        info_span!("client", otel.kind = "CLIENT").in_scope(|| error!(error = %failed));
        info_span!("unknown", otel.kind = "x", otel.status_code = "y").in_scope(|| error!(error = ?Some(1)));
        info_span!("said", otel.status_code = "error", otel.status_description = "sold out").in_scope(|| ());
        info_span!("described", otel.status_description = "sold out").in_scope(|| ());
        let late = info_span!("late", otel.status_code = Empty, otel.kind = Empty);
        late.record("otel.kind", "consumer").record("otel.status_code", "ERROR");
        late.record("otel.status_code", "ok");
        let (wide, long, short) = (7i128, u64::MAX, -1i8);
        info_span!("values", wide, long, short, yes = true, text = "é", some = Some(3), none).in_scope(
            || {
                info!(r#type = "x", wide = u128::MAX, float = f32::MIN, quoted = 2, "with {} values", 4);
            },
        );
    });
    assert_eq!(ours["late"].status, Some(Ok(())));
    assert_eq!(ours["described"].status, ours["said"].status);
    assert_eq!((ours["client"].kind.as_str(), ours["values"].fields.len()), ("Client", 6));
    assert_eq!(ours, theirs);
}

fn exit(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
}

/// One of the things that can be done with five spans, by its number.
fn step(number: usize, (what, a, b): (u8, usize, usize), spans: &mut [Span; 5], entered: &mut Vec<Span>) {
    let name = format!("s{number}");
    match what {
        0..=2 => spans[a] = info_span!("span", otel.name = name, late = Empty),
        3 if a != b => spans[a] = info_span!(parent: &spans[b], "span", otel.name = name, late = Empty),
        4 => spans[a] = debug_span!(parent: None, "span", otel.name = name, late = Empty),
        5 => spans[a] = debug_span!("hidden by some", otel.name = name),
        6..=8 => {
            spans[a].with_subscriber(|(id, dispatch)| dispatch.enter(id));
            entered.push(spans[a].clone());
        }
        9 => entered.pop().iter().for_each(exit),
        10 if !entered.is_empty() => exit(&entered.remove(a % entered.len())),
        11 => spans[a] = Span::none(),
        12 => _ = spans[a].record("late", number as i64),
        13 => info!("e{number}"),
        14 => warn!(parent: &spans[a], "e{number}"),
        // It would lock itself out where a span follows itself.
        15 if a != b => _ = spans[a].follows_from(&spans[b]),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_a_program_does_both_have_the_same_spans(
        threads in prop::collection::vec(prop::collection::vec((0..16u8, 0..5usize, 0..5usize), 0..40), 1..4),
        max in prop_oneof![Just(LevelFilter::DEBUG), Just(LevelFilter::INFO)],
    ) {
        let (ours, otel) = (Ours::default(), Otel::default());
        // With a stack of its own it errs where a span is entered again.
        let theirs = otel.plain().with_context_activation(false).with_filter(max);
        let subscriber = registry().with(ours.layer().with_filter(max)).with(theirs).with(fmt::layer().with_writer(std::io::sink));
        tracing::subscriber::with_default(subscriber, || {
            let mut spans: [Span; 5] = std::array::from_fn(|_| Span::none());
            for (thread, steps) in threads.iter().enumerate() {
                on_a_thread(|| {
                    let mut entered = Vec::new();
                    for (at, what) in steps.iter().enumerate() {
                        step(thread * 100 + at, *what, &mut spans, &mut entered);
                    }
                    entered.iter().for_each(exit);
                });
            }
        });
        prop_assert_eq!(of_ours(&ours.kept()), of_otel(&otel.spans()));
    }
}

#[test]
fn spans_of_many_threads_have_all_their_events() {
    const THREADS: usize = 8;
    const TIMES: usize = 300;
    let start = Barrier::new(THREADS);
    let (ours, theirs) = both(LevelFilter::TRACE, || {
        let (root, dispatch) = (info_span!("root"), tracing::dispatcher::get_default(Clone::clone));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (root, dispatch, start) = (&root, &dispatch, &start);
                let work = move || {
                    start.wait();
                    let _root = root.enter();
                    let own = debug_span!("own", otel.name = format!("own {thread}"));
                    for _ in 0..TIMES {
                        trace!("in the root");
                        own.in_scope(|| trace!("in its own"));
                    }
                };
                scope.spawn(move || tracing::dispatcher::with_default(dispatch, work));
            }
        });
    });
    assert_eq!((ours["root"].events.len(), ours.len()), (THREADS * TIMES, THREADS + 1));
    assert!((0..THREADS).all(|n| ours[&format!("own {n}")].events.len() == TIMES));
    assert_eq!(ours, theirs);
}

#[test]
fn what_follows_a_span_that_is_gone_or_hidden_follows_none() {
    let (ours, theirs) = both(LevelFilter::DEBUG, || {
        let span = info_span!("follows");
        let closed = info_span!("closed").id();
        span.follows_from(closed);
        span.follows_from(&trace_span!("hidden"));
        trace_span!("hidden too").follows_from(&span);
        span.follows_from(&debug_span!("seen"));
    });
    assert_eq!(ours["follows"].links, ["seen"]);
    assert_eq!(ours, theirs);
}

/// Tells when a span is about to be closed in the layers above it, and waits.
struct Closing(Arc<Barrier>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Closing {
    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if ctx.span(&id).is_some_and(|span| span.name() == "cause") {
            self.0.wait();
            self.0.wait();
        }
    }
}

#[test]
fn a_span_can_follow_one_that_closes_at_that_moment() {
    for we_close_first in [true, false] {
        let (ours, otel, both) = (Ours::default(), Otel::default(), Arc::new(Barrier::new(2)));
        let closing = Closing(both.clone());
        let subscriber = if we_close_first {
            Dispatch::new(registry().with(otel.plain()).with(ours.layer()).with(closing))
        } else {
            Dispatch::new(registry().with(closing).with(otel.plain()).with(ours.layer()))
        };
        tracing::dispatcher::with_default(&subscriber, || {
            let (cause, effect) = (info_span!("cause"), info_span!("effect"));
            let id = cause.id();
            std::thread::scope(|scope| {
                scope.spawn(|| drop(cause));
                both.wait();
                let follow = || _ = effect.follows_from(id);
                let followed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(follow));
                both.wait();
                followed.expect("neither panics");
            });
        });
        drop(subscriber);
        let (ours, theirs) = (of_ours(&ours.kept()), of_otel(&otel.spans()));
        assert_eq!(ours["effect"].links.len(), usize::from(!we_close_first));
        assert_eq!(ours, theirs);
    }
}
