//! How a measured function opens its span, and what it says to it.

use telemetry_core::__private::{Measures, Outcome, announce, opened};
use telemetry_core::__private::{Site, SpanSite};
use tracing::Span;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

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
pub(super) fn open_for(timer: &impl Measures) -> Span {
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

/// Gives the span of a call that returned an error that error.
pub fn record_error<T, E: std::fmt::Display>(span: &Span, result: &Result<T, E>) {
    if let Err(error) = result {
        span.record("error", tracing::field::display(error));
    }
}

/// Gives the span of a call that returned an error the status error, and the kind of error where that is known.
pub(super) fn set_status(span: &Span, outcome: Outcome, error_type: Option<&str>) {
    if outcome == Outcome::Error {
        span.record("otel.status_code", "error");
        if let Some(kind) = error_type {
            span.record("error.type", kind);
        }
    }
}
