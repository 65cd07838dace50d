//! The numbers in cells: sums, last values, floats. Any number of threads write, snapshots read.

use crate::clock::Tick;
use crate::model::Number;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// A sum of whole numbers, exact, and beside it a sum of floats: mixed values stay one series.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Two's complement: the same bits serve sums that only grow and sums that do not.
    int: AtomicU64,
    float: Float,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&self, value: Number) {
        match value {
            Number::Int(n) => {
                self.int.fetch_add(n.cast_unsigned(), Relaxed);
            }
            Number::Float(x) => self.float.add(x),
        }
    }

    pub(crate) fn read(&self) -> Number {
        let (int, float) = (self.int.load(Relaxed).cast_signed(), self.float.get());
        if float == 0.0 { Number::Int(int) } else { Number::Float(int as f64 + float) }
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
