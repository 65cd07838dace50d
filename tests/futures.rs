//! Functions that return futures: measured until these are done.
#![deny(warnings)]
#![forbid(unsafe_code)]
// Some of them wait for nothing.
#![allow(clippy::unused_async)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::clock::ManualClock;
use telemetry_layer::prelude::*;
use telemetry_tests::{collector, count_of, ready, recorded};
use tracing_subscriber::layer::{self, Layer};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Pending once, so that what was measured by then is not the end.
#[derive(Default)]
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[time_me(name = "plain", tags(text = text), fields(%text))]
fn plain(text: String) -> impl Future<Output = usize> + Send {
    let len = text.len();
    async move {
        Once::default().await;
        drop(text);
        len
    }
}

#[time_me(name = "pinned", outcome, active)]
fn pinned(n: &u32) -> Pin<Box<dyn Future<Output = Result<u32, String>> + Send + '_>> {
    if *n == 0 {
        return Box::pin(async { Err("none".to_owned()) });
    }
    Box::pin(async move {
        Once::default().await;
        Ok(n + 1)
    })
}

#[time_me(name = "alias", span = false)]
fn alias(n: &u32) -> BoxFuture<'_, u32> {
    Box::pin(async move { *n })
}

#[count_me(name = "counted", outcome)]
fn counted() -> impl Future<Output = Result<(), ()>> + Unpin {
    Box::pin(async { Err(()) })
}

#[async_trait::async_trait]
trait Service {
    async fn call(&self, n: u32) -> Result<u32, String>;

    #[time_me(name = "trait.default", outcome)]
    async fn twice(&self, n: u32) -> Result<u32, String> {
        Ok(self.call(n).await? * 2)
    }
}

struct Half;

#[async_trait::async_trait]
impl Service for Half {
    #[time_me(name = "trait.call", outcome, err)]
    async fn call(&self, n: u32) -> Result<u32, String> {
        Once::default().await;
        if n % 2 == 1 {
            return Err(format!("{n} is odd"));
        }
        Ok(n / 2)
    }
}

fn is_send<F: Future + Send>(future: F) -> F {
    future
}

fn run<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

#[test]
fn functions_that_return_futures_are_measured_until_these_are_done() {
    let mut metrics = None;
    let kept = recorded(|collector| {
        assert_eq!(run(is_send(plain("four".to_owned()))), 4);
        drop(plain("never polled".to_owned()));

        let n = 1;
        let future = pinned(&n);
        assert_eq!(collector.snapshot().total("pinned.active"), 1.0, "called, and not done");
        assert_eq!(count_of(&collector.snapshot(), "pinned", &[]), 0);
        assert_eq!(run(is_send(future)), Ok(2));
        run(pinned(&0)).unwrap_err();
        {
            let mut cancelled = pinned(&7);
            assert!(cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(run(is_send(alias(&5))), 5);
        run(counted()).unwrap_err();
        assert_eq!(run(is_send(Half.twice(4))), Ok(4));
        assert_eq!(run(Half.twice(3)).unwrap_err(), "3 is odd");
        metrics = Some(collector.snapshot());
    });
    let metrics = metrics.unwrap();
    let of = |name: &str, tags: &[(&str, &str)]| count_of(&metrics, name, tags);
    assert_eq!((of("plain", &[("text", "four")]), of("plain", &[("text", "never polled")])), (1, 1));
    let outcomes = ["ok", "error", "cancelled"].map(|outcome| of("pinned", &[("outcome", outcome)]));
    assert_eq!((outcomes, metrics.total("pinned.active")), ([1, 1, 1], 0.0));
    assert_eq!((of("alias", &[]), of("counted", &[("outcome", "error")])), (1, 1));
    assert_eq!((of("trait.call", &[("outcome", "ok")]), of("trait.call", &[("outcome", "error")])), (1, 1));
    assert_eq!(
        (of("trait.default", &[("outcome", "ok")]), of("trait.default", &[("outcome", "error")])),
        (1, 1)
    );

    let spans = |name: &str| kept.spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    assert_eq!(
        ["plain", "pinned", "alias", "trait.call", "trait.default"].map(|n| spans(n).len()),
        [2, 3, 0, 2, 2]
    );
    for call in spans("trait.call") {
        assert!(spans("trait.default").iter().any(|outer| Some(outer.span_id) == call.parent_span_id));
    }
}

#[rustfmt::skip]
#[time_me(name = "short")]
fn short() -> impl Future<Output = u8> { async { 7 } }

#[rustfmt::skip]
#[time_me(name = "short.outcome", outcome)]
fn short_with_outcome() -> impl Sized { 7 }

#[test]
fn bodies_of_one_line_stay_quiet() {
    assert_eq!((run(short()), size_of_val(&short_with_outcome())), (7, 4));
}

macro_rules! sizes {
    ($($(#[$attribute:meta])* $returned:ident $boxed:ident)*) => {$(
        $(#[$attribute])*
        fn $returned(x: [u8; 4096]) -> impl Future<Output = Result<u8, String>> {
            async move { Ok(x[0]) }
        }

        $(#[$attribute])*
        fn $boxed(x: [u8; 4096]) -> impl Future<Output = Result<u8, String>> + Unpin {
            Box::pin(async move { Ok(x[0]) })
        }
    )*};
}

sizes! {
    bare bare_boxed
    #[time_me(name = "size")] timed timed_boxed
    #[time_me(name = "size", outcome)] told told_boxed
    #[time_me(name = "size", outcome, err, fields(n = 1))] failing failing_boxed
    #[time_me(name = "size", span = false)] spanless spanless_boxed
    #[time_me(name = "size", span = false, outcome)] spanless_told spanless_told_boxed
    #[count_me(name = "size.count")] called called_boxed
    #[count_me(name = "size.count", outcome)] counted_late counted_late_boxed
}

#[test]
fn a_future_that_is_returned_is_held_once() {
    let size = |future: &dyn std::any::Any| size_of_val(future);
    let bare = size(&bare([0; 4096])).next_multiple_of(8);
    for (what, size) in [
        ("timed", size(&timed([0; 4096]))),
        ("told", size(&told([0; 4096]))),
        ("failing", size(&failing([0; 4096]))),
        ("spanless", size(&spanless([0; 4096]))),
        ("spanless_told", size(&spanless_told([0; 4096]))),
        ("called", size(&called([0; 4096]))),
        ("counted_late", size(&counted_late([0; 4096]))),
    ] {
        assert!(size <= bare + 64, "{what}: {size} bytes, {bare} without");
    }
    assert_eq!(size(&timed_boxed([0; 4096])), size(&bare_boxed([0; 4096])));
    let kept = recorded(|collector| {
        assert_eq!(
            (run(timed([1; 4096])), run(told([2; 4096])), run(failing([3; 4096]))),
            (Ok(1), Ok(2), Ok(3))
        );
        assert_eq!((run(timed_boxed([1; 4096])), run(told_boxed([2; 4096]))), (Ok(1), Ok(2)));
        assert_eq!((run(failing_boxed([3; 4096])), run(bare_boxed([4; 4096]))), (Ok(3), Ok(4)));
        assert_eq!((run(spanless([5; 4096])), run(spanless_told([6; 4096]))), (Ok(5), Ok(6)));
        assert_eq!((run(spanless_boxed([5; 4096])), run(spanless_told_boxed([6; 4096]))), (Ok(5), Ok(6)));
        assert_eq!((run(called([7; 4096])), run(called_boxed([8; 4096]))), (Ok(7), Ok(8)));
        assert_eq!((run(counted_late([9; 4096])), run(counted_late_boxed([9; 4096]))), (Ok(9), Ok(9)));
        let metrics = collector.snapshot();
        assert_eq!((metrics.total("size"), metrics.total("size.count")), (10.0, 4.0));
        assert_eq!(count_of(&metrics, "size", &[("outcome", "ok")]), 6);
    });
    assert_eq!(kept.spans.iter().filter(|span| span.name == "size").count(), 6);
}

#[time_me(name = "panics", outcome, active)]
fn panics() -> impl Future<Output = Result<u8, String>> {
    async {
        let _held = Says("held by what panics");
        Once::default().await;
        panic!("at its second poll")
    }
}

#[test]
fn a_panic_ends_a_call_though_its_future_is_held() {
    let kept = recorded(|collector| {
        let mut future = Box::pin(panics());
        let mut poll = || future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        assert!(poll());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut poll)).unwrap_err();
        let metrics = collector.snapshot();
        assert_eq!(count_of(&metrics, "panics", &[("outcome", "panic")]), 1);
        assert_eq!(metrics.total("panics.active"), 0.0);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)).is_err(), "it is over");
        tracing::info!("later");
        drop(future);
        assert_eq!(collector.snapshot().total("panics"), 1.0);
    });
    let span = kept.span("panics");
    assert_eq!(span.status, telemetry_layer::model::Status::Error("panicked".into()));
    assert_eq!(kept.event("held by what panics is dropped").span_id, Some(span.span_id));
    assert!(span.start_unix_nano + span.duration_nano <= kept.event("later").time_unix_nano);
}

#[time_me(name = "at.once", outcome)]
async fn at_once(text: &str) -> Result<u8, std::num::ParseIntError> {
    let _held = Says("what is held");
    let n = text.parse()?;
    if n == 0 {
        return Ok(1);
    }
    Ok(n)
}

/// Waits where nothing but a macro shows it.
macro_rules! once {
    () => {
        Once::default().await
    };
}

#[time_me(name = "by.macro", outcome)]
async fn by_macro() -> u8 {
    let _held = Says("what is held");
    once!();
    7
}

#[time_me(name = "by.block")]
async fn by_block() -> impl Future<Output = u8> + Send {
    async {
        Once::default().await;
        7
    }
}

#[test]
fn futures_that_wait_for_nothing_and_such_that_hide_it() {
    let kept = recorded(|collector| {
        drop(at_once("1"));
        assert_eq!(["1", "0"].map(|text| ready(is_send(at_once(text)))), [Ok(1), Ok(1)]);
        ready(at_once("x")).unwrap_err();
        let mut waits = Box::pin(is_send(by_macro()));
        assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        tracing::info!("between");
        assert_eq!(run(waits), 7);
        assert_eq!(run(ready(is_send(by_block()))), 7);
        let metrics = collector.snapshot();
        let ended = |outcome| count_of(&metrics, "at.once", &[("outcome", outcome)]);
        assert_eq!(["ok", "error", "panic", "cancelled"].map(ended), [2, 1, 0, 0]);
        assert_eq!(
            (count_of(&metrics, "by.macro", &[("outcome", "ok")]), metrics.total("by.block")),
            (1, 1.0)
        );
    });
    assert_eq!(kept.event("between").span_id, None, "a span is left while its future waits");
    let calls: Vec<_> = kept.spans.iter().filter(|span| span.name == "at.once").collect();
    assert_eq!(calls.len(), 3, "what was never polled has no span");
    let held = kept.events.iter().filter(|event| event.message.contains("is held"));
    let within: Vec<_> = held.map(|event| event.span_id.unwrap()).collect();
    let spans: Vec<_> =
        calls.iter().map(|span| span.span_id).chain([kept.span("by.macro").span_id]).collect();
    assert_eq!(within, spans, "locals are dropped in the span");
}

#[time_me(name = "moved", fields(%text), tags(len = text.len()))]
async fn moved(text: String) -> usize {
    Once::default().await;
    text.len()
}

#[time_me(name = "moved", outcome, err, fields(%text))]
async fn moved_and_looked_at(text: String) -> Result<usize, String> {
    Once::default().await;
    Err(text)
}

#[test]
fn fields_are_read_before_the_arguments_go_into_the_future() {
    let kept = recorded(|_| {
        assert_eq!(run(moved("four".to_owned())), 4);
        assert_eq!(run(moved_and_looked_at("five!".to_owned())), Err("five!".to_owned()));
    });
    let spans = kept.spans.iter().filter(|span| span.name == "moved");
    let texts: Vec<_> =
        spans.map(|span| span.fields.iter().find(|(k, _)| k == "text").unwrap().1.clone()).collect();
    assert_eq!(texts, ["four".into(), "five!".into()]);
}

/// Says that it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        tracing::info!("{} is dropped", self.0);
    }
}

#[time_me]
async fn holds() {
    let _held = Says("what it holds");
    let _ = held_below().await;
}

#[time_me(outcome)]
async fn held_below() -> Result<(), ()> {
    let _held = Says("what is held below");
    std::future::pending().await
}

#[time_me]
async fn ends() {
    let _held = Says("what is over");
}

#[test]
fn what_a_future_holds_is_dropped_in_its_span() {
    let kept = recorded(|_| {
        let mut cancelled = Box::pin(holds());
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(cancelled);
        ready(ends());
        drop(holds());
        tracing::info!("outside");
    });
    let place = |text: &str| kept.event(text).span_id;
    assert_eq!(place("what it holds is dropped"), Some(kept.span("holds").span_id));
    assert_eq!(place("what is held below is dropped"), Some(kept.span("held_below").span_id));
    assert_eq!(place("what is over is dropped"), Some(kept.span("ends").span_id));
    assert_eq!((place("outside"), kept.spans.len()), (None, 3), "what was never polled has no span");
    assert_eq!(kept.span("held_below").parent_span_id, Some(kept.span("holds").span_id));
}

/// Lets time pass when a span closes.
struct Slow(ManualClock);

impl<S: tracing::Subscriber> Layer<S> for Slow {
    fn on_close(&self, _: tracing::Id, _: layer::Context<'_, S>) {
        self.0.advance(Duration::from_secs(5));
    }
}

#[time_me]
async fn closes() {
    std::future::ready(()).await;
}

#[time_me(outcome)]
async fn closes_and_tells() {
    std::future::ready(()).await;
}

#[time_me(fields(n = 1))]
async fn closes_with_fields() {
    std::future::ready(()).await;
}

#[test]
fn what_others_do_at_the_end_of_a_span_is_no_part_of_the_call() {
    let clock = ManualClock::new(0);
    let (collector, _) = collector(|b| b.clock(Clock::manual(&clock)));
    let slow = Slow(clock.clone());
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector)).with(slow);
    tracing::subscriber::with_default(subscriber, || {
        collector.scoped(|| {
            ready(closes());
            ready(closes_and_tells());
            ready(closes_with_fields());
        });
    });
    let seen = collector.snapshot();
    let lasted: Vec<f64> =
        seen.named("function.duration").filter_map(|metric| metric.histogram()?.max).collect();
    assert_eq!(lasted, [0.0; 3]);
}
