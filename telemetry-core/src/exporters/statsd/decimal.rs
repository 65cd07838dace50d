//! Numbers in plain digits: exactly what was there, and never an exponent, which not all servers read.

use crate::exporters::digits::put_whole;
use crate::model::Number;

/// Most bytes of a number: a sign, `0.` and all places of the smallest double.
#[cfg(test)]
pub(super) const LONGEST: usize = 2 + 1 + 324 + 17;

/// A number, which is finite.
pub(super) fn put_number(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Int(n) => put_whole(out, n),
        Number::Uint(n) => put_whole(out, n),
        Number::Float(x) => put_decimal(out, x, 0),
    }
}

/// As few digits as name that double and no other, times that power of ten. It is finite.
#[inline]
pub(super) fn put_decimal(out: &mut Vec<u8>, x: f64, shift: i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(x);
    if shift == 0 && !text.contains('e') {
        let text = text.strip_suffix(".0").unwrap_or(text);
        // A sign alone would be a change.
        let text = if text == "-0" { "0" } else { text };
        return out.extend_from_slice(text.as_bytes());
    }
    put_shifted(out, text, shift);
}

fn put_shifted(out: &mut Vec<u8>, text: &str, shift: i32) {
    let (text, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let leading = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
    let mut digits = whole.bytes().chain(fraction.bytes()).skip(leading);
    let trailing =
        fraction.bytes().rev().chain(whole.bytes().rev()).take_while(|digit| *digit == b'0').count();
    let len = (whole.len() + fraction.len()).saturating_sub(leading + trailing);
    if len == 0 {
        return out.push(b'0');
    }
    // So many of the digits stand before the point.
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let point = whole.len() as i32 - leading as i32 + exponent + shift;
    if is_negative {
        out.push(b'-');
    }
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + point.unsigned_abs() as usize, b'0');
        return out.extend(digits.take(len));
    }
    let before = len.min(point as usize);
    out.extend(digits.by_ref().take(before));
    out.resize(out.len() + point as usize - before, b'0');
    if len > before {
        out.push(b'.');
        out.extend(digits.take(len - before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(x: f64, shift: i32) -> String {
        let mut out = Vec::new();
        put_decimal(&mut out, x, shift);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_digits_alone() {
        for (x, shift, text) in [
            (0.0, 0, "0"),
            (-0.0, 0, "0"),
            (-0.0, 3, "0"),
            (5.0, 0, "5"),
            (100.0, -3, "0.1"),
            (0.0123, 3, "12.3"),
            (0.0123, 6, "12300"),
            (-2.5, 0, "-2.5"),
            (-2.5e-7, 0, "-0.00000025"),
            (1e21, 0, "1000000000000000000000"),
            (1.5e22, -3, "15000000000000000000"),
            (1e16, 0, "10000000000000000"),
            (2.5e-3, 3, "2.5"),
            (0.000_000_001, 3, "0.000001"),
            (1_234_567.0, -6, "1.234567"),
        ] {
            assert_eq!(written(x, shift), text, "{x:e} shifted by {shift}");
        }
        assert_eq!(written(5e-324, -6).len(), 2 + 324 + 6);
        assert_eq!(written(-5e-324, 0).len(), 1 + 2 + 324);
    }

    #[test]
    fn whole_numbers_keep_all_their_digits() {
        for (number, text) in [
            (Number::Int(i64::MIN), "-9223372036854775808"),
            (Number::Uint(u64::MAX), "18446744073709551615"),
        ] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn every_double_is_read_back(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(x.is_finite());
            let text = written(x, 0);
            prop_assert!(text.len() <= LONGEST);
            prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b)), "{}", text);
            prop_assert_eq!(text.parse::<f64>().unwrap(), x, "{}", text);
        }

        /// What is shifted by three places and read with an exponent of three less is what it was.
        #[test]
        fn a_shift_moves_the_point_alone(bits: u64, shift in -6..=6_i32) {
            let x = f64::from_bits(bits);
            prop_assume!(x.is_finite());
            let text = written(x, shift);
            prop_assert_eq!(format!("{text}e{}", -shift).parse::<f64>().unwrap(), x, "{}", text);
        }
    }
}
