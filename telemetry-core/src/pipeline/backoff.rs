//! How long to wait before the next attempt: pure arithmetic.

use std::time::Duration;

/// Exponential backoff with full jitter: any time between nothing and a bound that doubles from 1 to 30 seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(30);
    /// A backend may ask for more time than the bound, but not for ever.
    const MOST_ASKED: Duration = Duration::from_mins(5);

    /// After a failure: the wait. `random` is any number; `asked` is what the backend wants.
    pub(crate) fn next(&mut self, random: u64, asked: Option<Duration>) -> Duration {
        let bound = Self::FIRST.saturating_mul(1 << self.failures.min(5)).min(Self::MOST);
        self.failures = self.failures.saturating_add(1);
        match asked {
            Some(asked) => asked.min(Self::MOST_ASKED),
            None => bound.mul_f64(random as f64 / u64::MAX as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_thirty_seconds() {
        let mut backoff = Backoff::default();
        let bounds: Vec<u64> = (0..7).map(|_| backoff.next(u64::MAX, None).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(Backoff::default().next(0, None), Duration::ZERO);
    }

    #[test]
    fn what_the_backend_asks_for_counts_within_reason() {
        let ask = |secs| Backoff::default().next(7, Some(Duration::from_secs(secs))).as_secs();
        assert_eq!((ask(120), ask(100_000)), (120, 300));
    }
}
