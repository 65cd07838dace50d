//! The exporter `graphite`: data points for Graphite (carbon) and for whoever takes what it takes, such as `VictoriaMetrics`,
//! go-carbon and `InfluxDB`. Counters, gauges and histograms come in; out come lines of the plaintext protocol, with tags, over one connection
//! that is kept. Spans and events are never sent.
//!
//! Each point is `NAME;tag=value;tag=value VALUE SECONDS`, with the point's own tags and the global ones, sorted. A histogram is
//! several: `NAME.count`, `.sum`, `.min`, `.max`, `.p50`, `.p90`, `.p95` and `.p99`. (Of the time since the last export, `.min` and
//! `.max` are those of the lowest and the highest bucket that hold values, so they are off by as much as the quantiles.) Integers are
//! written as such, others in as few digits as name them and no other. Graphite keeps doubles, so of whole numbers beyond 2^53 the last digits go there. Times are
//! whole seconds: of several points of a series in one second, Graphite keeps the last.
//!
//! In names and values of tags `_` stands in place of what would end them (white space, control characters, `;`), and of a `~` at
//! their beginning. Tags with empty values are left out, as Graphite has none such; a tag `name` is called `_name`, as the other one is
//! the metric's (`__name` where there is a `_name`, and so on). Refused and counted are NaN and infinities, points without a name, from before 1970-01-01 00:00:01 (servers take such
//! a time for none), and with lines of more than 16,384 bytes: carbon closes the connection then.
//!
//! Counters and up-down counters are sums since the start, histograms are of the time since the last export (`temporality=`).
//!
//! Nobody acknowledges anything: "delivered" means that the kernel took it on a connection that was open, as
//! [`socket`](super::socket) says. What a server says all the same (it is none of Graphite's then) is told.
//!
//! The options are declared, and documented, in `endpoint/points/graphite.rs`.
//!
//! Source: Graphite 1.1, "Feeding In Your Data" and "Graphite Tag Support"; carbon 1.1.7, `protocols.py` and `util.py`.

mod encode;
mod exporter;

pub use encode::{MAX_LINE, put_batch};
pub(crate) use exporter::{Graphite, is_prefix};
