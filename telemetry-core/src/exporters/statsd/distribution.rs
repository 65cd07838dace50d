//! Values that stand for those of a histogram: its buckets come in, and what goes out is a value for each of them, within its
//! bounds, and how many it stands for. Nothing is written here.

use crate::model::{Buckets, HistogramValue};

/// A value, for how many each line with it stands, and how many such lines there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lines {
    pub(super) value: f64,
    pub(super) weight: u64,
    pub(super) times: u64,
}

/// A bucket within the least and the greatest value, and what stands for what is in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    low: f64,
    high: f64,
    value: f64,
    n: u64,
}

/// Values and how many each stands for, ascending; the least and the greatest one as they are, where they are known.
pub(super) fn values(of: &HistogramValue) -> Vec<(f64, u64)> {
    let [min, max] = [of.min, of.max].map(|x| x.filter(|x| x.is_finite()));
    let mut places = places(of, min, max);
    let count = places.iter().fold(0, |count: u64, place| count.saturating_add(place.n));
    if let (1, Some(only)) = (count, min.or(max)) {
        return vec![(only, 1)];
    }
    let mut sum = of.sum;
    for (end, place) in [(min, 0), (max, places.len().wrapping_sub(1))] {
        if let (Some(end), Some(place)) = (end, places.get_mut(place)) {
            place.n -= 1;
            sum -= end;
        }
    }
    places.retain(|place| place.n > 0);
    centre(&mut places, sum);
    // A single one is what it is, nearly.
    let value = |place: &Place| (if count == 1 { place.value } else { place.rounded() }, place.n);
    let end = |end: Option<f64>| end.filter(|_| count > 0).map(|end| (end, 1));
    end(min).into_iter().chain(places.iter().map(value)).chain(end(max)).collect()
}

fn places(of: &HistogramValue, min: Option<f64>, max: Option<f64>) -> Vec<Place> {
    let is_exponential = matches!(of.buckets, Buckets::Exponential { .. });
    let place = |(low, high, n): (f64, f64, u64)| {
        let (low, high) = (low.max(min.unwrap_or(low)), high.min(max.unwrap_or(high)));
        // Beyond all bounds, and nobody knows how far.
        let (near, far) = match (low.is_finite(), high.is_finite()) {
            (true, true) => (low, high),
            (false, true) => (high.min(0.0), high),
            (true, false) => (low, low),
            (false, false) => (0.0, 0.0),
        };
        let value = if is_exponential && near > 0.0 {
            near.sqrt() * far.sqrt()
        } else if is_exponential && far < 0.0 {
            -((-near).sqrt() * (-far).sqrt())
        } else {
            near / 2.0 + far / 2.0
        };
        Place { low, high, value: value.max(low).min(high), n }
    };
    of.buckets.by_bounds().map(place).collect()
}

/// Moves all, each within its bounds, so that they have that sum as nearly as they can.
fn centre(places: &mut [Place], sum: f64) {
    if let [only] = places {
        let mean = sum / only.n as f64;
        only.value = mean.max(only.low).min(only.high);
        return;
    }
    let now: f64 = places.iter().map(|place| place.value * place.n as f64).sum();
    let factor = sum / now;
    // Else something is wrong with the sum: an infinity was in it, or it is one of other values.
    if (0.5..=2.0).contains(&factor) {
        for place in places {
            place.value = (place.value * factor).max(place.low).min(place.high);
        }
    }
}

impl Place {
    /// With as few digits as say where in its bucket it is.
    fn rounded(&self) -> f64 {
        const DIGITS: i32 = 4;
        if self.value == 0.0 {
            return 0.0;
        }
        let shift = DIGITS - 1 - self.value.abs().log10().floor() as i32;
        // A power of ten that is no double, or none that can be divided by.
        let scale = 10_f64.powi(shift.abs());
        if shift.abs() > 22 {
            return self.value;
        }
        let rounded = if shift < 0 {
            (self.value / scale).round() * scale
        } else {
            (self.value * scale).round() / scale
        };
        if self.low < rounded && rounded < self.high { rounded } else { self.value }
    }
}

/// The lines of these values: so many in all, nearly, that stand for about as many each, or one for each of them.
pub(super) fn lines(values: &[(f64, u64)], samples: Option<u64>) -> Vec<Lines> {
    let count: u128 = values.iter().map(|(_, n)| u128::from(*n)).sum();
    let mut all = Vec::with_capacity(values.len());
    for &(value, n) in values.iter().filter(|(_, n)| *n > 0) {
        let times = match samples {
            None => 1,
            Some(samples) if count <= u128::from(samples) => n,
            // Of each value there is a line.
            Some(samples) => {
                ((u128::from(n) * u128::from(samples) + count / 2) / count).clamp(1, n.into()) as u64
            }
        };
        let (weight, more) = (n / times, n % times);
        let each = [(weight.saturating_add(1), more), (weight, times - more)];
        all.extend(each.into_iter().filter(|(_, times)| *times > 0).map(|(weight, times)| Lines {
            value,
            weight,
            times,
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(buckets: Buckets, sum: f64, min: Option<f64>, max: Option<f64>) -> HistogramValue {
        HistogramValue { count: buckets.count(), buckets, sum, min, max, ..HistogramValue::default() }
    }

    fn octaves(positive: &[(i32, u64)]) -> Buckets {
        Buckets::Exponential { scale: 0, zero_count: 0, positive: positive.to_vec(), negative: Vec::new() }
    }

    fn chosen(bounds: &[f64], counts: &[u64]) -> Buckets {
        Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() }
    }

    #[test]
    fn ends_are_what_they_were_and_a_single_value_is_the_sum() {
        let two = octaves(&[(0, 3), (3, 2)]);
        assert_eq!(
            values(&of(two.clone(), 30.0, Some(1.1), Some(15.5))),
            [(1.1, 1), (1.409, 2), (10.58, 1), (15.5, 1)]
        );
        assert_eq!(values(&of(octaves(&[(0, 1)]), 1.25, None, None)), [(1.25, 1)]);
        assert_eq!(values(&of(octaves(&[(0, 1)]), 1.25, Some(1.25), Some(1.25))), [(1.25, 1)]);
        assert_eq!(values(&of(octaves(&[(0, 2)]), 3.0, Some(1.1), Some(1.9))), [(1.1, 1), (1.9, 1)]);
        // A sum that can't be theirs moves nothing.
        assert_eq!(values(&of(two, f64::NAN, None, None)), [(1.414, 3), (11.31, 2)]);
    }

    #[test]
    fn between_chosen_bounds_it_is_the_middle_and_beyond_them_what_is_known() {
        let far = chosen(&[1.0, 2.0], &[2, 4, 2]);
        assert_eq!(values(&of(far.clone(), f64::NAN, None, None)), [(0.5, 2), (1.5, 4), (2.0, 2)]);
        assert_eq!(
            values(&of(far, f64::NAN, Some(0.5), Some(6.0))),
            [(0.5, 1), (0.75, 1), (1.5, 4), (4.0, 1), (6.0, 1)]
        );
        assert_eq!(values(&of(chosen(&[], &[4]), 10.0, None, None)), [(2.5, 4)]);
    }

    #[test]
    fn lines_stand_for_about_as_many_each() {
        let line = |value, weight, times| Lines { value, weight, times };
        let values = [(1.0, 10_000), (2.0, 3), (3.0, 97)];
        assert_eq!(lines(&values, None), [line(1.0, 10_000, 1), line(2.0, 3, 1), line(3.0, 97, 1)]);
        assert_eq!(lines(&values, Some(50)), [line(1.0, 200, 50), line(2.0, 3, 1), line(3.0, 97, 1)]);
        assert_eq!(
            lines(&values, Some(3)),
            [line(1.0, 3_334, 1), line(1.0, 3_333, 2), line(2.0, 3, 1), line(3.0, 97, 1)]
        );
        for samples in [None, Some(1)] {
            assert_eq!(lines(&[(1.0, u64::MAX)], samples), [line(1.0, u64::MAX, 1)]);
        }
        assert_eq!(lines(&[(1.0, 2), (2.0, 1)], Some(50)), [line(1.0, 1, 2), line(2.0, 1, 1)]);
    }

    proptest! {
        #[test]
        fn what_lines_stand_for_is_what_was_counted(
            positive in prop::collection::btree_map(-40..40_i32, 1..100_000_u64, 1..20),
            samples in prop::option::of(1..200_u64),
            ends: bool,
        ) {
            let positive: Vec<_> = positive.into_iter().collect();
            let buckets = Buckets::Exponential { scale: 3, zero_count: 0, positive, negative: Vec::new() };
            // Values at 60% of their buckets.
            let all: Vec<(f64, f64, u64)> = buckets.by_bounds().collect();
            let at = |(low, high, _): &(f64, f64, u64)| low + 0.6 * (high - low);
            let sum: f64 = all.iter().map(|bucket| at(bucket) * bucket.2 as f64).sum();
            let [min, max] = [all.first(), all.last()].map(|end| end.map(at).filter(|_| ends));
            let values = values(&of(buckets, sum, min, max));
            prop_assert!(values.is_sorted_by(|a, b| a.0 <= b.0), "{:?}", values);
            let lines = lines(&values, samples);
            let count = all.iter().map(|(_, _, n)| n).sum::<u64>();
            prop_assert_eq!(lines.iter().map(|l| l.weight * l.times).sum::<u64>(), count);
            if let Some(samples) = samples {
                prop_assert!(lines.iter().map(|l| l.times).sum::<u64>() <= samples + values.len() as u64);
            }
            for (low, high, n) in &all {
                let within = lines.iter().filter(|l| *low < l.value && l.value <= *high);
                prop_assert_eq!(within.map(|l| l.weight * l.times).sum::<u64>(), *n);
            }
            let told: f64 = lines.iter().map(|l| l.value * (l.weight * l.times) as f64).sum();
            prop_assert!((told / sum - 1.0).abs() < 0.01, "{} for {}", told, sum);
        }
    }
}
