//! Turns a program that uses `tracing` into one that delivers exact metrics, events and traces.
//!
//! Add [`TelemetryLayer`] to the subscriber you have, or let [`init`] set up everything from the environment;
//! annotate functions with [`count_me`] and [`time_me`]; read metrics, events and spans where an exporter put
//! them.
//!
//! ```
//! use telemetry_layer::prelude::*;
//!
//! #[count_me]
//! #[time_me]
//! fn checkout(items: u64) -> u64 {
//!     tracing::info!(items, "checked out");
//!     items * 10
//! }
//!
//! let _telemetry = telemetry_layer::init_with(Collector::builder().export("discard:"))?;
//! checkout(3);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```

//!
//! # Limits
//!
//! | what | how much |
//! | --- | --- |
//! | a text in a field, a name, a status message | 8 KiB; longer ones are cut |
//! | the fields of one span or event | 32 KiB, and the first 255; what does not fit is counted in the item |
//! | tags of a metric, or global ones | 25 |
//! | series of one metric | 2000 (`max_series`); the next ones are summed up in one |
//! | memory | `buffer_bytes`, `exporter_bytes`, `metrics_bytes` of [`Config`] |

mod context;
#[cfg(feature = "http")]
mod headers;
mod heartbeat;
#[cfg(feature = "tower")]
mod http_server;
#[cfg(feature = "env-filter")]
mod init;
mod layer;
mod local;
mod log_record;
mod metric_fields;
#[cfg(all(test, shuttle))]
mod models;
mod open_spans;
mod panics;
mod plan;
mod store;
mod visit;

pub use context::{SetParentError, SpanExt, current_trace_context, with_remote_parent};
#[cfg(feature = "http")]
pub use headers::{extract_headers, inject_headers};
#[cfg(feature = "tower")]
pub use http_server::{HttpServer, HttpServerFuture, HttpServerLayer};
#[cfg(feature = "env-filter")]
pub use init::{init, init_with};
pub use layer::TelemetryLayer;
pub use open_spans::{OpenSpan, OpenSpans};
pub use panics::install_panic_hook;
pub use plan::SpanMetrics;

#[cfg(feature = "testing")]
pub use telemetry_core::testing;
pub use telemetry_core::{
    Batch, Builder, CheckAtStart, Collector, Config, Counter, Delivery, Error, ExportError, Exporter, Gauge,
    Guard, Histogram, Ledger, Level, Meter, Report, ScopedFuture, Signal, Timer, TimerGuard, UpDownCounter,
    With, clock, counter, exporters, gauge, histogram, meter, metrics, model, pipeline, sampling, suppress,
    suppress_future, thread, timer, up_down_counter,
};
#[cfg(feature = "macros")]
pub use telemetry_macros::{count, count_me, gauge, histogram, record, time, time_me};

/// What most programs need: `use telemetry_layer::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Batch, Collector, Delivery, ExportError, Exporter, Signal, SpanExt, TelemetryLayer, counter, gauge,
        histogram, meter, timer, up_down_counter,
    };
    #[cfg(feature = "macros")]
    pub use crate::{count, count_me, time, time_me};
    pub use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    pub use tracing_subscriber::util::SubscriberInitExt as _;
}

/// For what the macros expand to. Nothing here is for users, and all of it may change.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private {
    use std::pin::Pin;
    use std::task::{Context as TaskContext, Poll};
    pub use telemetry_core::Level;
    #[cfg(not(target_os = "linux"))]
    pub use telemetry_core::list;
    pub use telemetry_core::metrics::{CellKind, Site};
    pub use telemetry_core::private::{
        Active, AnyOutcome, CallTimer, DisplayTag, FutureOutcomeTimer, FutureTimer, Outcome, OutcomeCounter,
        OutcomeTimer, Probe, SpanOutcomeTimer, SpanTimer, Tag, TaggedOutcomeTimer, TextTag, call, count,
        count_with, error_type, observe, record, record_point, start, type_name,
    };
    use telemetry_core::private::{End, Measures, Over, announce, opened};
    use tracing::callsite::{DefaultCallsite, Identifier};
    use tracing::field::FieldSet;
    use tracing::instrument::Instrumented;
    use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
    use tracing::metadata::Kind;
    use tracing::span::EnteredSpan;
    use tracing::{Metadata, Span};

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
                let is_wanted =
                    || tracing::dispatcher::get_default(|subscriber| subscriber.enabled(metadata));
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

        fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
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

        fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
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
}
