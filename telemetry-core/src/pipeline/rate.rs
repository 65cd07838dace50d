//! So many items a second: a token bucket. Pure: it is told the time.

use std::time::Duration;

use crate::clock::Tick;

/// Lets so many items through in each second, at most as many at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_second: f64,
    tokens: f64,
    at: Tick,
    /// So many go at once at least, so that there are at most ten requests a second.
    step: f64,
}

impl Rate {
    /// The first second's items may go at once.
    pub(super) fn new(per_second: f64, now: Tick) -> Self {
        Self { per_second, tokens: per_second.max(1.0), at: now, step: (per_second / 10.0).max(1.0) }
    }

    /// How many items may go now.
    pub(super) fn allowed(&mut self, now: Tick) -> usize {
        let passed = Duration::from_nanos(now.since(self.at)).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second.max(1.0));
        self.at = self.at.max(now);
        if self.tokens < self.step { 0 } else { self.tokens as usize }
    }

    /// So many went.
    pub(super) fn took(&mut self, items: usize) {
        self.tokens -= items as f64;
    }

    /// So many of those did not go after all.
    #[cfg(any(feature = "net", test))]
    pub(super) fn took_not(&mut self, items: usize) {
        self.tokens += items as f64;
    }

    /// When the next ones may go.
    pub(super) fn next(&self, now: Tick) -> Tick {
        let missing = (self.step - self.tokens).max(0.0) / self.per_second;
        // A little later, so that rounding does not find them nearly there.
        now.plus(Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX) + Duration::from_nanos(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_its_number_through_and_no_more() {
        let mut now = Tick::default();
        let mut rate = Rate::new(10.0, now);
        let mut passed = 0;
        for _ in 0..1000 {
            let allowed = rate.allowed(now).min(3);
            rate.took(allowed);
            passed += allowed;
            now = now.plus(Duration::from_millis(10));
        }
        assert!((108..=110).contains(&passed), "{passed} in ten seconds, and ten at once");
    }

    #[test]
    fn a_rate_below_one_waits_for_its_item() {
        let mut rate = Rate::new(0.5, Tick::default());
        assert_eq!(rate.allowed(Tick::default()), 1);
        rate.took(1);
        assert_eq!(rate.allowed(Tick::default()), 0);
        let next = rate.next(Tick::default());
        assert_eq!((next.since(Tick::default()) / 1_000_000_000, rate.allowed(next)), (2, 1));
    }
}
