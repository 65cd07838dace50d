//! The buckets of a distribution: how many values lie where.

use std::collections::BTreeMap;

use super::exponential::{SCALE, index, lower_bound, middle, upper_bound};

/// How many values lie where: in base-2 exponential buckets, or between bounds that somebody chose.
///
/// Source: OpenTelemetry metrics data model, "`ExponentialHistogram`" and "`Histogram`".
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Buckets {
    /// Bucket `i` holds the values in `(base^i, base^(i+1)]`, with `base = 2^(2^-scale)`.
    #[non_exhaustive]
    Exponential {
        /// How fine: a bucket is `2^(2^-scale)` times as wide as the one before.
        scale: i32,
        /// Values of 0.
        zero_count: u64,
        /// Index and count of each bucket that holds something, by index.
        positive: Vec<(i32, u64)>,
        /// The same for values below 0, by the index of their magnitude.
        negative: Vec<(i32, u64)>,
    },
    /// Bucket `i` holds the values in `(bounds[i - 1], bounds[i]]`; there is one more, for those above all bounds.
    #[non_exhaustive]
    Explicit {
        /// Upper bounds, finite and ascending.
        bounds: Vec<f64>,
        /// The count of each bucket: one more than there are bounds.
        counts: Vec<u64>,
    },
}

impl Default for Buckets {
    /// Exponential ones that hold nothing.
    fn default() -> Self {
        Self::Exponential { scale: 0, zero_count: 0, positive: Vec::new(), negative: Vec::new() }
    }
}

impl Buckets {
    /// How many values there are in all of them.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exponential { zero_count, positive, negative, .. } => {
                let counts = positive.iter().chain(negative).map(|(_, n)| *n);
                counts.fold(*zero_count, u64::saturating_add)
            }
            Self::Explicit { counts, .. } => counts.iter().copied().fold(0, u64::saturating_add),
        }
    }

    /// Values of 0; none where bounds were chosen, as they don't tell.
    pub fn zero_count(&self) -> u64 {
        match self {
            Self::Exponential { zero_count, .. } => *zero_count,
            Self::Explicit { .. } => 0,
        }
    }

    /// The upper bounds that somebody chose.
    pub fn bounds(&self) -> Option<&[f64]> {
        match self {
            Self::Exponential { .. } => None,
            Self::Explicit { bounds, .. } => Some(bounds),
        }
    }

    /// The upper bound and the count of each bucket that holds something, ascending; infinite for the one above all
    /// bounds.
    pub fn by_upper_bound(&self) -> impl Iterator<Item = (f64, u64)> {
        let none = (0, 0, &[][..], &[][..]);
        let ((scale, zero, positive, negative), (bounds, counts)) = match self {
            Self::Exponential { scale, zero_count, positive, negative } => {
                ((*scale, *zero_count, &positive[..], &negative[..]), (&[][..], &[][..]))
            }
            Self::Explicit { bounds, counts } => (none, (&bounds[..], &counts[..])),
        };
        let negative = negative.iter().rev().map(move |(i, n)| (-lower_bound(scale, *i), *n));
        let zero = (zero > 0).then_some((0.0, zero));
        let positive = positive.iter().map(move |(i, n)| (upper_bound(scale, *i), *n));
        let chosen = bounds.iter().copied().chain([f64::INFINITY]).zip(counts.iter().copied());
        negative.chain(zero).chain(positive).chain(chosen.filter(|(_, n)| *n > 0))
    }

    /// The geometric middle and the count of each exponential bucket that holds something, ascending; nothing where
    /// bounds were chosen.
    pub(super) fn by_middle(&self) -> impl Iterator<Item = (f64, u64)> {
        let (scale, zero, positive, negative) = match self {
            Self::Exponential { scale, zero_count, positive, negative } => {
                (*scale, *zero_count, &positive[..], &negative[..])
            }
            Self::Explicit { .. } => (0, 0, &[][..], &[][..]),
        };
        let negative = negative.iter().rev().map(move |(i, n)| (-middle(scale, *i), *n));
        let zero = (zero > 0).then_some((0.0, zero));
        negative.chain(zero).chain(positive.iter().map(move |(i, n)| (middle(scale, *i), *n)))
    }

    /// Both bounds and the count of each bucket that holds something, ascending; infinite where there is no bound.
    #[cfg(feature = "statsd")]
    pub(crate) fn by_bounds(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let none = (0, 0, &[][..], &[][..]);
        let ((scale, zero, positive, negative), (bounds, counts)) = match self {
            Self::Exponential { scale, zero_count, positive, negative } => {
                ((*scale, *zero_count, &positive[..], &negative[..]), (&[][..], &[][..]))
            }
            Self::Explicit { bounds, counts } => (none, (&bounds[..], &counts[..])),
        };
        let of = move |i: i32| (lower_bound(scale, i), upper_bound(scale, i));
        let below = negative.iter().rev().map(move |(i, n)| (-of(*i).1, -of(*i).0, *n));
        let zero = (zero > 0).then_some((0.0, 0.0, zero));
        let above = positive.iter().map(move |(i, n)| (of(*i).0, of(*i).1, *n));
        let (lower, upper) = ([f64::NEG_INFINITY], [f64::INFINITY]);
        let lower = lower.into_iter().chain(bounds.iter().copied());
        let chosen = lower.zip(bounds.iter().copied().chain(upper)).zip(counts);
        let chosen = chosen.map(|((lower, upper), n)| (lower, upper, *n));
        below.chain(zero).chain(above).chain(chosen).filter(|(_, _, n)| *n > 0)
    }

    /// Tells buckets apart: which side of 0, and which one there.
    pub(super) fn bucket_of(&self, value: f64) -> (i8, i64) {
        match self {
            Self::Explicit { bounds, .. } => (0, bounds.partition_point(|bound| *bound < value) as i64),
            Self::Exponential { .. } if value == 0.0 => (0, 0),
            Self::Exponential { scale, .. } => {
                let (side, size) = (value.signum() as i8, value.abs());
                let steps = SCALE.saturating_sub(*scale);
                let finer = || (size.log2() * f64::from(*scale).exp2()).ceil() as i64 - 1;
                (side, if steps < 0 { finer() } else { i64::from(index(size) >> steps.min(31)) })
            }
        }
    }

    /// One value at [`SCALE`], by the index of its magnitude, in buckets that hold nothing else.
    pub(crate) fn one(is_negative: bool, index: i32, n: u64) -> Self {
        let (one, none) = (vec![(index, n)], Vec::new());
        let (positive, negative) = if is_negative { (none, one) } else { (one, none) };
        Self::Exponential { scale: SCALE, zero_count: 0, positive, negative }
    }

    /// Adds what others hold. Of two scales the coarser one stays, exactly; where only one has bounds, these stay, and
    /// values of the other count at the upper bounds of their buckets, as they do where bounds differ.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.bounds() == other.bounds() {
            self.combine(other, u64::saturating_add);
        } else if let Self::Explicit { bounds, counts } = self {
            for (upper, n) in other.by_upper_bound() {
                let at = bounds.partition_point(|bound| *bound < upper);
                let count = counts.get_mut(at);
                count.into_iter().for_each(|count| *count = count.saturating_add(n));
            }
        } else {
            let before = std::mem::replace(self, other.clone());
            self.merge(&before);
        }
    }

    /// These at scale 0 and others that are coarser and hold nothing between the bounds of these; none where the others are
    /// not.
    pub(crate) fn octaves_with(&self, far: &Self) -> Option<Self> {
        let Self::Exponential { scale, zero_count, positive, negative } = far else { return None };
        if *scale >= 0 {
            return None;
        }
        let finer = |buckets: &[(i32, u64)]| buckets.iter().map(|(i, n)| (i << -scale, *n)).collect();
        let (positive, negative) = (finer(positive), finer(negative));
        let far = Self::Exponential { scale: 0, zero_count: *zero_count, positive, negative };
        let mut octaves = self.clone();
        octaves.coarsen(0);
        octaves.merge(&far);
        Some(octaves)
    }

    /// What came since they held that much.
    pub(super) fn take_away(&mut self, before: &Self) {
        self.combine(before, u64::saturating_sub);
    }

    /// Makes exponential ones span at most so many places on each side of 0. What they were at scale 0 is returned where they
    /// become coarser than that.
    pub(crate) fn thin(&mut self, max_buckets: usize) -> Option<Self> {
        let too_wide = |buckets: &[(i32, u64)]| match (buckets.first(), buckets.last()) {
            (Some((first, _)), Some((last, _))) => last.abs_diff(*first) as usize >= max_buckets.max(2),
            _ => false,
        };
        let mut octaves = None;
        while let Self::Exponential { scale, positive, negative, .. } = self
            && (too_wide(positive) || too_wide(negative))
        {
            if *scale == 0 {
                octaves = Some(self.clone());
            }
            self.step_down(1);
        }
        octaves
    }

    /// Goes down to that scale.
    pub(crate) fn coarsen(&mut self, to: i32) {
        if let Self::Exponential { scale, .. } = self {
            let steps = scale.saturating_sub(to);
            self.step_down(steps);
        }
    }

    /// Goes down so many scales. Below the last there is none, but buckets become fewer there too.
    fn step_down(&mut self, steps: i32) {
        let Self::Exponential { scale, positive, negative, .. } = self else { return };
        if steps <= 0 {
            return;
        }
        *scale = scale.saturating_sub(steps);
        for buckets in [positive, negative] {
            buckets.iter_mut().for_each(|(index, _)| *index >>= steps.min(31));
            buckets.dedup_by(|(index, n), (before, sum)| {
                let same = index == before;
                *sum = sum.saturating_add(if same { *n } else { 0 });
                same
            });
        }
    }

    /// `f` bucket by bucket, at the coarser of two scales. Bounds are the same.
    fn combine(&mut self, other: &Self, f: fn(u64, u64) -> u64) {
        let mut other = std::borrow::Cow::Borrowed(other);
        if let (Self::Exponential { scale, .. }, Self::Exponential { scale: to, .. }) = (&*self, &*other) {
            let (scale, to) = (*scale, *to);
            if scale > to && other.count() > 0 {
                self.coarsen(to);
            } else if scale < to {
                other.to_mut().coarsen(scale);
            }
        }
        match (self, &*other) {
            (
                Self::Exponential { zero_count, positive, negative, .. },
                Self::Exponential { zero_count: zeros, positive: more, negative: below, .. },
            ) => {
                *zero_count = f(*zero_count, *zeros);
                *positive = combined(positive, more, f);
                *negative = combined(negative, below, f);
            }
            (Self::Explicit { counts, .. }, Self::Explicit { counts: more, .. }) => {
                counts.iter_mut().zip(more).for_each(|(count, n)| *count = f(*count, *n));
            }
            _ => {}
        }
    }

    /// The memory that they have asked for.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Exponential { positive, negative, .. } => {
                size_of_val(&**positive) + size_of_val(&**negative)
            }
            Self::Explicit { bounds, counts } => size_of_val(&**bounds) + size_of_val(&**counts),
        }
    }
}

/// `f` bucket by bucket over two sorted lists; empty buckets are left out.
fn combined(a: &[(i32, u64)], b: &[(i32, u64)], f: fn(u64, u64) -> u64) -> Vec<(i32, u64)> {
    let mut all = BTreeMap::<i32, (u64, u64)>::new();
    // One that a program made may name a bucket twice.
    for &(index, n) in a {
        let held = &mut all.entry(index).or_default().0;
        *held = held.saturating_add(n);
    }
    for &(index, n) in b {
        let held = &mut all.entry(index).or_default().1;
        *held = held.saturating_add(n);
    }
    all.into_iter().map(|(index, (a, b))| (index, f(a, b))).filter(|(_, n)| *n > 0).collect()
}
