//! Rates: how many values a line stands for goes in, and what goes out is a rate from which a server counts exactly so many.
//!
//! Servers divide: Etsy's adds up `1 / rate`, Datadog's agent cuts the fraction off, others round or go on until it is reached. So
//! `1 / rate` has to be that number to the last bit, and of the numbers for which no double is such a rate (one of nine)
//! there are two lines.

/// Numbers of values and their rates, which together are that many.
pub(super) fn rates(mut n: u64) -> impl Iterator<Item = (u64, f64)> {
    std::iter::from_fn(move || {
        let (first, rate) = most(n)?;
        n -= first;
        Some((first, rate))
    })
}

/// The greatest number up to this one, nearly, that has a rate.
fn most(n: u64) -> Option<(u64, f64)> {
    const NEAR: u64 = 8;
    let near = (0..NEAR).filter_map(|less| n.checked_sub(less).filter(|n| *n > 0));
    let exact = near.filter_map(|n| Some((n, exact(n)?))).next();
    // Of a power of two there is always one.
    let power = 1_u64 << n.checked_ilog2()?;
    exact.or_else(|| Some((power, exact_power(power))))
}

fn exact_power(power: u64) -> f64 {
    1.0 / power as f64
}

fn exact(n: u64) -> Option<f64> {
    // Above 2^53 not every number is a double.
    let number = n as f64;
    if n > 1 << f64::MANTISSA_DIGITS {
        return None;
    }
    let nearest = 1.0 / number;
    [nearest, nearest.next_down(), nearest.next_up()].into_iter().find(|rate| 1.0 / rate == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_exact(n: u64) {
        let rates: Vec<_> = rates(n).collect();
        assert_eq!(rates.iter().map(|(n, _)| *n).sum::<u64>(), n, "{rates:?}");
        for (n, rate) in &rates {
            assert_eq!(1.0 / rate, *n as f64, "{rates:?}");
            assert_eq!((1.0 / rate) as u64, *n, "{rates:?}");
        }
        if n <= 1 << 53 {
            assert!(rates.len() <= 2, "{rates:?}");
        }
    }

    #[test]
    fn of_small_and_large_numbers_servers_count_exactly_so_many() {
        assert_eq!(rates(0).next(), None);
        assert!(rates(1).eq([(1, 1.0)]));
        assert!(rates(49).map(|(n, _)| n).eq([48, 1]));
        (1..20_000).chain([1 << 53, (1 << 53) + 1, u64::MAX, u64::MAX - 1, 1 << 63]).for_each(is_exact);
    }

    proptest! {
        #[test]
        fn of_any_number_servers_count_exactly_so_many(n: u64, shift in 0..64_u32) {
            is_exact(n >> shift);
        }
    }
}
