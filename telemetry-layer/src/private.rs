//! For what the macros expand to. Nothing here is for users, and all of it may change.

use std::pin::Pin;
use std::task::{Context, Poll};

use telemetry_core::private::{End, Measures, Over, announce, opened};
use tracing::callsite::{DefaultCallsite, Identifier};
use tracing::field::FieldSet;
use tracing::instrument::Instrumented;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::metadata::Kind;
use tracing::span::EnteredSpan;
use tracing::{Metadata, Span};

pub use telemetry_core::Level;
#[cfg(not(target_os = "linux"))]
pub use telemetry_core::list;
pub use telemetry_core::metrics::{CellKind, Site};
pub use telemetry_core::private::{
    Active, AnyOutcome, CallTimer, DisplayTag, FutureOutcomeTimer, FutureTimer, Outcome, OutcomeCounter,
    OutcomeTimer, Probe, SpanOutcomeTimer, SpanTimer, Tag, TaggedOutcomeTimer, TextTag, call, count,
    count_with, error_type, observe, record, record_point, start, type_name,
};
pub use tracing;
pub use tracing::Instrument;

/// Where spans begin whose fields have no value yet. What `span!` would become costs the compiler twice as much.
#[derive(Debug)]
pub struct SpanSite {
    metadata: Metadata<'static>,
    callsite: DefaultCallsite,
}

impl SpanSite {
    /// To be kept where `site` says.
    #[track_caller]
    pub const fn new(
        site: &'static Self,
        target: &'static str,
        name: &'static str,
        level: Level,
        fields: &'static [&'static str],
    ) -> Self {
        let place = std::panic::Location::caller();
        let (file, line) = (Some(place.file()), Some(place.line()));
        let fields = FieldSet::new(fields, Identifier(&site.callsite));
        let metadata = Metadata::new(name, target, level, file, line, Some(target), fields, Kind::SPAN);
        Self { metadata, callsite: DefaultCallsite::new(&site.metadata) }
    }

    /// Of a function that is timed.
    #[track_caller]
    pub const fn timed(site: &'static Self, target: &'static str, name: &'static str) -> Self {
        Self::new(site, target, name, Level::INFO, &["telemetry.timed"])
    }

    /// The same, of which it is said how it ended.
    #[track_caller]
    pub const fn with_outcome(site: &'static Self, target: &'static str, name: &'static str) -> Self {
        Self::new(site, target, name, Level::INFO, &["telemetry.timed", "otel.status_code"])
    }

    /// Opens a span, if anybody wants it.
    pub fn open(&'static self) -> Span {
        let metadata = &self.metadata;
        if *metadata.level() <= STATIC_MAX_LEVEL && *metadata.level() <= LevelFilter::current() {
            let interest = self.callsite.interest();
            let is_wanted = || tracing::dispatcher::get_default(|subscriber| subscriber.enabled(metadata));
            if interest.is_always() || (interest.is_sometimes() && is_wanted()) {
                return Span::new(metadata, &metadata.fields().value_set(&[]));
            }
        }
        Span::none()
    }
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

impl<T: Measures> Spanned<T> {
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
    /// A future in a span, and what measures it.
    #[derive(Debug)]
    pub struct InSpan<F, T> {
        #[pin]
        future: Instrumented<F>,
        timer: T,
    }
}

impl<F, T> InSpan<F, T> {
    #[inline]
    pub fn new(timer: T, span: Span, future: F) -> Self {
        Self { future: future.instrument(begun(span)), timer }
    }
}

impl<F: Future, T> Future for InSpan<F, T> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(context)
    }
}

/// Tells the compiler a type, where nothing ever comes.
#[cold]
pub fn never<T>() -> T {
    unreachable!("it stands behind `if false`")
}

pin_project_lite::pin_project! {
    /// A future in a span, which it hands out at its end.
    #[derive(Debug)]
    pub struct WithSpan<F> {
        #[pin]
        future: Instrumented<F>,
    }
}

impl<F> WithSpan<F> {
    #[inline]
    pub fn new(span: Span, future: F) -> Self {
        Self { future: future.instrument(span) }
    }
}

impl<F: Future> Future for WithSpan<F> {
    type Output = (F::Output, Span);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        future.as_mut().poll(context).map(|output| (output, future.span().clone()))
    }
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
