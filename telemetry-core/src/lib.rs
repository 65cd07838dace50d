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
mod detect;
mod diagnostics;
mod error;
pub mod exporters;
#[cfg(any(feature = "file", feature = "net", test))]
#[cfg_attr(not(feature = "file"), allow(dead_code, unused_imports, reason = "some of it is for `file:`"))]
mod files;
mod instrument;
pub mod metrics;
pub mod model;
mod pipeline;
mod process_metrics;
pub mod sampling;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod thread;

pub use collector::{Builder, CheckAtStart, Collector, Config, Guard, Report, ScopedFuture, SelfMetrics};
pub use detect::Detect;
pub use error::Error;
pub use exporters::batch::Batch;
pub use exporters::error::{Delivery, ExportError};
pub use exporters::exporter::Exporter;
pub use exporters::signal::Signal;
pub use instrument::{
    Counter, Gauge, Histogram, Meter, Tagged, Timer, TimerGuard, UpDownCounter, counter, gauge, histogram,
    meter, timer, up_down_counter,
};
pub use pipeline::ledger;
pub use thread::{suppress, suppress_future};
pub use tracing_core::Level;

/// For the layer and for what the macros expand to. Nothing here is for users, and all of it may change.
#[doc(hidden)]
pub mod __private {
    pub use crate::clock::{Held, Tick, held};
    pub use crate::collector::{EventMetric, Sink};
    pub use crate::diagnostics::{warn, warn_once};
    pub use crate::exporters::limits::Limits;
    #[cfg(feature = "net")]
    pub use crate::exporters::protocol::{Encoded, Protocol, Sending};
    #[cfg(feature = "net")]
    pub use crate::exporters::route::protocol_of;
    pub use crate::exporters::words::nearest;
    pub use crate::instrument::inherited::{look_for_tags, tags_begin, tags_end};
    pub use crate::instrument::private::*;
    #[cfg(all(feature = "catalogue", not(target_os = "linux")))]
    pub use crate::metrics::catalogue::{Listed, ListedFunction, inventory};
    pub use crate::metrics::site::{CellKind, FunctionSite, Site, SpanSite};
    pub use crate::pipeline::Writer;
    pub use crate::sampling::rules::Sampler;
    pub use crate::thread::{Suppression, is_suppressed, look_for_spans, new_ids};
    pub use crate::thread::{are_threads_wanted, on_threads_wanted, thread_number};

    /// What Graphite is sent.
    #[cfg(feature = "graphite")]
    pub mod graphite {
        pub use crate::exporters::graphite::{MAX_LINE, put_batch};
    }
    /// What Librato is sent.
    #[cfg(feature = "librato")]
    pub mod librato {
        pub use crate::exporters::librato::Writer;
    }
    /// What OpenTSDB is sent.
    #[cfg(feature = "opentsdb")]
    pub mod opentsdb {
        pub use crate::exporters::opentsdb::*;
    }
    /// What OTLP says on the wire.
    #[cfg(feature = "otlp")]
    pub mod otlp {
        pub use crate::exporters::otlp::*;
    }
    /// Line protocol.
    #[cfg(feature = "influxdb")]
    pub mod influxdb {
        pub use crate::exporters::influxdb::*;
    }
    /// What a page of metrics is made of.
    #[cfg(feature = "prometheus")]
    pub mod prometheus {
        pub use crate::exporters::prometheus::source_of;
    }
    /// The bytes of finished records.
    pub mod record {
        pub use crate::model::record::*;
    }
    /// Lines of StatsD.
    #[cfg(feature = "statsd")]
    pub mod statsd {
        pub use crate::exporters::statsd::{Dialect, Form, TagsInName, Type, Writer};
    }
    /// Patterns for names.
    pub mod glob {
        pub use crate::model::glob::*;
    }
    /// Texts of bounded length.
    pub mod cut {
        pub use crate::model::cut::*;
    }
    /// What threads share.
    pub mod sync {
        pub use crate::sync::*;
    }
}
