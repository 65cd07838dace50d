//! The buckets of a histogram on a page: how many values are not above which bound. No count is estimated.
//!
//! Where a program chose bounds, these are it. Exponential buckets get powers of two that depend on the unit alone. Buckets
//! coarser than an octave know what they were before; of those that somebody made by hand, values count at the upper bounds.

use super::units::Powers;
use crate::exporters::digits::put_bound;
use crate::model::{Buckets, HistogramValue};

/// The bounds of some series, and how they are written.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// None where a program chose the bounds.
    powers: Option<Powers>,
    bounds: Vec<f64>,
    /// What stands behind the labels of each line: `le="0.5"} `, the last one without a bound.
    pub(super) tails: Vec<Box<[u8]>>,
}

impl Ladder {
    pub(super) fn of_powers(powers: Powers) -> Self {
        Self::new(powers.bounds().collect(), Some(powers))
    }

    /// None where they are no bounds.
    pub(super) fn of_bounds(bounds: &[f64]) -> Option<Self> {
        let are_bounds = bounds.iter().all(|x| x.is_finite()) && bounds.is_sorted_by(|a, b| a < b);
        are_bounds.then(|| Self::new(bounds.to_vec(), None))
    }

    fn new(bounds: Vec<f64>, powers: Option<Powers>) -> Self {
        let tails = bounds.iter().copied().chain([f64::INFINITY]).map(|bound| {
            let mut tail = b"le=\"".to_vec();
            put_bound(&mut tail, bound);
            tail.extend_from_slice(b"\"} ");
            tail.into()
        });
        Self { powers, tails: tails.collect(), bounds }
    }

    /// The finite ones.
    pub(super) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    pub(super) fn is_negative(&self) -> bool {
        self.bounds.first().is_some_and(|bound| *bound < 0.0)
    }

    /// Whether a histogram has these bounds.
    pub(super) fn suits(&self, histogram: &HistogramValue) -> bool {
        match (&histogram.buckets, self.powers) {
            (Buckets::Exponential { .. }, Some(_)) => true,
            (Buckets::Explicit { bounds, .. }, None) => *bounds == self.bounds,
            _ => false,
        }
    }

    /// How many values are not above each bound, the infinite one last.
    pub(super) fn fill(&self, histogram: &HistogramValue, counts: &mut Vec<u64>) {
        counts.clear();
        counts.resize(self.bounds.len() + 1, 0);
        let octaves = histogram.octaves.as_deref().filter(|_| self.powers.is_some());
        match (octaves.unwrap_or(&histogram.buckets), self.powers) {
            (Buckets::Exponential { scale, zero_count, positive, negative }, Some(powers)) => {
                let below = negative.iter().map(|(_, n)| *n).fold(*zero_count, u64::saturating_add);
                counts[0] = below;
                for (index, n) in positive {
                    let count = &mut counts[powers.place(power_above(*scale, *index))];
                    *count = count.saturating_add(*n);
                }
            }
            (Buckets::Explicit { counts: held, .. }, _) => {
                counts.iter_mut().zip(held).for_each(|(count, n)| *count = *n);
            }
            _ => {}
        }
        let mut sum = 0_u64;
        for count in counts {
            sum = sum.saturating_add(*count);
            *count = sum;
        }
    }

    /// The place of the bucket that holds a value.
    pub(super) fn place(&self, value: f64) -> usize {
        self.bounds.partition_point(|bound| *bound < value)
    }
}

/// The exponent of the first power of two that is not below the bounds of that bucket.
fn power_above(scale: i32, index: i32) -> i64 {
    let index = i64::from(index);
    if scale >= 0 { (index >> scale.min(62)) + 1 } else { (index + 1) << scale.unsigned_abs().min(30) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::SharedHistogram;
    use proptest::prelude::*;

    fn filled(ladder: &Ladder, histogram: &HistogramValue) -> Vec<u64> {
        let mut counts = Vec::new();
        ladder.fill(histogram, &mut counts);
        counts
    }

    /// Values of all sizes, of which many are powers of two or just beside them.
    fn values() -> impl Strategy<Value = f64> {
        let power = (-1074..1024_i32).prop_map(|power| f64::from(power).exp2());
        let near = (-24..34_i32).prop_map(|power| f64::from(power).exp2());
        let all = any::<f64>().prop_filter("finite", |x| x.is_finite());
        let size = prop_oneof![
            power,
            near.clone(),
            near.clone().prop_map(f64::next_up),
            near.prop_map(f64::next_down),
            all
        ];
        (size, any::<bool>(), 0..8).prop_map(|(x, is_negative, n)| {
            if n == 0 {
                0.0
            } else if is_negative && n == 1 {
                -x
            } else {
                x
            }
        })
    }

    proptest! {
        /// However coarse the buckets become.
        #[test]
        fn every_count_is_exact(values in prop::collection::vec(values(), 0..60), max_buckets in 2..400_usize) {
            let cell = SharedHistogram::new(None);
            values.iter().for_each(|x| cell.record(*x, 0));
            let histogram = cell.read().thinned(max_buckets);
            for unit in ["s", "By", "1", "", "ns", "GiBy"] {
                let ladder = Ladder::of_powers(Powers::of(unit));
                let counts = filled(&ladder, &histogram);
                for (bound, count) in ladder.bounds().iter().chain(&[f64::INFINITY]).zip(&counts) {
                    let exact = values.iter().filter(|x| **x <= *bound).count() as u64;
                    prop_assert_eq!(*count, exact, "{:e} in {}, {:?}", bound, unit, histogram);
                }
            }
        }

        #[test]
        fn values_of_two_levels_are_counted_exactly(
            one in prop::collection::vec(values(), 0..30),
            other in prop::collection::vec(values(), 0..30),
            max_buckets in 2..400_usize,
        ) {
            let [mut histogram, more] = [&one, &other].map(|values| {
                let cell = SharedHistogram::new(None);
                values.iter().for_each(|x| cell.record(*x, 0));
                cell.read()
            });
            histogram.merge(&more);
            let histogram = histogram.thinned(max_buckets);
            let ladder = Ladder::of_powers(Powers::of("s"));
            let all: Vec<f64> = one.into_iter().chain(other).collect();
            let exact: Vec<u64> = ladder.bounds().iter().chain(&[f64::INFINITY])
                .map(|bound| all.iter().filter(|x| **x <= *bound).count() as u64).collect();
            prop_assert_eq!(filled(&ladder, &histogram), exact);
        }
    }

    #[test]
    fn chosen_bounds_stay_and_what_is_none_is_refused() {
        let buckets = Buckets::Explicit { bounds: vec![-1.0, 2.5], counts: vec![1, 0, 3] };
        let histogram = HistogramValue { count: 4, buckets, ..HistogramValue::default() };
        let ladder = Ladder::of_bounds(&[-1.0, 2.5]).unwrap();
        assert_eq!(filled(&ladder, &histogram), [1, 1, 4]);
        assert!(ladder.suits(&histogram) && ladder.is_negative());
        assert_eq!(&*ladder.tails[1], b"le=\"2.5\"} ");
        assert_eq!(&*ladder.tails[2], b"le=\"+Inf\"} ");
        assert_eq!([-7.0, -1.0, 0.0, 2.5, 3.0].map(|x| ladder.place(x)), [0, 0, 1, 1, 2]);
        for bounds in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(Ladder::of_bounds(bounds).is_none(), "{bounds:?}");
        }
        assert!(Ladder::of_bounds(&[]).is_some());
    }
}
