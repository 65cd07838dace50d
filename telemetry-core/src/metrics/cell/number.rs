//! The numbers in cells: sums, last values, floats. Any number of threads write, snapshots read.

use crate::clock::Tick;
use crate::model::{Number, float_above};
use crate::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::sync::{Mutex, lock};

/// A sum of whole numbers, exact, and beside it a sum of floats: mixed values stay one series.
#[derive(Debug)]
// What readings look at comes first, and together.
#[repr(C)]
pub(crate) struct Sum {
    /// What there was no room for below stands in `more`.
    whole: AtomicI64,
    /// [`NO_FLOATS`] as long as none came.
    floats: Float,
    has_more: AtomicBool,
    /// Whoever moves `whole` on holds it, and whoever reads, once there was something.
    more: Mutex<Wide>,
}

/// The only sum that nothing can lead back to, and the only one to which whatever is added is the sum.
const NO_FLOATS: f64 = -0.0;

/// The two halves of a number, which takes less room than one that is aligned to its size.
#[derive(Debug, Default)]
struct Wide([u64; 2]);

impl Wide {
    fn get(&self) -> i128 {
        (i128::from(self.0[0] as i64) << 64) | i128::from(self.0[1])
    }

    fn add(&mut self, n: i128) {
        let sum = self.get() + n;
        self.0 = [(sum >> 64) as u64, sum as u64];
    }
}

impl Default for Sum {
    fn default() -> Self {
        let (more, has_more) = Default::default();
        Self { whole: AtomicI64::new(0), more, has_more, floats: Float::new(NO_FLOATS) }
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
        if let Ok(n) = i64::try_from(n) {
            return self.add_whole(n);
        }
        let mut more = lock(&self.more);
        self.has_more.store(true, Relaxed);
        more.add(n);
    }

    #[cold]
    fn make_room(&self, n: i64) {
        let mut more = lock(&self.more);
        self.has_more.store(true, Relaxed);
        // Release: whoever reads what is left knows that there is more.
        more.add(i128::from(self.whole.swap(0, Release)) + i128::from(n));
    }

    /// All of it, where it is only whole numbers and not many.
    #[inline]
    pub(crate) fn small(&self) -> Option<i64> {
        // Acquire: pairs with the Release of whoever has made room.
        let whole = self.whole.load(Acquire);
        let is_small = !self.has_more.load(Relaxed) && self.floats.get().to_bits() == NO_FLOATS.to_bits();
        is_small.then_some(whole)
    }

    pub(crate) fn read(&self) -> Total {
        // Acquire: pairs with the Release of whoever has made room.
        let mut whole = i128::from(self.whole.load(Acquire));
        if self.has_more.load(Relaxed) {
            let more = lock(&self.more);
            whole = more.get() + i128::from(self.whole.load(Relaxed));
        }
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
