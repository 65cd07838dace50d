//! Futures that run in a span, on whatever threads poll them.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use telemetry_core::__private::Site;
use telemetry_core::__private::{
    Ends, FutureOutcomeTimer, FutureTimer, Measures, Outcome, Over, end_together,
};
use tracing::Span;
use tracing::span::{Entered, EnteredSpan};

use super::span::{begun, open_for, set_status};
use crate::span_ext::cancel;

pin_project_lite::pin_project! {
    /// A future in a span. What it holds when it is dropped before its end is dropped in the span too: its fields are
    /// dropped in their order, which costs the compiler less for each future than a `Drop` of its own.
    #[derive(Debug)]
    pub struct InSpan<F, E> {
        entering: Entering,
        #[pin]
        future: F,
        leaving: E,
    }
}

/// Enters its span when it is dropped, unless its future came to its end: then there is none.
#[derive(Debug)]
struct Entering(Option<Span>);

/// Its timer ends with the future.
#[derive(Debug)]
pub struct Timed<T>(Leaving<T>);

/// Timer and span are handed out with the result.
#[derive(Debug)]
pub struct Told<T>(Leaving<T>);

/// Leaves the span that was entered last when it is dropped, unless its future came to its end: then it has no timer.
#[derive(Debug)]
struct Leaving<T>(Option<T>);

/// The timer and the span of a future that has come to its end. They end together, and the clock runs again after both.
#[derive(Debug)]
pub struct Ended<T: Measures> {
    timer: T,
    span: Span,
    over: Option<Over>,
}

thread_local! {
    /// Spans of futures that are being dropped on this thread. It is made after what the Registry has of the thread, and
    /// so gone before that.
    static DROPPING: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
}

impl Entering {
    fn enter(&self) -> Option<Entered<'_>> {
        let entered = self.0.as_ref().map(Span::enter);
        let _ = DROPPING.try_with(|_| ());
        entered
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            // It has not come to its end.
            if !std::thread::panicking() {
                cancel(&span);
            }
            // Where that is gone the Registry can't be entered any more: the span ends before its future.
            let _ = DROPPING.try_with(|dropping| {
                let entered = span.entered();
                dropping.borrow_mut().push(entered);
            });
        }
    }
}

impl<T> Drop for Leaving<T> {
    fn drop(&mut self) {
        if self.0.is_some() {
            // Its end runs code of others: not while it is borrowed.
            let entered = DROPPING.try_with(|dropping| dropping.borrow_mut().pop());
            drop(entered);
        }
    }
}

/// A span and a timer that have begun, for a future.
#[derive(Debug)]
pub struct Begun<E> {
    entering: Entering,
    leaving: E,
}

impl<E> Begun<E> {
    fn new(span: Span, leaving: E) -> Self {
        Self { entering: Entering(Some(span)), leaving }
    }
}

/// For a function of which nothing else is said.
pub fn timed(site: &'static Site) -> Begun<Timed<FutureTimer>> {
    let timer = FutureTimer::start(site);
    let span = begun(open_for(&timer));
    timed_in(timer, span)
}

/// The same with a series for each outcome.
pub fn told(sites: &'static [Site; 4]) -> Begun<Told<FutureOutcomeTimer>> {
    let timer = FutureOutcomeTimer::start(sites);
    let span = begun(open_for(&timer));
    told_in(timer, span)
}

/// That timer ends when its future is gone.
pub fn timed_in<T>(timer: T, span: Span) -> Begun<Timed<T>> {
    Begun::new(span, Timed(Leaving(Some(timer))))
}

/// That timer is told how its future ended.
pub fn told_in<T>(timer: T, span: Span) -> Begun<Told<T>> {
    Begun::new(span, Told(Leaving(Some(timer))))
}

impl<F, E> InSpan<F, E> {
    /// Calls nothing: it is a part of each annotated function.
    #[inline]
    pub fn new(begun: Begun<E>, future: F) -> Self {
        let Begun { entering, leaving } = begun;
        Self { entering, future, leaving }
    }
}

impl<F: Future, T: Measures> Future for InSpan<F, Timed<T>> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.entering.enter();
        let polled = this.future.poll(context);
        drop(entered);
        if polled.is_ready() {
            let _over = this.leaving.end();
            this.entering.0 = None;
        }
        polled
    }
}

impl<F: Future, T: Measures> Future for InSpan<F, Told<T>> {
    type Output = (F::Output, Ended<T>);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.entering.enter();
        let polled = this.future.poll(context);
        drop(entered);
        match polled {
            Poll::Ready(output) => {
                let ended = this.leaving.0.0.take().zip(this.entering.0.take());
                let (timer, span) = ended.expect("no future goes on after its end");
                Poll::Ready((output, Ended { timer, span, over: None }))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: Measures> Timed<T> {
    /// Before its span, as what others do at the end of that is not a part of the call.
    fn end(&mut self) -> Option<Over> {
        let over = self.0.0.as_ref().and_then(end_together);
        self.0.0 = None;
        over
    }
}

impl<T: Measures> Drop for Ended<T> {
    fn drop(&mut self) {
        if self.over.is_none() {
            self.over = end_together(&self.timer);
        }
    }
}

impl<T: Measures> Ended<T> {
    /// The span that it ran in.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

impl<T: Ends + Measures> Ended<T> {
    /// Says how it ended.
    pub fn end(&mut self, outcome: Outcome) {
        self.end_with(outcome, None);
    }

    /// The same with the kind of error, if it is one.
    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        set_status(&self.span, outcome, error_type.as_deref());
        self.over = end_together(&self.timer);
        self.timer.end_with(outcome, error_type);
    }
}

/// Tells the compiler a type, where nothing ever comes.
#[cold]
pub fn never<T>() -> T {
    unreachable!("it stands behind `if false`")
}
