//! For what the macros expand to. Nothing here is for users, and all of it may change.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use telemetry_core::private::{End, Measures, Over, announce, opened};
use tracing::Span;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::span::EnteredSpan;

pub use telemetry_core::Level;
pub use telemetry_core::metrics::{CellKind, FunctionSite, Site, SpanSite};
pub use telemetry_core::private::{
    Active, AnyOutcome, CallTimer, DisplayTag, FutureOutcomeTimer, FutureTimer, Outcome, OutcomeCounter,
    OutcomeTimer, Probe, SpanOutcomeTimer, SpanTimer, Tag, TaggedOutcomeTimer, TextTag, call, count,
    count_with, error_type, observe, record, record_point, start, type_name,
};
#[cfg(not(target_os = "linux"))]
pub use telemetry_core::{list, list_function};
pub use tracing;
pub use tracing::Instrument;

/// Opens a span, if anybody wants it.
pub fn open(site: &'static SpanSite) -> Span {
    if site.level() <= STATIC_MAX_LEVEL
        && site.level() <= LevelFilter::current()
        && let Some((metadata, is_certain)) = site.wanted()
        && (is_certain || tracing::dispatcher::get_default(|subscriber| subscriber.enabled(metadata)))
    {
        Span::new(metadata, &metadata.fields().value_set(&[]))
    } else {
        Span::none()
    }
}

/// Opens the span of a function whose timer has begun.
fn open_for(timer: &impl Measures) -> Span {
    announce(timer);
    timer.site().and_then(Site::span).map_or_else(Span::none, open)
}

/// Says when the span began that is opened next: with its timer.
#[inline]
pub fn announced<T: Measures>(timer: T) -> T {
    announce(&timer);
    timer
}

/// That span.
#[inline]
pub fn begun(span: Span) -> Span {
    opened();
    span
}

/// A call that runs in a span on one thread. Both end with one reading of the clock, which runs again when this is
/// gone.
#[derive(Debug)]
pub struct Spanned<T> {
    end: End,
    span: EnteredSpan,
    pub timer: T,
    _over: Over,
}

/// A timer of a function, in its span.
pub fn in_span(site: &'static Site) -> Spanned<SpanTimer> {
    Spanned::of(SpanTimer::start(site))
}

/// The same with a series for each outcome.
pub fn in_span_with_outcome(sites: &'static [Site; 4]) -> Spanned<SpanOutcomeTimer> {
    Spanned::of(SpanOutcomeTimer::start(sites))
}

impl<T: Measures> Spanned<T> {
    /// With the span of the function.
    #[inline]
    fn of(timer: T) -> Self {
        let span = open_for(&timer);
        Self::new(timer, span)
    }

    #[inline]
    pub fn new(timer: T, span: Span) -> Self {
        let span = span.entered();
        Self { end: End::of(&timer), span, timer, _over: Over }
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    /// It has returned with that outcome; what follows takes no part in its time.
    #[inline]
    pub fn returned(&mut self, outcome: Outcome) {
        set_status(&self.span, outcome);
        self.end.now();
    }
}

pin_project_lite::pin_project! {
    /// A future in a span, which it hands out at its end. What it holds when it is dropped before is dropped in the span
    /// too: its fields are dropped in their order, which costs the compiler less for each future than a `Drop` of its
    /// own.
    #[derive(Debug)]
    pub struct InSpan<F, T> {
        entering: Entering,
        #[pin]
        future: F,
        leaving: Leaving,
        timer: T,
    }
}

/// Enters its span when it is dropped.
#[derive(Debug)]
struct Entering(Span);

/// Leaves that span when it is dropped, unless its future came to its end.
#[derive(Debug)]
struct Leaving(bool);

thread_local! {
    /// Spans of futures that are being dropped on this thread.
    static DROPPING: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Entering {
    fn drop(&mut self) {
        if !self.0.is_none() {
            let entered = std::mem::replace(&mut self.0, Span::none()).entered();
            // On a thread that is ending the span ends before its future.
            let _ = DROPPING.try_with(|dropping| dropping.borrow_mut().push(entered));
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if self.0 {
            // Its end runs code of others: not while it is borrowed.
            let entered = DROPPING.try_with(|dropping| dropping.borrow_mut().pop());
            drop(entered);
        }
    }
}

impl<F> InSpan<F, FutureTimer> {
    /// With the span of the function, and measured.
    #[inline]
    pub fn timed(site: &'static Site, future: F) -> Self {
        let timer = FutureTimer::start(site);
        let span = begun(open_for(&timer));
        Self::with(span, future, timer)
    }
}

impl<F> InSpan<F, ()> {
    /// With the span of the function.
    #[inline]
    pub fn of(timer: &impl Measures, future: F) -> Self {
        Self::new(begun(open_for(timer)), future)
    }

    #[inline]
    pub fn new(span: Span, future: F) -> Self {
        Self::with(span, future, ())
    }
}

impl<F, T> InSpan<F, T> {
    #[inline]
    fn with(span: Span, future: F, timer: T) -> Self {
        let leaving = Leaving(!span.is_none());
        Self { entering: Entering(span), future, leaving, timer }
    }
}

impl<F: Future, T> Future for InSpan<F, T> {
    type Output = (F::Output, Span);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.entering.0.enter();
        let Poll::Ready(output) = this.future.poll(context) else { return Poll::Pending };
        drop(entered);
        this.leaving.0 = false;
        Poll::Ready((output, std::mem::replace(&mut this.entering.0, Span::none())))
    }
}

/// Tells the compiler a type, where nothing ever comes.
#[cold]
pub fn never<T>() -> T {
    unreachable!("it stands behind `if false`")
}

/// Gives the span of a call that returned an error that error.
pub fn record_error<T, E: std::fmt::Display>(span: &Span, result: &Result<T, E>) {
    if let Err(error) = result {
        span.record("error", tracing::field::display(error));
    }
}

/// Gives the span of a call that returned an error the status error.
pub fn set_status(span: &Span, outcome: Outcome) {
    if outcome == Outcome::Error {
        span.record("otel.status_code", "error");
    }
}
