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

mod events;
mod fields;
mod heartbeat;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "env-filter")]
mod init;
mod layer;
mod layers;
mod open_spans;
mod panics;
#[cfg(feature = "macros")]
mod private;
mod remote;
mod span_ext;
mod spans;
mod tracer;

pub use self::fields::SpanMetrics;
#[cfg(feature = "tower")]
pub use self::http::{HttpServer, HttpServerFuture, HttpServerLayer};
#[cfg(feature = "http")]
pub use self::http::{extract_headers, inject_headers};
#[cfg(feature = "env-filter")]
pub use self::init::{init, init_with};
pub use self::layer::TelemetryLayer;
pub use self::open_spans::{OpenSpan, OpenSpans};
pub use self::panics::install_panic_hook;
pub use self::remote::with_remote_parent;
pub use self::span_ext::{SetParentError, SpanExt, current_trace_context};

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
    pub use crate::private::*;
}
