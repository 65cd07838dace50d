//! Which bucket a value falls into: base-2 exponential buckets at a fixed scale, found by integer arithmetic, or buckets
//! with bounds that somebody chose.
//!
//! Eight buckets an octave (scale 3, each 9% wide) over `2^-64 .. 2^64`; what lies outside falls into the
//! first or the last.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::metrics::site::Bounds;
use crate::model::Buckets;

pub(super) const SCALE: i32 = 3;
pub(super) const PER_OCTAVE: usize = 1 << SCALE;
pub(super) const MIN_EXPONENT: i32 = -64;
pub(super) const OCTAVES: usize = 128;
const MANTISSA: u64 = (1 << 52) - 1;

/// The mantissas of `2^(1/8) .. 2^(7/8)`, and one beyond all: the upper bounds of the buckets of an octave.
const BOUNDS: [u64; PER_OCTAVE] = [
    1.090_507_732_665_257_7_f64.to_bits() & MANTISSA,
    1.189_207_115_002_721_f64.to_bits() & MANTISSA,
    1.296_839_554_651_009_6_f64.to_bits() & MANTISSA,
    std::f64::consts::SQRT_2.to_bits() & MANTISSA,
    1.542_210_825_407_940_7_f64.to_bits() & MANTISSA,
    1.681_792_830_507_429_f64.to_bits() & MANTISSA,
    1.834_008_086_409_342_4_f64.to_bits() & MANTISSA,
    1 << 52,
];

/// The place of a value above 0 among all buckets.
pub(super) fn slot(x: f64) -> usize {
    place(x).saturating_sub(FIRST).min(OCTAVES * PER_OCTAVE - 1)
}

/// The place where the buckets begin.
pub(super) const FIRST: usize = (1023 + MIN_EXPONENT) as usize * PER_OCTAVE;

/// The same, counted from the smallest double there is.
#[inline]
pub(super) fn place(x: f64) -> usize {
    // The double just below, because a bucket holds its upper bound and not its lower one.
    let bits = x.to_bits() - 1;
    let mantissa = bits & MANTISSA;
    // A straight line over the octave is never above the bucket and at most one below it.
    let guess = (mantissa >> (52 - SCALE)) as usize;
    (bits >> 52) as usize * PER_OCTAVE + guess + usize::from(mantissa >= BOUNDS[guess])
}

/// OpenTelemetry's index of the bucket in that place.
pub(super) fn index(slot: usize) -> i32 {
    slot as i32 + MIN_EXPONENT * PER_OCTAVE as i32
}

/// What counts for buckets with those bounds say.
pub(super) fn chosen(bounds: Bounds, counts: &[AtomicU64]) -> Buckets {
    let counts = counts.iter().take(bounds.list.len() + 1).map(|n| n.load(Relaxed));
    Buckets::Explicit { bounds: bounds.list.to_vec(), counts: counts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::upper_bound;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(x in 1e-18..1e18f64) {
            let i = index(slot(x));
            let (lower, upper) = (upper_bound(SCALE, i - 1), upper_bound(SCALE, i));
            prop_assert!(lower * (1.0 - 1e-14) <= x && x <= upper * (1.0 + 1e-14), "{lower} < {x} <= {upper}");
        }
    }

    #[test]
    fn powers_of_two_belong_to_the_bucket_below_them() {
        for power in -20..20 {
            let x = f64::from(power).exp2();
            assert_eq!(index(slot(x)), power * 8 - 1, "2^{power}");
            assert_eq!(index(slot(x * 1.000_001)), power * 8, "just above 2^{power}");
        }
    }
}
