//! Spans that are left, closed and entered again on whatever thread, and futures that move between them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Poll, Waker};

use telemetry_layer::model::{Status, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::{assert_event, assert_span};
use telemetry_tests::beside::{Ours, View, view};
use telemetry_tests::{on_a_thread, recorded};
use tracing::field::Empty;
use tracing::instrument::{Instrument as _, WithSubscriber as _};
use tracing::span::Entered;
use tracing::subscriber::with_default;
use tracing::{Dispatch, Span, debug_span, info, info_span};
use tracing_subscriber::registry;

#[test]
fn a_child_keeps_its_ancestors_open() {
    let ours = Ours::default();
    let layer = ours.layer();
    let open = layer.open_spans();
    let names = || open.list().into_iter().map(|span| span.name).collect::<Vec<_>>();
    with_default(registry().with(layer), || {
        let grandparent = info_span!("grandparent");
        let parent = info_span!(parent: &grandparent, "parent");
        let child = info_span!(parent: &parent, "child");
        drop((grandparent, parent));
        assert_eq!(names(), ["grandparent", "parent", "child"]);
        let clone = child.clone();
        drop(child);
        assert_eq!(names().len(), 3);
        on_a_thread(|| drop(clone));
        assert!(names().is_empty());
    });
    let closed: Vec<_> = ours.kept().spans.iter().map(|span| span.name.to_string()).collect();
    assert_eq!(closed, ["child", "parent", "grandparent"]);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (ours, registry_has) = (Ours::default(), View::default());
        with_default(registry().with(ours.layer()).with(registry_has.clone()), || {
            let spans = [info_span!("a"), info_span!("b"), info_span!("c")];
            let mut guards = spans.each_ref().map(|span| Some(span.enter()));
            for (step, at) in order.into_iter().enumerate() {
                guards[at] = None;
                info!("after {step}");
                debug_span!("new", otel.name = format!("new {step}"));
            }
        });
        let kept = ours.kept();
        let (last, before) = (order[2], order[1].max(order[2]));
        let name = |at: usize| ["a", "b", "c"][at];
        assert_event(&kept, "after 0", Some(name(before)), &[]);
        assert_event(&kept, "after 1", Some(name(last)), &[]);
        assert_event(&kept, "after 2", None, &[]);
        assert_span(&kept, "new 0", Some(name(before)), &[]);
        assert_span(&kept, "new 2", None, &[]);
        let events = |lines: std::collections::BTreeSet<String>| {
            lines.into_iter().filter(|line| line.contains(':')).collect::<Vec<_>>()
        };
        assert_eq!(events(view(&kept)), events(registry_has.lines()));
    }
}

#[test]
fn a_span_that_is_entered_many_times_is_one_span() {
    let kept = recorded(|_| {
        let a = info_span!("a");
        let _in_a = a.enter();
        (0..3).for_each(|_| a.in_scope(|| a.in_scope(|| info!("again"))));
        info_span!("b").in_scope(|| a.in_scope(|| info_span!("c").in_scope(|| ())));
        on_a_thread(|| a.in_scope(|| info_span!("d").in_scope(|| ())));
        info!("still");
    });
    assert_eq!(kept.tree(), "a\n  b\n    c\n  d\n");
    let a = Some(kept.span("a").span_id);
    assert_eq!(kept.events.iter().filter(|event| event.span_id == a).count(), 4);
}

#[test]
fn two_threads_are_in_one_span_at_once() {
    let kept = recorded(|_| {
        let (both, span) = (Barrier::new(2), info_span!("shared"));
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let work = |name: &'static str| {
            let _in = span.enter();
            both.wait();
            info_span!("own", otel.name = name).in_scope(|| {
                both.wait();
                info!("in {name}");
            });
            info!("after {name}");
        };
        std::thread::scope(|scope| {
            for name in ["left", "right"] {
                let (dispatch, work) = (&dispatch, &work);
                scope.spawn(move || tracing::dispatcher::with_default(dispatch, || work(name)));
            }
        });
    });
    assert_eq!(kept.spans.len(), 3);
    for name in ["left", "right"] {
        assert_span(&kept, name, Some("shared"), &[]);
        assert_event(&kept, &format!("in {name}"), Some(name), &[]);
        assert_event(&kept, &format!("after {name}"), Some("shared"), &[]);
    }
}

#[test]
fn one_subscriber_may_be_the_default_many_times() {
    let ours = Ours::default();
    let shared = Arc::new(registry().with(ours.layer()));
    let ids = with_default(shared.clone(), || {
        let outer = info_span!("outer").entered();
        let here = outer.trace_id();
        let there = with_default(shared.clone(), || {
            std::thread::scope(|scope| {
                let work =
                    || with_default(shared.clone(), || outer.in_scope(|| info_span!("there").trace_id()));
                scope.spawn(work).join().expect("it ends")
            })
        });
        with_default(shared.clone(), || info_span!("here").in_scope(|| info!("said")));
        [here, there]
    });
    drop(shared);
    let kept = ours.kept();
    assert_eq!(ids, [Some(kept.span("outer").trace_id); 2]);
    assert_span(&kept, "there", Some("outer"), &[]);
    assert_span(&kept, "here", Some("outer"), &[]);
    assert_event(&kept, "said", Some("here"), &[]);
}

#[test]
fn spans_that_others_close_give_their_places_to_the_next_ones() {
    const MANY: u64 = 2_000;
    let kept = recorded(|_| {
        let (give, take) = mpsc::sync_channel::<Span>(3);
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        // The Registry looks for the parent of a span that closes in the subscriber of the thread.
        let close = move || tracing::dispatcher::with_default(&dispatch, || take.iter().for_each(drop));
        let closer = std::thread::spawn(close);
        for n in 0..MANY {
            let span = info_span!("work", n, late = Empty);
            let child = span.in_scope(|| info_span!("child", n));
            span.record("late", n * 2);
            give.send(span).expect("the other thread lives");
            give.send(child).expect("the other thread lives");
        }
        drop(give);
        closer.join().expect("it closes spans");
    });
    assert_eq!(kept.spans.len() as u64, 2 * MANY);
    let number = |span: &telemetry_layer::model::Span, name: &str| {
        let value = span.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let Some(Value::U64(n)) = value else { panic!("{name} of {span:?}") };
        n
    };
    let by_id: HashMap<_, _> = kept.spans.iter().map(|span| (span.span_id, span)).collect();
    for child in kept.spans.iter().filter(|span| span.name == "child") {
        let parent = by_id[&child.parent_span_id.expect("a parent")];
        assert_eq!((&*parent.name, number(parent, "n")), ("work", number(child, "n")));
        assert_eq!((number(parent, "late"), parent.fields.len()), (2 * number(child, "n"), 2));
        assert_eq!(parent.trace_id, child.trace_id);
    }
}

#[test]
fn fields_from_many_threads_are_all_there_once() {
    let kept = recorded(|_| {
        let start = Barrier::new(4);
        let span = info_span!("work", a = Empty, b = Empty, c = Empty, d = "first");
        let record = |name: &'static str| {
            start.wait();
            for n in 0..200u64 {
                span.record(name, n);
            }
        };
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d"] {
                scope.spawn(move || record(name));
            }
        });
    });
    let mut fields = kept.span("work").fields.clone();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    let last = |name: &'static str| (name.into(), Value::U64(199));
    assert_eq!(fields, ["a", "b", "c", "d"].map(last));
}

#[test]
fn a_panic_on_one_thread_leaves_the_others_in_the_span() {
    let kept = recorded(|_| {
        let span = info_span!("shared");
        span.in_scope(|| {
            let run = || on_a_thread(|| span.in_scope(|| info_span!("its own").in_scope(|| panic!("there"))));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("it panicked");
            info!("still in it");
            info_span!("next").in_scope(|| ());
        });
    });
    let failed = Status::Error("panicked".to_owned());
    assert_eq!((&kept.span("shared").status, &kept.span("its own").status), (&failed, &failed));
    assert_eq!(kept.span("next").status, Status::Unset);
    assert_event(&kept, "still in it", Some("shared"), &[]);
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls once; whether it has ended.
fn poll(job: &mut Job) -> bool {
    job.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_ready()
}

/// Pending once.
async fn once() {
    let mut polled = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

#[test]
fn a_future_is_in_its_span_on_each_thread_that_polls_it() {
    let kept = recorded(|_| {
        let work = async {
            for n in 0..4 {
                info!("step {n}");
                async { info!("inner {n}") }
                    .instrument(info_span!("inner", otel.name = format!("i{n}")))
                    .await;
                once().await;
            }
        };
        let mut job: Job = Box::pin(work.instrument(info_span!("job")));
        let mut turn = 0;
        let mut ended = false;
        while !ended {
            on_a_thread(|| {
                let own = info_span!("thread", otel.name = format!("t{turn}"));
                own.in_scope(|| {
                    ended = poll(&mut job);
                    info!("polled {turn}");
                });
            });
            turn += 1;
        }
        drop(job);
        info!("none");
    });
    assert_span(&kept, "job", None, &[]);
    for n in 0..4 {
        assert_event(&kept, &format!("step {n}"), Some("job"), &[]);
        assert_span(&kept, &format!("i{n}"), Some("job"), &[]);
        assert_event(&kept, &format!("inner {n}"), Some(&format!("i{n}")), &[]);
    }
    for turn in 0..5 {
        assert_event(&kept, &format!("polled {turn}"), Some(&format!("t{turn}")), &[]);
    }
    assert_event(&kept, "none", None, &[]);
}

#[test]
fn a_future_that_is_dropped_elsewhere_ends_its_span() {
    let kept = recorded(|_| {
        struct Says;
        impl Drop for Says {
            fn drop(&mut self) {
                info!("dropped");
            }
        }
        let work = async {
            let _says = Says;
            info!("began");
            std::future::pending::<()>().await;
        };
        let mut job: Job = Box::pin(work.instrument(info_span!("job")));
        assert!(!poll(&mut job));
        on_a_thread(|| info_span!("other").in_scope(|| drop(job)));
        info_span!("later").in_scope(|| ());
    });
    assert_event(&kept, "began", Some("job"), &[]);
    assert_event(&kept, "dropped", Some("job"), &[]);
    for name in ["job", "other", "later"] {
        assert_span(&kept, name, None, &[]);
    }
}

/// Holds a span's guard while it waits, as nobody should.
async fn holds(span: &Span) {
    let _guard: Entered<'_> = span.enter();
    info!("began");
    once().await;
    info!("went on");
}

#[test]
fn a_guard_that_moves_to_another_thread_harms_nobody() {
    let (ours, registry_has) = (Ours::default(), View::default());
    with_default(registry().with(registry_has.clone()).with(ours.layer()), || {
        let span = info_span!("held");
        let held = span.clone();
        let mut job: Job = Box::pin(async move { holds(&held).await });
        assert!(!poll(&mut job));
        // Here it is still entered, for want of anybody who left it.
        info!("here");
        info_span!("child").in_scope(|| info!("in the child"));
        on_a_thread(|| {
            info_span!("theirs").in_scope(|| {
                assert!(poll(&mut job), "it ends there");
                info!("there");
            });
            info_span!("after it").in_scope(|| ());
        });
        drop((job, span));
        info!("later");
    });
    let kept = ours.kept();
    assert_event(&kept, "began", Some("held"), &[]);
    assert_event(&kept, "went on", Some("theirs"), &[]);
    assert_event(&kept, "there", Some("theirs"), &[]);
    assert_event(&kept, "later", None, &[]);
    assert_span(&kept, "after it", None, &[]);
    assert_eq!(kept.spans.iter().filter(|span| span.name == "held").count(), 1);
    assert_eq!(view(&kept), registry_has.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_a_runtime_keep_to_their_own_spans() {
    const TASKS: u64 = 30;
    let ours = Ours::default();
    let subscriber = Dispatch::new(registry().with(ours.layer()));
    let work = |n: u64| async move {
        for step in 0..10 {
            info!(n, "before");
            async {
                tokio::task::yield_now().await;
                info!(n, "within");
            }
            .instrument(info_span!("step", n, step))
            .await;
            tokio::task::yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| {
            let span = tracing::dispatcher::with_default(&subscriber, || info_span!("task", n));
            tokio::spawn(work(n).instrument(span).with_subscriber(subscriber.clone()))
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that ends");
    }
    drop(subscriber);
    let kept = ours.kept();
    assert_eq!((kept.spans.len() as u64, kept.events.len() as u64), (TASKS * 11, TASKS * 20));
    let by_id: HashMap<_, _> = kept.spans.iter().map(|span| (span.span_id, span)).collect();
    for event in &kept.events {
        let span = by_id[&event.span_id.expect("a span")];
        assert_eq!(span.fields[0], event.fields[0], "{}", event.message);
        assert_eq!(span.name, if event.message == "before" { "task" } else { "step" });
    }
    for step in kept.spans.iter().filter(|span| span.name == "step") {
        let task = by_id[&step.parent_span_id.expect("a parent")];
        assert_eq!((&*task.name, &task.fields[0]), ("task", &step.fields[0]));
    }
}

thread_local! {
    static LEFT: RefCell<Option<Span>> = const { RefCell::new(None) };
}

#[test]
fn a_span_that_a_thread_leaves_behind_ends_with_the_thread() {
    for first in [true, false] {
        let ours = Ours::default();
        let subscriber = Dispatch::new(registry().with(ours.layer()));
        let work = move || {
            if first {
                LEFT.with(|_| ());
            }
            tracing::dispatcher::with_default(&subscriber, || {
                let span = info_span!("left", first);
                span.in_scope(|| info!("in it"));
                LEFT.set(Some(span));
            });
        };
        // Not of a scope: that does not wait for what the thread's variables do at its end.
        std::thread::spawn(work).join().expect("it ends");
        let kept = ours.kept();
        assert_span(&kept, "left", None, &[("first", &first.to_string())]);
        assert_event(&kept, "in it", Some("left"), &[]);
    }
}
