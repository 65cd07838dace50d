//! Metrics, events and traces of a program, taken where they happen and delivered to the backends it has.
//!
//! Programs depend on `telemetry-layer`, which re-exports all of this and adds the `tracing` layer and the
//! attributes. On its own this crate gives the instruments and the collector:
//!
//! ```
//! use std::time::Duration;
//! use telemetry_core::{Collector, counter, timer};
//!
//! let collector = Collector::builder().tag("env", "test").endpoint("discard:").start()?;
//! collector.scoped(|| {
//!     counter("orders").inc();
//!     timer("work").time(|| ());
//! });
//! assert_eq!(collector.snapshot().total("orders"), 1.0);
//! let report = collector.shutdown(Duration::from_secs(1));
//! assert!(report.is_complete() && report.ledger().balances());
//! # Ok::<(), telemetry_core::Error>(())
//! ```

pub mod clock;
mod collector;
mod diagnostics;
mod error;
pub mod exporters;
mod instrument;
pub mod metrics;
pub mod model;
mod pipeline;
pub mod sampling;
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "testing")]
pub mod testing;
pub mod thread;

#[doc(hidden)]
pub use collector::Sink;
pub use collector::{Builder, CheckAtStart, Collector, Config, Guard, Report, ScopedFuture, SelfMetrics};
pub use error::Error;
pub use exporters::{Batch, Delivery, ExportError, Exporter, Signal};
#[doc(hidden)]
pub use instrument::private;
pub use instrument::{
    Counter, Gauge, Histogram, Meter, Tagged, Timer, TimerGuard, UpDownCounter, counter, gauge, histogram,
    meter, timer, up_down_counter,
};
#[doc(hidden)]
pub use pipeline::Writer;
pub use pipeline::ledger;
pub use thread::{suppress, suppress_future};
pub use tracing_core::Level;
