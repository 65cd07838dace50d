//! The exporter `opentsdb`: data points for OpenTSDB and for whoever takes what it takes, such as VictoriaMetrics, InfluxDB 1.x and
//! Apptuit. Counters, gauges and histograms come in; out come lines of `put` over one connection that is kept (telnet), or JSON over
//! HTTP. Spans and events are never sent, and nothing is ever read back but what the server says of what it refused.
//!
//! Whole numbers are written as such, others in as few digits as name them and no other; NaN and infinities are refused and counted,
//! as are points without a name, without a tag, and from before 1970-01-01 00:00:01. Whole numbers above `i64::MAX` are written as
//! floats. Tags with empty values are left out. Each point has a tag `host` unless `host_tag=off` says otherwise; its own wins.
//!
//! Counters and up-down counters are sums since the start, histograms are of the time since the last export (`temporality=`).
//!
//! Over telnet nobody acknowledges anything: "delivered" means that the kernel took it on a connection that was open. Each line that
//! the server writes back counts as one item that it refused, of the request that is out when it comes: a line does not say of which
//! point it is, so a histogram, of which several points are made, may count as several items there, at most as all of the request.
//! What is written back to an attempt that then fails counts nowhere, as all of it is tried again. Over HTTP what the server says of
//! each point is counted by item, and a histogram counts once.
//!
//! The options are declared, and documented, in `endpoint/points/opentsdb.rs`.
//!
//! Source: OpenTSDB 2.4, "Writing Data", "put" (telnet) and "/api/put"; Apptuit's client 2.4.2.

mod answer;
mod encode;
mod exporter;
mod form;
mod points;

pub use encode::put_batch;
pub(crate) use exporter::OpenTsdb;
pub use form::{Characters, Form, Histograms, Style};
