//! A page of all metrics of a collector, for Prometheus and whoever else scrapes: data points come in where they are read, and
//! what goes out is a page in the form that a scraper asks for. Nothing here listens anywhere (`listen` tells the server), and
//! nothing is ever sent.
//!
//! | here | on the page | source |
//! | --- | --- | --- |
//! | counter | counter, `_total`; OpenMetrics and protobuf say since when it counts (`_created`) | OT, OM |
//! | up-down counter, gauge | gauge | OT |
//! | histogram with chosen buckets | histogram with these | OT |
//! | histogram, text and OpenMetrics | histogram with bounds at powers of two, which depend on the unit alone; each count is exact | |
//! | histogram, protobuf | native histogram: schema = scale, from -4 to 8, and the same buckets as in text beside | OT, NH |
//! | exemplar | at the bucket it falls in, the newest one there, with `trace_id` and `span_id`; not in 0.0.4 | OT, OM |
//! | unit | a word at the end of the name: `s` is `seconds`, `By/s` is `bytes_per_second`, `1` of a gauge is `ratio`, `{item}` is none | OT |
//! | `.` and whatever else names can't hold | `_`, several of these one; by [`Translation`] and by what the scraper says of `escaping` | OT, CN |
//! | tags that become one label | its values are joined with `;` | OT |
//! | a tag `le` of a histogram, a tag `__name__` where names stay | `exported_le`, `exported___name__` | |
//! | metrics that become one family | one, if they are of one type; else the first stays, and the other is left out and counted | OT |
//! | resource | `target_info`; by choice labels of each series | OT |
//! | scope | the label `otel_scope_name`; there is one, `telemetry` | OT |
//! | a sum of a histogram with values below 0 | none in OpenMetrics, and no count beside the buckets | OM |
//!
//! OT: OpenTelemetry 1.60, "Prometheus and OpenMetrics Compatibility" and "Metrics Exporter - Prometheus". OM: OpenMetrics 1.0.0.
//! NH: Prometheus, "Native Histograms". CN: Prometheus, "Content Negotiation" and "Escaping Schemes".
//!
//! The page has no labels `job` and `instance`: Prometheus puts its own on what it scrapes. Points have no timestamps.

mod accept;
mod answer;
mod desk;
mod escape;
mod families;
mod family;
mod form;
mod labels;
mod ladder;
mod line;
mod listen;
mod names;
mod native;
mod notices;
mod page;
mod pen;
mod protobuf;
mod settings;
mod sheet;
mod target;
mod text;
mod translation;
mod units;
mod writing;

pub use answer::Answer;
pub use page::{Prometheus, source_of};
pub use translation::Translation;

#[cfg(test)]
mod tests;
