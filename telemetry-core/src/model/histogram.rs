//! What was read from a histogram: base-2 exponential buckets, as OpenTelemetry defines them, or buckets with bounds
//! that somebody chose.

use std::collections::BTreeMap;

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

/// A distribution. Its buckets are exponential, unless [`Self::bounds`] says otherwise: bucket `i` holds the values in
/// `(base^i, base^(i+1)]`, with `base = 2^(2^-scale)`.
///
/// Source: OpenTelemetry metrics data model, "`ExponentialHistogram`" and "`Histogram`".
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HistogramValue {
    /// How many values; always the sum of all buckets and `zero_count`.
    pub count: u64,
    /// The sum of the values.
    pub sum: f64,
    /// The smallest value; none where nothing was recorded, or where only a delta is known.
    pub min: Option<f64>,
    /// The greatest value; none where nothing was recorded, or where only a delta is known.
    pub max: Option<f64>,
    /// How fine: a bucket is `2^(2^-scale)` times as wide as the one before.
    pub scale: i32,
    /// Values of 0; none where there are bounds.
    pub zero_count: u64,
    /// Index and count of each bucket that holds something, by index.
    pub buckets: Vec<(i32, u64)>,
    /// The same for values below 0, by the index of their magnitude.
    #[cfg_attr(feature = "serde", serde(default))]
    pub negative_buckets: Vec<(i32, u64)>,
    /// Upper bounds, ascending, where somebody chose them: bucket `i` then holds the values in
    /// `(bounds[i - 1], bounds[i]]`, and one more those above all.
    #[cfg_attr(feature = "serde", serde(default))]
    pub bounds: Vec<f64>,
    /// Some of the measurements that were made in spans that are kept, the newest one of a bucket, by time.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub exemplars: Vec<Exemplar>,
}

impl HistogramValue {
    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.buckets)
            + size_of_val(&*self.negative_buckets)
            + size_of_val(&*self.bounds)
            + size_of_val(&*self.exemplars)
    }

    /// More exemplars than these are not kept.
    pub const MAX_EXEMPLARS: usize = 16;

    /// The mean; none where nothing was recorded.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The upper bound of the bucket with that index, of those that are not negative; infinite for the one above all
    /// bounds.
    pub fn upper_bound(&self, index: i32) -> f64 {
        if self.bounds.is_empty() {
            return (f64::from(index + 1) * (-f64::from(self.scale)).exp2()).exp2();
        }
        let index = usize::try_from(index).unwrap_or_default();
        self.bounds.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// The upper bound and the count of each bucket that holds something, ascending.
    pub fn by_upper_bound(&self) -> impl Iterator<Item = (f64, u64)> {
        let negative = self.negative_buckets.iter().rev().map(|(i, n)| (-self.upper_bound(i - 1), *n));
        let zero = (self.zero_count > 0).then_some((0.0, self.zero_count));
        let positive = self.buckets.iter().map(|(i, n)| (self.upper_bound(*i), *n));
        negative.chain(zero).chain(positive)
    }

    /// The value below which that share of all values lies, for instance `0.99`.
    ///
    /// It is the geometric middle of an exponential bucket, so at scale 3 it is off by at most 4.5%; between chosen
    /// bounds it follows a straight line. It is kept between `min` and `max`. None where nothing was recorded.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0);
        let mut below = 0.0;
        let (upper, n) = self.by_upper_bound().find(|(_, n)| {
            below += *n as f64;
            below >= rank
        })?;
        let value = if self.bounds.is_empty() {
            // A negative bucket's upper bound is its end nearer to 0, and its middle lies farther away.
            let half = (-f64::from(self.scale + 1)).exp2().exp2();
            if upper < 0.0 { upper * half } else { upper / half }
        } else {
            let at = self.bounds.partition_point(|bound| *bound < upper);
            let lower = at.checked_sub(1).map(|at| self.bounds[at]);
            // Above all bounds, and nobody knows how far: the last bound is all that is sure.
            let upper = if upper.is_finite() { upper } else { self.max.or(lower).unwrap_or_default() };
            let lower = lower.or(self.min).unwrap_or(upper.min(0.0));
            // No value lies outside of these, so the line need not either.
            let (upper, lower) = (upper.min(self.max.unwrap_or(upper)), lower.max(self.min.unwrap_or(lower)));
            upper - (upper - lower) * (below - rank) / n as f64
        };
        Some(value.max(self.min.unwrap_or(f64::MIN)).min(self.max.unwrap_or(f64::MAX)))
    }

    /// Adds what another histogram holds. Of two scales the coarser one stays, exactly; where only one has bounds, or
    /// they differ, values count at the upper bounds of their buckets.
    pub fn merge(&mut self, other: &Self) {
        let mut exemplars = std::mem::take(&mut self.exemplars);
        exemplars.extend(&other.exemplars);
        self.merge_buckets(other);
        self.exemplars = exemplars;
        self.keep_newest();
    }

    /// The newest exemplar of each bucket, and not more than [`Self::MAX_EXEMPLARS`].
    fn keep_newest(&mut self) {
        if self.exemplars.is_empty() {
            return;
        }
        self.exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time_unix_nano));
        let mut kept: Vec<Exemplar> = Vec::new();
        for exemplar in &self.exemplars {
            let bucket = self.bucket_of(exemplar.value);
            if kept.len() < Self::MAX_EXEMPLARS
                && kept.iter().all(|kept| self.bucket_of(kept.value) != bucket)
            {
                kept.push(*exemplar);
            }
        }
        kept.reverse();
        self.exemplars = kept;
    }

    /// Tells buckets apart: which side of 0, and which one there.
    fn bucket_of(&self, value: f64) -> (i8, i64) {
        if !self.bounds.is_empty() {
            return (0, self.bounds.partition_point(|bound| *bound < value) as i64);
        }
        let side = if value == 0.0 { 0 } else { value.signum() as i8 };
        let scaled = value.abs().log2() * f64::from(self.scale).exp2();
        (side, if side == 0 { 0 } else { scaled.ceil() as i64 })
    }

    fn merge_buckets(&mut self, other: &Self) {
        if other.count == 0 && other.bounds.is_empty() {
            return;
        }
        if self.bounds.is_empty() && (self.count == 0 || !other.bounds.is_empty()) {
            let was = std::mem::replace(self, other.clone());
            if was.count > 0 {
                self.merge_buckets(&was);
            }
            return;
        }
        self.count += other.count;
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
        self.min = both(self.min, other.min, f64::min);
        self.max = both(self.max, other.max, f64::max);
        if self.bounds == other.bounds {
            self.combine(other, u64::wrapping_add);
            return;
        }
        for (upper, n) in other.by_upper_bound() {
            let at = self.bounds.partition_point(|bound| *bound < upper) as i32;
            match self.buckets.binary_search_by_key(&at, |(index, _)| *index) {
                Ok(found) => self.buckets[found].1 += n,
                Err(free) => self.buckets.insert(free, (at, n)),
            }
        }
    }

    /// What came since `before`, an earlier reading of the same series. `min` and `max` are unknown then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        since.count = since.count.wrapping_sub(before.count);
        since.sum -= before.sum;
        (since.min, since.max) = (None, None);
        let seen = before.exemplars.iter().map(|exemplar| exemplar.time_unix_nano).max();
        since.exemplars.retain(|exemplar| seen.is_none_or(|seen| exemplar.time_unix_nano > seen));
        since.combine(before, u64::wrapping_sub);
        since
    }

    /// The same in exponential buckets that span at most so many places on each side of 0: each step down in scale
    /// makes one bucket of two, and loses nothing else.
    #[must_use]
    pub fn thinned(mut self, max_buckets: usize) -> Self {
        let too_wide = |buckets: &[(i32, u64)]| match (buckets.first(), buckets.last()) {
            (Some((first, _)), Some((last, _))) => (last - first) as usize >= max_buckets.max(2),
            _ => false,
        };
        while self.bounds.is_empty() && (too_wide(&self.buckets) || too_wide(&self.negative_buckets)) {
            self.coarsen(self.scale - 1);
        }
        self
    }

    /// Goes down to that scale.
    fn coarsen(&mut self, scale: i32) {
        let steps = (self.scale - scale).clamp(0, 31);
        if steps == 0 || !self.bounds.is_empty() {
            return;
        }
        self.scale -= steps;
        for buckets in [&mut self.buckets, &mut self.negative_buckets] {
            buckets.iter_mut().for_each(|(index, _)| *index >>= steps);
            buckets.dedup_by(|(index, n), (before, sum)| {
                let same = index == before;
                *sum += if same { *n } else { 0 };
                same
            });
        }
    }

    /// `f` bucket by bucket, at the coarser of two scales.
    fn combine(&mut self, other: &Self, f: fn(u64, u64) -> u64) {
        if self.scale > other.scale && other.count > 0 {
            self.coarsen(other.scale);
        }
        let coarser;
        let other = if other.scale > self.scale {
            coarser = {
                let mut other = other.clone();
                other.coarsen(self.scale);
                other
            };
            &coarser
        } else {
            other
        };
        self.zero_count = f(self.zero_count, other.zero_count);
        self.buckets = combine(&self.buckets, &other.buckets, f);
        self.negative_buckets = combine(&self.negative_buckets, &other.negative_buckets, f);
    }
}

fn both(a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (a, b) => a.or(b),
    }
}

/// `f` bucket by bucket over two sorted lists; empty buckets are left out.
fn combine(a: &[(i32, u64)], b: &[(i32, u64)], f: fn(u64, u64) -> u64) -> Vec<(i32, u64)> {
    let mut all = BTreeMap::<i32, (u64, u64)>::new();
    for &(index, n) in a {
        all.entry(index).or_default().0 = n;
    }
    for &(index, n) in b {
        all.entry(index).or_default().1 = n;
    }
    all.into_iter().map(|(index, (a, b))| (index, f(a, b))).filter(|(_, n)| *n > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: &[(i32, u64)]) -> HistogramValue {
        HistogramValue {
            count: buckets.iter().map(|b| b.1).sum(),
            scale: 3,
            buckets: buckets.to_vec(),
            ..HistogramValue::default()
        }
    }

    #[test]
    fn what_is_merged_can_be_taken_away_again() {
        let (a, b) = (of(&[(-3, 2), (5, 1)]), of(&[(5, 4), (9, 1)]));
        let mut both = a.clone();
        both.merge(&b);
        assert_eq!(both.buckets, [(-3, 2), (5, 5), (9, 1)]);
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
        assert_eq!((coarse.scale, coarse.count), (2, 63));
        assert_eq!(coarse.buckets, [(-2, 3), (-1, 4), (0, 24), (4, 32)]);
        for (index, _) in &fine.buckets {
            let (inside, of) = (fine.upper_bound(*index), coarse.upper_bound(index >> 1));
            assert!(inside <= of * 1.000_001, "bucket {index} ends at {inside}, its new one at {of}");
        }
        // A later reading that had to be thinned, and an earlier one that had not.
        assert_eq!(coarse.since(&of(&[(-4, 1), (0, 8)])).buckets, [(-2, 2), (-1, 4), (0, 16), (4, 32)]);
        let mut merged = fine.clone();
        merged.merge(&coarse);
        assert_eq!(merged.buckets, [(-2, 6), (-1, 8), (0, 48), (4, 64)]);
    }

    #[test]
    fn quantiles_of_chosen_bounds_follow_a_straight_line() {
        let bounded = HistogramValue {
            count: 10,
            buckets: vec![(0, 2), (1, 4), (2, 4)],
            bounds: vec![1.0, 2.0],
            min: Some(0.5),
            max: Some(6.0),
            ..HistogramValue::default()
        };
        let quantiles = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0].map(|share| bounded.quantile(share).unwrap());
        assert_eq!(quantiles, [0.75, 1.0, 1.5, 2.0, 4.0, 6.0]);
        assert!(bounded.by_upper_bound().eq([(1.0, 2), (2.0, 4), (f64::INFINITY, 4)]));
    }

    #[test]
    fn other_bounds_count_at_the_upper_ones() {
        let bounded = |bounds: &[f64], buckets: &[(i32, u64)]| HistogramValue {
            bounds: bounds.to_vec(),
            scale: 0,
            ..of(buckets)
        };
        let mut merged = bounded(&[1.0, 10.0], &[(0, 1), (2, 1)]);
        merged.merge(&bounded(&[2.0], &[(0, 3), (1, 5)]));
        assert_eq!((merged.count, merged.buckets), (10, vec![(0, 1), (1, 3), (2, 6)]));
        let mut mixed = of(&[(0, 7)]);
        mixed.merge(&bounded(&[1.0], &[(0, 1)]));
        assert_eq!((mixed.count, mixed.buckets, mixed.bounds), (8, vec![(0, 1), (1, 7)], vec![1.0]));
    }

    #[test]
    fn the_newest_exemplar_of_a_bucket_is_kept_and_a_delta_has_those_that_are_new() {
        let with = |values: &[(f64, u64)]| {
            let (trace_id, span_id) = (TraceId::MIN, SpanId::MIN);
            let of = |&(value, time_unix_nano)| Exemplar { value, time_unix_nano, trace_id, span_id };
            let buckets = vec![(0, values.len() as u64)];
            let exemplars = values.iter().map(of).collect();
            HistogramValue {
                count: values.len() as u64,
                buckets,
                scale: 3,
                exemplars,
                ..HistogramValue::default()
            }
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
