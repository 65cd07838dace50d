//! StatsD, as Etsy's server, Datadog's agent and many others read it: data points come in, and what goes out are lines, which a
//! connection takes to a server. Spans and events are not sent, and nothing is aggregated here: counts come as what was added
//! since the last batch.
//!
//! | here | on the wire | source |
//! | --- | --- | --- |
//! | counter, what was added since | `name:5\|c` | ES |
//! | counter since the start (`temporality=cumulative`) | `name:5\|g` | |
//! | gauge, up-down counter | `name:5\|g`, again with each batch: Etsy's server keeps the last value, Datadog's agent forgets it | ES, DD |
//! | the same below 0 | plain and `graphite`, where a sign is a change: `name:0\|g` and `name:-5\|g` in one packet; `datadog`, where it is the value: `name:-5\|g` | ES, DA |
//! | change of an up-down counter, of a point made by hand | `name:+5\|g`; `datadog` has no such thing, and it is left out | ES |
//! | histogram of times (unit `s`, `ms`, `us` or `ns`) | `name:12.3\|ms`, in milliseconds whatever the unit | ES |
//! | any other histogram | `name:12.3\|ms`; `datadog`: `name:12.3\|d`; as it was recorded | ES, DD |
//! | so many values in a bucket | one that stands for them, `name:12.3\|ms\|@0.01`: `1 / rate` is their number, to the last bit | ES, DA |
//! | histogram since the start | gauges `name.count`, `name.sum`, `name.min`, `name.max`, `name.p50` and the like | |
//! | NaN, an infinity; a line that is longer than a packet, or on a stream than 64 KiB; a histogram whose lines have more than 1 MiB | none: it is left out and counted as rejected | |
//! | time of a point | none: a server counts when it reads. `datadog` with `timestamps=true`: `\|T1700000000` of what is `c` and `g` | DD 1.3 |
//! | numbers | digits without an exponent; a fraction has as many as tell it from others | ES |
//!
//! ES: github.com/statsd/statsd 0.9, `docs/metric_types.md` and `stats.js`. DD: Datadog, "Datagram Format and Shell Usage",
//! `DogStatsD` protocol 1.0 to 1.3. DA: Datadog's agent 7, `comp/dogstatsd/server` and `pkg/util/quantile`.
//!
//! # Dialects
//! | dialect | tags | names |
//! | --- | --- | --- |
//! | `plain` | part of the name, `name.key.value`, sorted by key: all, only the point's own, or none (`tags_in_name`) | ASCII letters, digits and `. _ -`; `/` becomes `-` and all else `_`, in keys and values dots too |
//! | `graphite` | `name;key=value`; the key `name`, which Graphite has itself, is `exported_name` | as there; keys and values may have dots |
//! | `datadog` | `\|#key:value,key:value`, and the container's id `\|c:ID` where it was [found](crate::Detect) | ASCII letters, digits and `. _`, a letter first; all else becomes `_`. Keys and values have any character but controls, spaces, `,` and `\|`, and keys no `:` |
//!
//! Where tags are not in the name, points that differ in nothing else become one there: counts add up, but the last gauge wins.
//! The same is true of names and tags that become one because of what no name can hold.
//!
//! # Distributions
//! A histogram has buckets. Of each one goes a value that stands for all in it, with the rate from which a server counts exactly
//! so many; the values together have the mean that was measured as far as their buckets allow it. Where the least and the
//! greatest value are known, they are among them as they are.
//!
//! Etsy's server multiplies the count alone: its mean and percentiles take each line for one value. So `plain` and `graphite` send
//! up to `samples` lines (50) that stand for about as many values each, and one for each value where there are no more than
//! these. Datadog's agent weighs all by the rate, and gets a value for each bucket; values with the same rate share a line
//! (`name:1:2:32\|d`, protocol 1.1). netdata takes a line of a timer for at most 100 values.
//!
//! # Delivered
//! Nothing acknowledges anything on this wire. Over UDP and over a Unix socket of datagrams "delivered" means that the kernel took
//! the packet: whether a server was there and read it, nobody knows, but that the system may report a port where nobody
//! listened to the packet after it, which is then sent again. Each packet is a request of its own, so what is tried again was never
//! sent: only a histogram whose lines need several packets may be counted twice in part. Over TCP, TLS and a stream of a Unix socket it
//! means that the kernel took the lines on a connection that was open. When a connection breaks, the request that was on its way is sent
//! again on another one: its counters and histograms may be counted twice. A request has 256 KiB there, or one point where that
//! has more. What a server says on a stream (those of StatsD say nothing) is told.
//!
//! The options are declared, and documented, in `endpoint/points/statsd.rs`.

mod decimal;
mod distribution;
mod exporter;
mod form;
mod names;
mod points;
mod rate;
mod writer;

pub(crate) use exporter::Statsd;
pub use form::{Dialect, Form, TagsInName, Type};
pub use writer::Writer;

#[cfg(test)]
mod tests;
