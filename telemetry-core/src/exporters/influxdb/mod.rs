//! `InfluxDB`: batches become line protocol, and what a server says of lines that it dropped is read. All but the [exporter] itself
//! is without a network.
//!
//! | of a point | in its line |
//! | --- | --- |
//! | name | measurement |
//! | own and global tags | tags; an empty value, which line protocol can't say, is `""` |
//! | counter, up-down counter, gauge | the field `value`, which is a float always, so that a metric keeps its type whatever it holds; of a whole number beyond 2^53, which floats have not all of, also `value_int`, which is an integer always |
//! | histogram | the integer `count` and the floats `sum`, `min`, `max`, `p50`, `p90`, `p95`, `p99` in one line; or, by choice, in place of the last four an integer for each bucket, whose name is its upper bound and which counts all that is not above it, up to `+Inf` |
//! | time | timestamp, in the precision that was chosen |
//!
//! By choice spans and events are lines too: of `spans` with the tags `name`, `target`, `kind`, `level`, `status` and the fields
//! `duration_nano`, `trace_id`, `span_id`, `parent_span_id`, `status_message`, `code_file`, `code_line`, `links`, `trace_state` and
//! `fields`; of `events` with the tags `name`, `target`, `level` and the fields `message`, `trace_id`, `span_id`, `code_file`,
//! `code_line` and `fields`. What the program's own fields hold is one text in JSON, `fields`, as a field of one name may have
//! another type in each place. Of those that would have the same time in a request, later ones are a nanosecond later each, as a
//! server takes two lines of one series and one time for one.
//!
//! Characters that no reader of line protocol is sure to take for what they are stand as escapes of Rust: control characters, a
//! `#` in front of a measurement, and a backslash where what is behind it would make it an escape. Tags named `time`, `_field`,
//! `_measurement` or as a field of their line get a `_` at their end. What a line can't say is left out: a point without a name,
//! NaN and infinities, and times after 2262.
//!
//! Nothing here reads a clock or panics, whatever an answer holds.
//!
//! Sources: `InfluxDB` 1.8, "Line protocol reference", "`InfluxDB` API reference"; `InfluxDB` OSS 2.7 and 3 Core, "Line protocol",
//! "Troubleshoot issues writing data".

mod answer;
mod exporter;
mod form;
mod items;
mod points;
mod text;
mod writer;

pub use answer::Dropped;
pub(crate) use exporter::{Database, InfluxDb};
pub use form::{Histograms, Precision};
pub use writer::Writer;

#[cfg(test)]
mod tests;
