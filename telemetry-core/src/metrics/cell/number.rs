//! The numbers in cells: sums, last values, floats. Any number of threads write, snapshots read.

use crate::clock::Tick;
use crate::model::{Number, float_above};
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// A sum of whole numbers, exact, and beside it a sum of floats: mixed values stay one series.
#[derive(Debug)]
pub(crate) struct Sum {
    /// What there was no room for below stands in `more`.
    whole: AtomicI64,
    /// Whoever reads holds it, as does whoever moves the other on.
    more: Mutex<i128>,
    /// [`NO_FLOATS`] as long as none came.
    floats: Float,
}

/// The only sum that nothing can lead back to, and the only one to which whatever is added is the sum.
const NO_FLOATS: f64 = -0.0;

impl Default for Sum {
    fn default() -> Self {
        Self { whole: AtomicI64::new(0), more: Mutex::new(0), floats: Float::new(NO_FLOATS) }
    }
}

impl Sum {
    #[inline]
    pub(crate) fn add(&self, value: Number) {
        match value {
            Number::Int(n) => self.add_whole(n),
            Number::Uint(n) => self.add_many(n.into()),
            // This makes one zero of both: a zero is a float too.
            Number::Float(x) => self.floats.add(x + 0.0),
        }
    }

    #[inline]
    pub(crate) fn add_whole(&self, n: i64) {
        if self.whole.fetch_update(Relaxed, Relaxed, |sum| sum.checked_add(n)).is_err() {
            self.make_room(n);
        }
    }

    /// What was summed up elsewhere.
    pub(crate) fn add_many(&self, n: i128) {
        match i64::try_from(n) {
            Ok(n) => self.add_whole(n),
            Err(_) => *lock(&self.more) += n,
        }
    }

    #[cold]
    fn make_room(&self, n: i64) {
        let mut more = lock(&self.more);
        *more += i128::from(self.whole.swap(0, Relaxed)) + i128::from(n);
    }

    pub(crate) fn read(&self) -> Total {
        let more = lock(&self.more);
        let whole = *more + i128::from(self.whole.load(Relaxed));
        let floats = self.floats.get();
        Total { whole, floats: (floats.to_bits() != NO_FLOATS.to_bits()).then_some(floats) }
    }
}

/// All that a sum holds: exact, however large, where only whole numbers went in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Total {
    pub(crate) whole: i128,
    /// The sum of the floats, where there were any.
    pub(crate) floats: Option<f64>,
}

impl Total {
    pub(crate) fn number(self) -> Number {
        match self.floats {
            None => Number::whole(self.whole),
            Some(floats) => Number::Float((float_above(self.whole) + floats).clamp(f64::MIN, f64::MAX)),
        }
    }

    pub(crate) fn as_f64(self) -> f64 {
        self.number().as_f64()
    }

    /// The same and a number.
    pub(crate) fn plus(self, n: Number) -> Self {
        match n.as_whole() {
            Some(n) => Self { whole: self.whole + n, ..self },
            None => Self { floats: Some(self.floats.unwrap_or_default() + n.as_f64()), ..self },
        }
    }

    /// What came since it was that.
    pub(crate) fn minus(self, before: Self) -> Self {
        let floats = self.floats.map(|floats| floats - before.floats.unwrap_or_default());
        Self { whole: self.whole - before.whole, floats }
    }

    /// Another one where values came in between.
    pub(crate) fn mark(self) -> u64 {
        let high = (self.whole >> 64) as u64;
        (self.whole as u64) ^ high.rotate_left(32) ^ self.floats.unwrap_or_default().to_bits()
    }
}

/// The last value and when it was set.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Mutex<Option<(Number, Tick)>>);

impl Gauge {
    pub(crate) fn set(&self, value: Number, now: Tick) {
        *lock(&self.0) = Some((value, now));
    }

    pub(crate) fn read(&self) -> Option<(Number, Tick)> {
        *lock(&self.0)
    }
}

/// A float that many threads change.
#[derive(Debug, Default)]
pub(crate) struct Float(AtomicU64);

impl Float {
    pub(crate) const fn new(x: f64) -> Self {
        Self(AtomicU64::new(x.to_bits()))
    }

    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    /// A sum that leaves the range of floats stays at its end: an infinite one could never be subtracted from.
    pub(crate) fn add(&self, x: f64) {
        let sum = |bits| (f64::from_bits(bits) + x).clamp(f64::MIN, f64::MAX);
        let _ = self.0.fetch_update(Relaxed, Relaxed, |bits| Some(sum(bits).to_bits()));
    }

    pub(crate) fn lower_to(&self, x: f64) {
        if x < self.get() {
            let _ = self.0.fetch_update(Relaxed, Relaxed, |bits| Some(f64::from_bits(bits).min(x).to_bits()));
        }
    }

    pub(crate) fn raise_to(&self, x: f64) {
        if x > self.get() {
            let _ = self.0.fetch_update(Relaxed, Relaxed, |bits| Some(f64::from_bits(bits).max(x).to_bits()));
        }
    }
}
