//! Functions that run in a span on one thread.

use telemetry_core::__private::Site;
use telemetry_core::__private::{End, Ends, Measures, Outcome, Over, SpanOutcomeTimer, SpanTimer};
use tracing::Span;
use tracing::span::EnteredSpan;

use super::span::{open_for, set_status};

/// A call that runs in a span on one thread. Both end with one reading of the clock, which runs again when this is
/// gone.
#[derive(Debug)]
pub struct Spanned<T> {
    end: End,
    span: EnteredSpan,
    timer: T,
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

    /// In that span, which it enters.
    #[inline]
    pub fn new(timer: T, span: Span) -> Self {
        let span = span.entered();
        Self { end: End::of(&timer), span, timer, _over: Over }
    }

    /// The span that it runs in.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

impl<T: Ends> Spanned<T> {
    /// It has returned; what follows takes no part in its time.
    pub fn end(&mut self, outcome: Outcome) {
        self.end_with(outcome, None);
    }

    /// The same with the kind of error, if it is one.
    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        set_status(&self.span, outcome, error_type.as_deref());
        self.end.now();
        Ends::end_with(&mut self.timer, outcome, error_type);
    }
}
