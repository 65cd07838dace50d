//! A histogram in numbers, for wires that have nothing else.

use crate::model::{HistogramValue, Number};

/// The names of quantiles, and the share of the values that lie below them.
pub(super) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// `count` and `sum`; where there is a value, `min`, `max` and the [`QUANTILES`].
pub(super) fn numbers(of: &HistogramValue) -> impl Iterator<Item = (&'static str, Number)> {
    let always = [("count", Some(Number::from(of.count))), ("sum", Some(Number::Float(of.sum)))];
    let ends = [("min", of.min.map(Number::Float)), ("max", of.max.map(Number::Float))];
    let quantiles = QUANTILES.map(|(name, share)| (name, of.quantile(share).map(Number::Float)));
    always.into_iter().chain(ends).chain(quantiles).filter_map(|(name, number)| Some((name, number?)))
}
