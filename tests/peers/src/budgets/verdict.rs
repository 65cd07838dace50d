//! From the ratios of the rounds to a verdict.

use std::fmt;

/// How sure an interval is, where there are rounds enough.
const CONFIDENCE: f64 = 0.98;
/// How far from a limit the ends of an interval that includes it may be, for the median to count as being there.
const NARROW: f64 = 0.05;

pub fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    let n = v.len();
    (v[(n - 1) / 2] + v[n / 2]) / 2.0
}

/// A median, and the interval that the median of endlessly many rounds would be in.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// Of at least one round. The interval is that of the sign test, which knows nothing of how rounds are distributed:
    /// as many of the lowest and highest are left out as confidence allows (of fewer than 7 rounds, none).
    pub fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let n = rounds.len();
        // The chance that of n tosses at most `outside` are heads, twice: both ends.
        let (mut chance, mut sum, mut outside) = (0.5f64.powi(n as i32), 0.0, 0);
        loop {
            sum += chance;
            if 2.0 * sum > 1.0 - CONFIDENCE {
                break;
            }
            outside += 1;
            chance *= (n + 1 - outside) as f64 / outside as f64;
        }
        // `outside` rounds may lie below the interval's end when that end itself is one that is left in.
        let end = outside.saturating_sub(1);
        Self { low: rounds[end], high: rounds[n - 1 - end], median: median(rounds) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.3} ({:.3}–{:.3})", self.median, self.low, self.high)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Met,
    /// More rounds would say on which side, but it hardly matters.
    AtTheLimit,
    /// The rounds differ too much, or what seems not to be met was disturbed.
    Unclear,
    NotMet,
    /// What was to be measured at a rate was measured at another one.
    RateNotReached,
}

impl Verdict {
    pub fn of(ratio: &Spread, at_most: f64, disturbed: bool) -> Self {
        if ratio.high <= at_most {
            Self::Met
        } else if ratio.low > at_most {
            if disturbed { Self::Unclear } else { Self::NotMet }
        } else if ratio.high - at_most <= NARROW * at_most && at_most - ratio.low <= NARROW * at_most {
            Self::AtTheLimit
        } else {
            Self::Unclear
        }
    }

    /// Whether more rounds could say more.
    pub fn is_open(self) -> bool {
        matches!(self, Self::AtTheLimit | Self::Unclear)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::AtTheLimit => "at the limit",
            Self::Unclear => "unclear",
            Self::NotMet => "NOT MET",
            Self::RateNotReached => "RATE NOT REACHED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(rounds: &[f64]) -> (f64, f64, f64) {
        let spread = Spread::of(rounds.to_vec());
        (spread.low, spread.median, spread.high)
    }

    #[test]
    fn few_rounds_leave_none_out() {
        assert_eq!(spread(&[2.0]), (2.0, 2.0, 2.0));
        assert_eq!(spread(&[3.0, 1.0]), (1.0, 2.0, 3.0));
        assert_eq!(spread(&[7.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (1.0, 4.0, 7.0));
    }

    /// The tables of the sign test: of 11 rounds the second lowest (98.8%), of 28 the eighth (98.7%; the ninth, 96.4%).
    #[test]
    fn many_rounds_leave_out_as_many_as_the_sign_test_allows() {
        let rounds = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        assert_eq!(spread(&rounds(10)), (1.0, 5.5, 10.0));
        assert_eq!(spread(&rounds(11)), (2.0, 6.0, 10.0));
        assert_eq!(spread(&rounds(28)), (8.0, 14.5, 21.0));
    }

    #[test]
    fn a_verdict_is_that_of_the_interval() {
        let of = |low, high| Verdict::of(&Spread { low, median: (low + high) / 2.0, high }, 2.0, false);
        assert_eq!(of(1.8, 2.0), Verdict::Met);
        assert_eq!(of(1.95, 2.05), Verdict::AtTheLimit);
        assert_eq!(of(1.8, 2.05), Verdict::Unclear);
        assert_eq!(of(2.01, 2.05), Verdict::NotMet);
    }

    #[test]
    fn disturbed_rounds_can_only_show_that_it_is_met() {
        let of = |low, high| Verdict::of(&Spread { low, median: (low + high) / 2.0, high }, 2.0, true);
        assert_eq!(of(1.8, 2.0), Verdict::Met);
        assert_eq!(of(2.01, 2.05), Verdict::Unclear);
    }
}
