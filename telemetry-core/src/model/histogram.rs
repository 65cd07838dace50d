//! What was read from a histogram: base-2 exponential buckets, as OpenTelemetry defines them.

/// A distribution in exponential buckets: bucket `i` holds the values in `(base^i, base^(i+1)]`,
/// with `base = 2^(2^-scale)`. Values of 0 and below are in `zero_count`.
///
/// Source: OpenTelemetry metrics data model, "`ExponentialHistogram`".
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
    /// Values of 0 and below.
    pub zero_count: u64,
    /// Index and count of each bucket that holds something, by index.
    pub buckets: Vec<(i32, u64)>,
}

impl HistogramValue {
    /// The mean; none where nothing was recorded.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The upper bound of the bucket with that index.
    pub fn upper_bound(&self, index: i32) -> f64 {
        (f64::from(index + 1) * (-f64::from(self.scale)).exp2()).exp2()
    }

    /// The value below which that share of all values lies, for instance `0.99`.
    ///
    /// It is the geometric middle of the bucket, kept between `min` and `max`, so at scale 3 it is off by at
    /// most 4.5%. None where nothing was recorded.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0);
        let mut seen = self.zero_count as f64;
        let value = if seen >= rank {
            0.0
        } else {
            let (index, _) = self.buckets.iter().find(|(_, n)| {
                seen += *n as f64;
                seen >= rank
            })?;
            self.upper_bound(*index) / (-f64::from(self.scale + 1)).exp2().exp2()
        };
        Some(value.clamp(self.min.unwrap_or(f64::MIN), self.max.unwrap_or(f64::MAX)))
    }

    /// Adds what another histogram of the same scale holds.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.scale == other.scale || self.count == 0 || other.count == 0);
        self.scale = self.scale.max(other.scale);
        self.count += other.count;
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
        self.zero_count += other.zero_count;
        self.min = both(self.min, other.min, f64::min);
        self.max = both(self.max, other.max, f64::max);
        self.buckets = combine(&self.buckets, &other.buckets, u64::wrapping_add);
    }

    /// What came since `before`, an earlier reading of the same series. `min` and `max` are unknown then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count - before.count,
            sum: self.sum - before.sum,
            min: None,
            max: None,
            scale: self.scale,
            zero_count: self.zero_count - before.zero_count,
            buckets: combine(&self.buckets, &before.buckets, u64::wrapping_sub),
        }
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
    let mut all = std::collections::BTreeMap::<i32, (u64, u64)>::new();
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
    }

    #[test]
    fn nothing_recorded_has_no_mean_and_no_quantile() {
        assert_eq!((of(&[]).mean(), of(&[]).quantile(0.5)), (None, None));
    }
}
