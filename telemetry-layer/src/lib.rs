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
#[doc(hidden)]
pub mod __private {
    pub use telemetry_core::Level;
    pub use telemetry_core::metrics::{CellKind, Site};
    pub use telemetry_core::private::{
        Active, AnyOutcome, CallTimer, DisplayTag, End, FutureOutcomeTimer, FutureTimer, Outcome,
        OutcomeCounter, OutcomeTimer, Over, Probe, SpanOutcomeTimer, SpanTimer, Tag, TaggedOutcomeTimer,
        TextTag, announce, call, count, count_with, error_type, observe, opened, record, record_point, start,
        type_name,
    };
    #[cfg(all(feature = "macros", not(target_os = "linux")))]
    pub use telemetry_core::{inventory, metrics::Listed};
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::FieldSet;
    use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
    use tracing::metadata::Kind;

    pub use tracing;
    pub use tracing::callsite::DefaultCallsite;
    pub use tracing::{Instrument, Metadata};

    /// Of a span whose fields have no value when it opens.
    #[track_caller]
    pub const fn span_metadata(
        name: &'static str,
        target: &'static str,
        level: Level,
        fields: &'static [&'static str],
        site: &'static dyn Callsite,
    ) -> Metadata<'static> {
        let place = std::panic::Location::caller();
        let (fields, line) = (FieldSet::new(fields, Identifier(site)), Some(place.line()));
        Metadata::new(name, target, level, Some(place.file()), line, Some(target), fields, Kind::SPAN)
    }

    /// Opens such a span, if anybody wants it.
    #[inline]
    pub fn open(site: &'static DefaultCallsite) -> tracing::Span {
        let metadata = site.metadata();
        if *metadata.level() <= STATIC_MAX_LEVEL && *metadata.level() <= LevelFilter::current() {
            let interest = site.interest();
            let is_wanted = || tracing::dispatcher::get_default(|subscriber| subscriber.enabled(metadata));
            if interest.is_always() || (interest.is_sometimes() && is_wanted()) {
                return tracing::Span::new(metadata, &metadata.fields().value_set(&[]));
            }
        }
        tracing::Span::none()
    }

    /// Gives the span of a call that returned an error that error.
    pub fn record_error<T, E: std::fmt::Display>(span: &tracing::Span, result: &Result<T, E>) {
        if let Err(error) = result {
            span.record("error", tracing::field::display(error));
        }
    }

    /// Gives the span of a call that returned an error the status error.
    pub fn set_status(span: &tracing::Span, outcome: Outcome) {
        if outcome == Outcome::Error {
            span.record("otel.status_code", "error");
        }
    }
}
