//! A histogram in numbers, for wires that have nothing else.

use crate::model::{HistogramValue, Number};

/// The names of quantiles, and the share of the values that lie below them.
pub(super) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// The least and the greatest value, where there is one. A delta does not know them: of it they are what stands for the lowest and
/// the highest bucket that hold values, so they are off by the error of a bucket ([`HistogramValue::quantile`]).
pub(super) fn ends(of: &HistogramValue) -> [Option<f64>; 2] {
    [of.min.or_else(|| of.quantile(0.0)), of.max.or_else(|| of.quantile(1.0))]
}

/// `count` and `sum`; where there is a value, `min`, `max` (see [`ends`]) and the [`QUANTILES`].
pub(super) fn numbers(of: &HistogramValue) -> impl Iterator<Item = (&'static str, Number)> {
    let always = [("count", Some(Number::from(of.count))), ("sum", Some(Number::Float(of.sum)))];
    let [min, max] = ends(of).map(|end| end.map(Number::Float));
    let ends = [("min", min), ("max", max)];
    let quantiles = QUANTILES.map(|(name, share)| (name, of.quantile(share).map(Number::Float)));
    always.into_iter().chain(ends).chain(quantiles).filter_map(|(name, number)| Some((name, number?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Buckets;

    fn shown(of: &HistogramValue) -> Vec<(&'static str, f64)> {
        numbers(of).map(|(name, number)| (name, number.as_f64())).collect()
    }

    fn bounded(counts: [u64; 4]) -> HistogramValue {
        let buckets = Buckets::Explicit { bounds: vec![1.0, 2.0, 4.0], counts: counts.to_vec() };
        HistogramValue::of(buckets, 10.0, [0.5, 7.0], Vec::new())
    }

    #[test]
    fn a_delta_has_ends_too() {
        let first = bounded([1, 2, 1, 1]);
        assert_eq!(shown(&first)[..4], [("count", 5.0), ("sum", 10.0), ("min", 0.5), ("max", 7.0)]);
        let names: Vec<_> = shown(&first).into_iter().map(|(name, _)| name).collect();
        let second = shown(&bounded([1, 3, 4, 1]).since(&first));
        assert!(second.iter().map(|(name, _)| *name).eq(names));
        assert_eq!(second[2..4], [("min", 2.0), ("max", 4.0)]);
        // Beyond all bounds, the last one is what is sure.
        assert_eq!(ends(&bounded([1, 2, 1, 2]).since(&first)), [Some(4.0); 2]);
        assert_eq!(ends(&first.since(&first)), [None; 2]);
    }

    #[test]
    fn ends_of_exponential_buckets_are_near() {
        let positive = vec![(-8, 3), (0, 2), (24, 1)];
        let buckets = Buckets::Exponential { scale: 3, zero_count: 0, positive, negative: Vec::new() };
        let of = HistogramValue { count: 6, buckets, ..HistogramValue::default() };
        let [min, max] = ends(&of).map(Option::unwrap);
        // From 0.5 to 8, each with a bucket of 9%.
        assert!((0.5..0.55).contains(&min) && (8.0..8.8).contains(&max), "{min} {max}");
        let ordered: Vec<f64> = [0.0, 0.5, 0.9, 1.0].map(|share| of.quantile(share).unwrap()).to_vec();
        assert!(ordered.is_sorted());
    }
}
