//! Exporters: where batches go. [`from_url`] lists those that there are, with all their options; a [`Route`] says how one is served.
//!
//! An [`Exporter`] is given one [`Batch`] at a time, makes one attempt, and says how it ended. It never waits
//! between attempts, never retries and never starts threads for the pipeline: that is its worker's part.

#[cfg(test)]
#[cfg(any(feature = "http", feature = "socket"))]
mod authority;
pub(crate) mod batch;
#[cfg(feature = "chrome-trace")]
mod chrome_trace;
mod closure;
#[cfg(feature = "console")]
mod console;
#[cfg(any(feature = "points", feature = "prometheus"))]
#[cfg_attr(
    not(all(feature = "points", feature = "prometheus")),
    allow(dead_code, reason = "some of it is for one of them")
)]
mod digits;
mod discard;
mod endpoint;
pub(crate) mod error;
pub(crate) mod exporter;
#[cfg(feature = "file")]
mod file;
mod filter;
#[cfg(feature = "graphite")]
pub(crate) mod graphite;
mod health;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "influxdb")]
pub(crate) mod influxdb;
mod item;
#[cfg(any(feature = "file", feature = "http"))]
mod json;
#[cfg(feature = "http")]
mod json_batches;
#[cfg(feature = "librato")]
pub(crate) mod librato;
pub(crate) mod limits;
#[cfg(feature = "points")]
#[allow(dead_code, unused_imports, unused_macros, reason = "no exporter of points may be there")]
mod lines;
mod live;
#[cfg(feature = "opentsdb")]
pub(crate) mod opentsdb;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
#[cfg(feature = "prometheus")]
pub(crate) mod prometheus;
#[cfg(feature = "http")]
#[cfg_attr(not(feature = "otlp"), allow(dead_code, unreachable_pub, reason = "all of it is for OTLP"))]
mod protobuf;
#[cfg(any(feature = "net", test))]
pub(crate) mod protocol;
mod recycler;
pub(crate) mod redaction;
mod report;
mod route;
#[cfg(feature = "prometheus")]
pub(crate) mod server;
pub(crate) mod signal;
#[cfg(feature = "socket")]
#[cfg_attr(
    not(all(feature = "graphite", feature = "opentsdb", feature = "statsd")),
    allow(dead_code, reason = "some of it is for one of them")
)]
mod socket;
#[cfg(feature = "statsd")]
pub(crate) mod statsd;
#[cfg(feature = "points")]
#[allow(dead_code, reason = "no exporter of points may be there")]
mod summary;
#[cfg(any(feature = "http", feature = "socket"))]
mod tls;
#[cfg(any(feature = "otlp", feature = "prometheus"))]
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "some of it is for OTLP"))]
mod wire;
pub(crate) mod words;

pub use crate::model::record::{FieldKey, RawValue};
pub(crate) use batch::Batch;
#[cfg(feature = "chrome-trace")]
pub use chrome_trace::ChromeTrace;
#[cfg(feature = "console")]
pub use console::{Console, Stream};
pub use discard::Discard;
pub use endpoint::from_url;
pub(crate) use endpoint::{TOKEN, escape, named, split_urls, unescape, with_port, without_user};
pub use error::EndpointError;
pub(crate) use error::{Again, Delivery, ExportError};
pub(crate) use exporter::Exporter;
#[cfg(feature = "file")]
pub use file::File;
pub use filter::Filter;
pub(crate) use filter::Sieve;
pub use health::{Activity, ExporterHealth};
pub use item::{EventRef, SpanRef};
pub(crate) use limits::Limits;
pub(crate) use live::{Held, Live, Now};
#[cfg(feature = "prometheus")]
pub use prometheus::{Answer, Prometheus, Translation};
#[cfg(any(feature = "net", test))]
pub(crate) use protocol::{Protocol, Sending};
pub(crate) use recycler::Recycler;
pub use report::{ExportReport, NextAttempt};
pub(crate) use route::{Driver, Target, Terms};
pub use route::{HostTag, Route, SpoolMode};
pub(crate) use signal::Signal;
