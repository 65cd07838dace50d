//! Base-2 exponential buckets: which one a value falls into, and where it ends. Both are read off one table, without a
//! logarithm, so that every finite value lies within the bounds of its bucket, at each scale.
//!
//! Values are counted at [`SCALE`]; coarser scales join neighbours. Nothing here rounds but a bound between doubles that are
//! far apart, which goes towards 0: it stays above the values of its bucket, and below those of the next.
//!
//! Source: OpenTelemetry metrics data model, "`ExponentialHistogram`".

/// Eight buckets an octave, each 9% wide.
pub(crate) const SCALE: i32 = 3;
pub(crate) const PER_OCTAVE: usize = 1 << SCALE;

/// The index of the bucket in [`place`] 0.
const FIRST: i32 = -1023 * PER_OCTAVE as i32;
const MANTISSA_BITS: u32 = 52;
const IMPLIED: u64 = 1 << MANTISSA_BITS;
const MANTISSA: u64 = IMPLIED - 1;

/// The mantissas of `2^(1/8) .. 2^(7/8)`, and one beyond all: the upper bounds of the buckets of an octave.
const BOUNDS: [u64; PER_OCTAVE] = [
    1.090_507_732_665_257_7_f64.to_bits() & MANTISSA,
    1.189_207_115_002_721_f64.to_bits() & MANTISSA,
    1.296_839_554_651_009_6_f64.to_bits() & MANTISSA,
    std::f64::consts::SQRT_2.to_bits() & MANTISSA,
    1.542_210_825_407_940_7_f64.to_bits() & MANTISSA,
    1.681_792_830_507_429_f64.to_bits() & MANTISSA,
    1.834_008_086_409_342_4_f64.to_bits() & MANTISSA,
    IMPLIED,
];

/// The place of a value above 0 among the buckets of all doubles that are not subnormal. Those that are have places below
/// [`FIRST_NORMAL`], but not always their own.
#[inline]
pub(crate) fn place(x: f64) -> usize {
    // The double just below, because a bucket holds its upper bound and not its lower one.
    let bits = x.to_bits() - 1;
    let mantissa = bits & MANTISSA;
    // A straight line over the octave is never above the bucket and at most one below it.
    let guess = (mantissa >> (MANTISSA_BITS - SCALE as u32)) as usize;
    (bits >> MANTISSA_BITS) as usize * PER_OCTAVE + guess + usize::from(mantissa >= BOUNDS[guess])
}

/// From this place on, places are right.
pub(crate) const FIRST_NORMAL: usize = PER_OCTAVE;

/// OpenTelemetry's index of the bucket in that place, at [`SCALE`].
pub(crate) fn index_of(place: usize) -> i32 {
    place as i32 + FIRST
}

/// The index of the bucket of a value above 0, at [`SCALE`].
pub(crate) fn index(x: f64) -> i32 {
    // A power of two that makes every subnormal a normal number, exactly.
    const UP: i32 = 64;
    if x < f64::MIN_POSITIVE {
        index_of(place(x * f64::from(UP).exp2())) - UP * PER_OCTAVE as i32
    } else {
        index_of(place(x))
    }
}

/// The upper bound of the bucket with that index; infinite where it lies above all doubles.
pub(crate) fn upper_bound(scale: i32, index: i32) -> f64 {
    bound(scale, i64::from(index) + 1)
}

/// The lower bound, which the bucket does not hold.
pub(crate) fn lower_bound(scale: i32, index: i32) -> f64 {
    bound(scale, i64::from(index))
}

/// The geometric middle of the bucket with that index, as near to it as doubles are.
pub(crate) fn middle(scale: i32, index: i32) -> f64 {
    let middle = ((f64::from(index) + 0.5) * (-f64::from(scale)).exp2()).exp2();
    middle.min(f64::MAX).clamp(lower_bound(scale, index), upper_bound(scale, index))
}

/// A power of the base of that scale.
fn bound(scale: i32, exponent: i64) -> f64 {
    if scale > SCALE {
        // Nobody records such buckets, but a program may make them.
        return (exponent as f64 * (-f64::from(scale)).exp2()).exp2();
    }
    // In eighths of an octave; with more steps than that, all but 0 is beyond all doubles.
    let steps = SCALE.saturating_sub(scale).min(30);
    let eighths = exponent << steps;
    let (octave, eighth) =
        (eighths.div_euclid(PER_OCTAVE as i64), eighths.rem_euclid(PER_OCTAVE as i64) as usize);
    let mantissa = eighth.checked_sub(1).map_or(0, |before| BOUNDS[before]);
    match octave {
        1024.. => f64::INFINITY,
        -1022.. => f64::from_bits(((octave + 1023) as u64) << MANTISSA_BITS | mantissa),
        -1074.. => f64::from_bits((IMPLIED | mantissa) >> (-1022 - octave)),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of each scale that there is between the finest and one where a single bucket holds all above 1.
    fn lies_in_its_buckets(x: f64) {
        for steps in 0..=14 {
            let (scale, index) = (SCALE - steps, index(x) >> steps);
            let (lower, upper) = (lower_bound(scale, index), upper_bound(scale, index));
            assert!(lower < x && x <= upper, "{lower:e} < {x:e} <= {upper:e} at scale {scale}");
            let middle = middle(scale, index);
            assert!(lower <= middle && middle <= upper && middle.is_finite(), "{middle:e} for {x:e}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]
        #[test]
        fn every_double_above_0_lies_in_its_bucket(bits in 1..=f64::MAX.to_bits()) {
            lies_in_its_buckets(f64::from_bits(bits));
        }

        #[test]
        fn every_subnormal_lies_in_its_bucket(bits in 1..f64::MIN_POSITIVE.to_bits(), zeros in 0..52u32) {
            lies_in_its_buckets(f64::from_bits((bits >> zeros).max(1)));
        }
    }

    #[test]
    fn powers_of_two_and_bounds_belong_to_the_bucket_below_them() {
        for power in -1074..1024 {
            let x = f64::from(power).exp2();
            assert_eq!(index(x), power * 8 - 1, "2^{power}");
            [x.next_down(), x, x.next_up()].into_iter().filter(|x| *x > 0.0).for_each(lies_in_its_buckets);
        }
        for index in super::index(f64::MIN_POSITIVE)..super::index(f64::MAX) {
            let bound = upper_bound(SCALE, index);
            assert_eq!((super::index(bound), super::index(bound.next_up())), (index, index + 1), "{bound:e}");
        }
        lies_in_its_buckets(f64::MAX);
        assert_eq!(upper_bound(SCALE, index(f64::MAX)), f64::INFINITY);
    }
}
