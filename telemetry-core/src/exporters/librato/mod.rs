//! Librato: data points go in, requests of at most 300 gauges in JSON come out. It sends no spans and no events, and never
//! anything that Librato would refuse by its own rules: what it can't take is left out and counted as rejected.
//!
//! A measurement of Librato has a metric, a source and a second; other tags it has none. So this is what becomes of data points:
//!
//! | what | there |
//! | --- | --- |
//! | counter | a gauge: what was counted since the last export, at the time of the export (with `temporality=cumulative`: all since the start) |
//! | up-down counter | a gauge: the sum, at the time of the export |
//! | gauge, data point | a gauge at the time when it was set |
//! | histogram | a gauge of several samples (`count`, `sum`; `min` and `max` where they are known), and a gauge each for its quantiles: `NAME.p50`, `NAME.p90`, `NAME.p95`, `NAME.p99` |
//! | the tag `source`, or the one that `source_tag` names | the source; `service.name` where there is none; `all` is reserved there, and is sent as `all_` |
//! | the tags that `name_tags` names | the end of the metric's name: `jobs` of the queue `mail` is `jobs.mail` |
//! | other tags | nothing |
//!
//! What meets in one metric, source and second becomes one measurement, so that nothing takes the place of anything else: sums are
//! added up, of counters and up-down counters; histograms are merged, and quantiles are those of all; all else becomes one gauge of
//! several samples (`count`, `sum`, `min`, `max`, `sum_squares`), whose mean Librato shows. A gauge that was not set since, and a sum
//! of all since the start that two flushes say of one second, are said once. What has one name goes into one request, unless it
//! is too much for one.
//!
//! Names and sources have at most 255 characters of `A-Za-z0-9.:-_`: any other character becomes `_`, and the end of a longer one a
//! hash of it. Case tells none apart. A number beyond 1e126, a NaN and an infinity are left out: the first of them would make Librato
//! refuse all of the request.
//!
//! Source: Librato's API documentation for metrics with sources, version 1 ("Submit Metrics", "Measurement Restrictions", "Response
//! Codes & Errors"; archived in 2016).

mod encode;
mod exporter;
mod label;
mod value;

pub use encode::Writer;
pub(crate) use exporter::Librato;

#[cfg(test)]
mod tests;
