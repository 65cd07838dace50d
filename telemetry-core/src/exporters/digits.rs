//! Numbers and times in digits, as both text formats read them: what is written is exactly what was there.
//!
//! Source: Prometheus, "Text-based format"; OpenMetrics 1.0.0, "Numbers" and "Timestamps".

use crate::model::Number;

pub(super) fn put_number(out: &mut Vec<u8>, number: Number) {
    with_digits(number, |digits| out.extend_from_slice(digits));
}

/// What a number is written as, given to somebody.
#[inline]
pub(super) fn with_digits<T>(number: Number, put: impl FnOnce(&[u8]) -> T) -> T {
    match number {
        Number::Int(n) => put(itoa::Buffer::new().format(n).as_bytes()),
        Number::Uint(n) => put(itoa::Buffer::new().format(n).as_bytes()),
        Number::Float(x) => with_digits_of(x, put),
    }
}

#[inline]
pub(super) fn put_whole(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// As few digits as name that number and no other.
#[inline]
pub(super) fn put_float(out: &mut Vec<u8>, x: f64) {
    with_digits_of(x, |digits| out.extend_from_slice(digits));
}

#[inline]
fn with_digits_of<T>(x: f64, put: impl FnOnce(&[u8]) -> T) -> T {
    match x {
        _ if x.is_finite() => put(zmij::Buffer::new().format_finite(x).as_bytes()),
        _ if x.is_nan() => put(b"NaN"),
        _ if x > 0.0 => put(b"+Inf"),
        _ => put(b"-Inf"),
    }
}

/// A bound of a bucket as Prometheus itself writes it, so that it is one label value in each form: `0.5`, `1.0`, `1e+06`.
pub(super) fn put_bound(out: &mut Vec<u8>, bound: f64) {
    if !bound.is_finite() {
        return put_float(out, bound);
    }
    let digits = format!("{bound:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        let plain = bound.to_string();
        out.extend_from_slice(plain.as_bytes());
        if !plain.contains('.') {
            out.extend_from_slice(b".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("{mantissa}e{sign}{:02}", exponent.abs()).as_bytes());
    }
}

const NANOS: u64 = 1_000_000_000;

/// A moment in seconds since the Unix epoch, to the nanosecond.
pub(super) fn put_time(out: &mut Vec<u8>, unix_nanos: u64) {
    put_whole(out, unix_nanos / NANOS);
    let digits = unix_nanos % NANOS + NANOS;
    let from = out.len();
    put_whole(out, digits);
    // The one in front keeps the zeros behind it.
    out[from] = b'.';
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_what_they_were() {
        for (number, text) in [
            (Number::Int(i64::MIN), "-9223372036854775808"),
            (Number::Uint(u64::MAX), "18446744073709551615"),
            (Number::Float(0.1 + 0.2), "0.30000000000000004"),
            (Number::Float(f64::NAN), "NaN"),
            (Number::Float(-f64::NAN), "NaN"),
            (Number::Float(f64::INFINITY), "+Inf"),
            (Number::Float(f64::NEG_INFINITY), "-Inf"),
            (Number::Float(-0.0), "-0.0"),
        ] {
            assert_eq!(written(|out| put_number(out, number)), text);
        }
    }

    #[test]
    fn bounds_read_as_prometheus_writes_them() {
        for (bound, text) in [
            (1.0, "1.0"),
            (0.5, "0.5"),
            (1024.0, "1024.0"),
            (131_072.0, "131072.0"),
            (1_048_576.0, "1.048576e+06"),
            (1e6, "1e+06"),
            (0.0001, "0.0001"),
            (0.000_061_035_156_25, "6.103515625e-05"),
            (9.536_743_164_062_5e-7, "9.5367431640625e-07"),
            (1e300, "1e+300"),
            (-2.5, "-2.5"),
            (0.0, "0.0"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(written(|out| put_bound(out, bound)), text);
        }
    }

    #[test]
    fn times_have_all_their_digits() {
        for (nanos, text) in [
            (0, "0.000000000"),
            (1_700_000_000_000_000_001, "1700000000.000000001"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(written(|out| put_time(out, nanos)), text);
        }
    }

    proptest! {
        #[test]
        fn every_float_is_read_back(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(!x.is_nan());
            for text in [written(|out| put_float(out, x)), written(|out| put_bound(out, x))] {
                prop_assert_eq!(text.replace("Inf", "inf").parse::<f64>().unwrap().to_bits(), bits, "{}", text);
            }
        }
    }
}
