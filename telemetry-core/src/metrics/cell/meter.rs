//! Meters: a count, its mean rate, and rates that forget with a time constant of 1, 5 and 15 minutes.
//!
//! Marking only adds to the count; the rates move when the dispatcher ticks.

use super::number::{Sum, Total};
use crate::clock::Tick;
use crate::sync::{Mutex, lock};

#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) count: Sum,
    rates: Mutex<Rates>,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    began: Tick,
    last: Tick,
    counted: f64,
    /// What it had counted when it began.
    base: f64,
    /// Per second; none before the first tick.
    moving: Option<[f64; 3]>,
}

const SECOND: f64 = 1e9;

impl Meter {
    /// What the rates are called, behind the meter's own name.
    pub(crate) const RATES: [&'static str; 4] = ["mean_rate", "m1_rate", "m5_rate", "m15_rate"];
    const MINUTES: [f64; 3] = [1.0, 5.0, 15.0];

    pub(crate) fn new(now: Tick) -> Self {
        let rates = Rates { began: now, last: now, counted: 0.0, base: 0.0, moving: None };
        Self { count: Sum::default(), rates: Mutex::new(rates) }
    }

    /// Moves the rates on to now. How often that happens hardly matters: the weight of what came follows from
    /// the time that passed.
    pub(crate) fn tick(&self, now: Tick) {
        let mut rates = lock(&self.rates);
        let seconds = now.since(rates.last) as f64 / SECOND;
        if seconds < 1.0 {
            return;
        }
        let count = self.count.read().as_f64();
        let rate = (count - rates.counted) / seconds;
        rates.moving = Some(match rates.moving {
            None => [rate; 3],
            Some(before) => std::array::from_fn(|i| {
                let weight = 1.0 - (-seconds / (60.0 * Self::MINUTES[i])).exp();
                before[i] + weight * (rate - before[i])
            }),
        });
        (rates.last, rates.counted) = (now, count);
    }

    /// Begins anew after it had counted so much.
    pub(crate) fn restart(&self, base: f64, now: Tick) {
        let mut rates = lock(&self.rates);
        *rates = Rates { began: rates.last, last: now, counted: base, base, moving: None };
    }

    /// The count, and the rates a second in the order of [`Self::RATES`].
    pub(crate) fn read(&self, now: Tick) -> (Total, [f64; 4]) {
        let rates = *lock(&self.rates);
        let count = self.count.read();
        let seconds = now.since(rates.began) as f64 / SECOND;
        let mean = if seconds > 0.0 { (count.as_f64() - rates.base) / seconds } else { 0.0 };
        let [m1, m5, m15] = rates.moving.unwrap_or([mean; 3]);
        (count, [mean, m1, m5, m15])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Number;

    fn at(second: u64) -> Tick {
        Tick::from_raw(second * 1_000_000_000)
    }

    #[test]
    fn a_steady_rate_is_every_rate() {
        let meter = Meter::new(at(0));
        for second in 1..=1200 {
            meter.count.add(Number::Int(3));
            if second % 5 == 0 {
                meter.tick(at(second));
            }
        }
        let (count, rates) = meter.read(at(1200));
        assert_eq!(count.number(), Number::Int(3600));
        rates.iter().for_each(|r| assert!((r - 3.0).abs() < 1e-9, "{rates:?}"));
    }

    #[test]
    fn silence_halves_the_one_minute_rate_in_42_seconds_however_it_ticks() {
        for step in [1, 6, 42] {
            let meter = Meter::new(at(0));
            meter.count.add(Number::Int(600));
            meter.tick(at(60));
            for second in (60..=102).step_by(step).skip(1) {
                meter.tick(at(second));
            }
            let (_, [mean, m1, m5, m15]) = meter.read(at(102));
            assert!((m1 - 10.0 * (-42.0f64 / 60.0).exp()).abs() < 1e-9, "{m1} with a tick each {step} s");
            assert!(m1 < m5 && m5 < m15 && (mean - 600.0 / 102.0).abs() < 1e-9);
        }
    }
}
