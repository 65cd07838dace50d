//! What was read from a histogram: its buckets, what they can't tell, and exemplars.

use super::buckets::Buckets;
use super::{SpanId, TraceId};

/// One of the measurements that a histogram holds, and the span it was made in, which is kept.
///
/// Source: OpenTelemetry metrics data model, "Exemplars".
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Exemplar {
    /// What was measured.
    pub value: f64,
    /// When.
    pub time_unix_nano: u64,
    /// The trace of the span.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
}

/// A distribution.
///
/// Source: OpenTelemetry metrics data model, "`ExponentialHistogram`" and "`Histogram`".
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HistogramValue {
    /// How many values; always the sum of all buckets.
    pub count: u64,
    /// The sum of the values.
    pub sum: f64,
    /// The smallest value; none where nothing was recorded, or where only a delta is known.
    pub min: Option<f64>,
    /// The greatest value; none where nothing was recorded, or where only a delta is known.
    pub max: Option<f64>,
    /// How many values lie where.
    pub buckets: Buckets,
    /// Some of the measurements that were made in spans that are kept, the newest one of a bucket, by time.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub exemplars: Vec<Exemplar>,
    /// The exponential buckets as they were before they became coarser than one an octave; none where they are not.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) octaves: Option<Box<Buckets>>,
}

impl HistogramValue {
    /// More exemplars than these are not kept.
    pub const MAX_EXEMPLARS: usize = 16;

    /// The mean; none where nothing was recorded.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The upper bound and the count of each bucket that holds something, ascending; infinite for the one above all
    /// bounds.
    pub fn by_upper_bound(&self) -> impl Iterator<Item = (f64, u64)> {
        self.buckets.by_upper_bound()
    }

    /// The value below which that share of all values lies, for instance `0.99`. None where nothing was recorded.
    ///
    /// Of exponential buckets it is the geometric middle of the one that holds the value, so its error depends on how wide
    /// these are. By themselves buckets are 9% wide (scale 3); a histogram whose values, on one side of 0, span more than
    /// [`View::max_buckets`](crate::metrics::View::max_buckets) of them (320) is exported at a coarser scale:
    ///
    /// | greatest value by smallest one | scale | off by at most |
    /// | --- | --- | --- |
    /// | up to 10^12, as from 1 ns to 16 minutes | 3 | 4.5 % |
    /// | up to 10^24 | 2 | 9.1 % |
    /// | up to 10^48 | 1 | 19 % |
    /// | up to 10^96 | 0 | 42 % |
    /// | up to 10^192 | -1 | a factor of 2 |
    /// | up to 10^384 | -2 | a factor of 4 |
    /// | any | -3 | a factor of 16 |
    ///
    /// Values below `2.3e-308` (subnormal numbers) are rounded besides, to a multiple of `5e-324`. Between chosen bounds it
    /// follows a straight line, so it may be off by the width of the bucket. It is always kept between `min` and `max`,
    /// where these are known.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.buckets.count();
        if count == 0 {
            return None;
        }
        let rank = ((share.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let mut below = 0u64;
        let mut holds_it = |n: u64| {
            below = below.saturating_add(n);
            below >= rank
        };
        let value = match &self.buckets {
            Buckets::Exponential { .. } => self.buckets.by_middle().find(|(_, n)| holds_it(*n))?.0,
            Buckets::Explicit { bounds, .. } => {
                let (upper, n) = self.by_upper_bound().find(|(_, n)| holds_it(*n))?;
                let at = bounds.partition_point(|bound| *bound < upper);
                let lower = at.checked_sub(1).map(|at| bounds[at]);
                // Above all bounds, and nobody knows how far: the last bound is all that is sure.
                let upper = if upper.is_finite() { upper } else { self.max.or(lower).unwrap_or_default() };
                let lower = lower.or(self.min).unwrap_or(upper.min(0.0));
                // No value lies outside of these, so the line need not either.
                let (upper, lower) =
                    (upper.min(self.max.unwrap_or(upper)), lower.max(self.min.unwrap_or(lower)));
                // In two halves, as the whole may be wider than all doubles.
                let half = (upper / 2.0 - lower / 2.0) * ((below - rank) as f64 / n as f64);
                upper - half - half
            }
        };
        Some(value.max(self.min.unwrap_or(f64::MIN)).min(self.max.unwrap_or(f64::MAX)))
    }

    /// Adds what another histogram holds. Of two scales the coarser one stays, exactly; where only one has bounds, or
    /// they differ, values count at the upper bounds of their buckets.
    pub fn merge(&mut self, other: &Self) {
        self.exemplars.extend(&other.exemplars);
        self.merge_values(other);
        self.keep_newest();
    }

    fn merge_values(&mut self, other: &Self) {
        if other.count == 0 && other.buckets.bounds().is_none() {
            return;
        }
        self.octaves = self.octaves_with(other);
        // Nothing says which buckets it is to have.
        if self.count == 0 && self.buckets.bounds().is_none() {
            self.buckets = other.buckets.clone();
        } else {
            self.buckets.merge(&other.buckets);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
        self.min = both(self.min, other.min, f64::min);
        self.max = both(self.max, other.max, f64::max);
    }

    /// The buckets of both before they became coarser than one an octave, if they did.
    fn octaves_with(&self, other: &Self) -> Option<Box<Buckets>> {
        if self.octaves.is_none() && other.octaves.is_none() {
            return None;
        }
        let mut octaves = self.octaves.as_deref().unwrap_or(&self.buckets).clone();
        octaves.merge(other.octaves.as_deref().unwrap_or(&other.buckets));
        Some(octaves.into())
    }

    /// The newest exemplar of each bucket, and not more than [`Self::MAX_EXEMPLARS`].
    fn keep_newest(&mut self) {
        if self.exemplars.is_empty() {
            return;
        }
        self.exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time_unix_nano));
        let mut kept: Vec<Exemplar> = Vec::new();
        for exemplar in &self.exemplars {
            let bucket = self.buckets.bucket_of(exemplar.value);
            if kept.len() < Self::MAX_EXEMPLARS
                && kept.iter().all(|kept| self.buckets.bucket_of(kept.value) != bucket)
            {
                kept.push(*exemplar);
            }
        }
        kept.reverse();
        self.exemplars = kept;
    }

    /// What came since `before`, an earlier reading of the same series. `min` and `max` are unknown then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        since.count = since.count.saturating_sub(before.count);
        since.sum = (since.sum - before.sum).clamp(f64::MIN, f64::MAX);
        (since.min, since.max) = (None, None);
        let seen = before.exemplars.iter().map(|exemplar| exemplar.time_unix_nano).max();
        since.exemplars.retain(|exemplar| seen.is_none_or(|seen| exemplar.time_unix_nano > seen));
        since.buckets.take_away(&before.buckets);
        since.octaves = None;
        since
    }

    /// The same in exponential buckets that span at most so many places on each side of 0: each step down in scale
    /// makes one bucket of two, and loses nothing else.
    #[must_use]
    pub fn thinned(mut self, max_buckets: usize) -> Self {
        self.thin(max_buckets);
        self
    }

    pub(crate) fn thin(&mut self, max_buckets: usize) {
        if let Some(octaves) = self.buckets.thin(max_buckets) {
            self.octaves = Some(Box::new(octaves));
        }
    }

    /// Of buckets that were read, and what they can't tell; `min` and `max` are infinite where there is none.
    pub(crate) fn of(buckets: Buckets, sum: f64, [min, max]: [f64; 2], exemplars: Vec<Exemplar>) -> Self {
        let [min, max] = [min, max].map(|x| Some(x).filter(|x| x.is_finite()));
        // As they were read, so it always fits them.
        Self { count: buckets.count(), sum, min, max, buckets, exemplars, octaves: None }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let octaves = self.octaves.as_ref().map_or(0, |octaves| size_of::<Buckets>() + octaves.bytes());
        size_of::<Self>() + self.buckets.bytes() + octaves + size_of_val(&*self.exemplars)
    }
}

fn both(a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::super::exponential::upper_bound;
    use super::*;

    fn of(positive: &[(i32, u64)]) -> HistogramValue {
        let positive = positive.to_vec();
        let buckets = Buckets::Exponential { scale: 3, zero_count: 0, positive, negative: Vec::new() };
        HistogramValue { count: buckets.count(), buckets, ..HistogramValue::default() }
    }

    fn bounded(bounds: &[f64], counts: &[u64]) -> HistogramValue {
        let buckets = Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() };
        HistogramValue { count: buckets.count(), buckets, ..HistogramValue::default() }
    }

    fn scale_and_positive(of: &HistogramValue) -> (i32, &[(i32, u64)]) {
        let Buckets::Exponential { scale, positive, .. } = &of.buckets else { panic!("{of:?}") };
        (*scale, positive)
    }

    #[test]
    fn what_is_merged_can_be_taken_away_again() {
        let (a, b) = (of(&[(-3, 2), (5, 1)]), of(&[(5, 4), (9, 1)]));
        let mut both = a.clone();
        both.merge(&b);
        assert_eq!(scale_and_positive(&both), (3, &[(-3, 2), (5, 5), (9, 1)][..]));
        assert_eq!(both.since(&a), b);
        let mut none = of(&[]);
        none.merge(&both);
        both.merge(&of(&[]));
        assert_eq!(none, both);
    }

    #[test]
    fn nothing_recorded_has_no_mean_and_no_quantile() {
        assert_eq!((of(&[]).mean(), of(&[]).quantile(0.5)), (None, None));
    }

    #[test]
    fn a_coarser_scale_makes_one_bucket_of_two_and_stays_comparable() {
        let fine = of(&[(-4, 1), (-3, 2), (-1, 4), (0, 8), (1, 16), (9, 32)]);
        let coarse = fine.clone().thinned(8);
        assert_eq!(coarse.count, 63);
        assert_eq!(scale_and_positive(&coarse), (2, &[(-2, 3), (-1, 4), (0, 24), (4, 32)][..]));
        for (index, _) in scale_and_positive(&fine).1 {
            let (inside, of) = (upper_bound(3, *index), upper_bound(2, index >> 1));
            assert!(inside <= of, "bucket {index} ends at {inside}, its new one at {of}");
        }
        // A later reading that had to be thinned, and an earlier one that had not.
        let since = coarse.since(&of(&[(-4, 1), (0, 8)]));
        assert_eq!(scale_and_positive(&since), (2, &[(-2, 2), (-1, 4), (0, 16), (4, 32)][..]));
        let mut merged = fine.clone();
        merged.merge(&coarse);
        assert_eq!(scale_and_positive(&merged), (2, &[(-2, 6), (-1, 8), (0, 48), (4, 64)][..]));
    }

    /// Nobody records such buckets, but a program may make them.
    #[test]
    fn buckets_at_the_ends_of_all_numbers_do_no_harm() {
        let far = vec![(i32::MIN, u64::MAX), (-1, 1), (i32::MAX, u64::MAX)];
        for scale in [i32::MIN, -1, 20, i32::MAX] {
            let (positive, negative) = (far.clone(), far.clone());
            let buckets = Buckets::Exponential { scale, zero_count: 1, positive, negative };
            assert_eq!(buckets.count(), u64::MAX);
            let wide = HistogramValue { count: u64::MAX, buckets, ..HistogramValue::default() };
            let thin = wide.clone().thinned(16);
            for histogram in [wide, thin] {
                assert!(histogram.by_upper_bound().is_sorted_by(|(a, _), (b, _)| a <= b), "{histogram:?}");
                assert!([0.0, 0.5, 1.0].map(|share| histogram.quantile(share)).iter().all(Option::is_some));
            }
        }
    }

    #[test]
    fn quantiles_of_chosen_bounds_follow_a_straight_line() {
        let bounded = HistogramValue { min: Some(0.5), max: Some(6.0), ..bounded(&[1.0, 2.0], &[2, 4, 4]) };
        let quantiles = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0].map(|share| bounded.quantile(share).unwrap());
        assert_eq!(quantiles, [0.75, 1.0, 1.5, 2.0, 4.0, 6.0]);
        assert!(bounded.by_upper_bound().eq([(1.0, 2), (2.0, 4), (f64::INFINITY, 4)]));
    }

    #[test]
    fn other_bounds_count_at_the_upper_ones() {
        let mut merged = bounded(&[1.0, 10.0], &[1, 0, 1]);
        merged.merge(&bounded(&[2.0], &[3, 5]));
        let counts = |counts: &[u64]| bounded(&[1.0, 10.0], counts);
        assert_eq!(merged, counts(&[1, 3, 6]));
        let mut mixed = of(&[(0, 7)]);
        mixed.merge(&bounded(&[1.0], &[1, 0]));
        assert_eq!(mixed, bounded(&[1.0], &[1, 7]));
        let mut none = HistogramValue::default();
        none.merge(&counts(&[0, 0, 0]));
        none.merge(&counts(&[1, 0, 2]));
        assert_eq!(none.since(&counts(&[0, 0, 2])), counts(&[1, 0, 0]));
    }

    #[test]
    fn the_newest_exemplar_of_a_bucket_is_kept_and_a_delta_has_those_that_are_new() {
        let with = |values: &[(f64, u64)]| {
            let (trace_id, span_id) = (TraceId::MIN, SpanId::MIN);
            let exemplar = |&(value, time_unix_nano)| Exemplar { value, time_unix_nano, trace_id, span_id };
            let exemplars = values.iter().map(exemplar).collect();
            HistogramValue { exemplars, ..of(&[(0, values.len() as u64)]) }
        };
        let values = |h: &HistogramValue| h.exemplars.iter().map(|e| e.value).collect::<Vec<_>>();
        let before = with(&[(1.05, 1), (-1.05, 2)]);
        let mut all = before.clone();
        all.merge(&with(&[(1.06, 5), (4.0, 4)]));
        assert_eq!((values(&all), all.count), (vec![-1.05, 4.0, 1.06], 4));
        assert_eq!(values(&all.since(&before)), [4.0, 1.06]);
        let many: Vec<(f64, u64)> = (0..40).map(|n| (f64::from(n).exp2(), 10 + n as u64)).collect();
        all.merge(&with(&many));
        assert_eq!((values(&all)[0], all.exemplars.len()), (24_f64.exp2(), HistogramValue::MAX_EXEMPLARS));
    }
}
