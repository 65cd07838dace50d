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

/// Nearly the greatest number up to this one that has a rate.
fn most(n: u64) -> Option<(u64, f64)> {
    /// Among so many numbers of up to 21 bits that follow each other one has a rate (21 of them have none from 2,010,600 on).
    const NEAR: u64 = 64;
    const BITS: u32 = 20;
    // A number that is twice as large has half the rate.
    let places = n.checked_ilog2()?.saturating_sub(BITS);
    let top = n >> places;
    let mut near = (0..NEAR).map_while(|less| top.checked_sub(less).filter(|top| *top > 0));
    let (top, rate) = near.find_map(|top| Some((top, exact(top)?)))?;
    Some((top << places, rate / f64::from(places).exp2()))
}

/// The rate of a number that is a double.
fn exact(n: u64) -> Option<f64> {
    let number = n as f64;
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
        let most = if n < 1 << 21 { 2 } else { 6 };
        assert!(rates.len() <= most, "{rates:?}");
    }

    #[test]
    fn of_small_and_large_numbers_servers_count_exactly_so_many() {
        assert_eq!(rates(0).next(), None);
        assert!(rates(1).eq([(1, 1.0)]));
        assert!(rates(49).map(|(n, _)| n).eq([48, 1]));
        (1..20_000)
            .chain(2_010_500..2_010_700)
            .chain([1 << 53, (1 << 53) + 1, u64::MAX, u64::MAX - 1, 1 << 63])
            .for_each(is_exact);
    }

    proptest! {
        #[test]
        fn of_any_number_servers_count_exactly_so_many(n: u64, shift in 0..64_u32) {
            is_exact(n >> shift);
        }
    }
}
