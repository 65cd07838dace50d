//! The histogram of one series on one thread: thread-local aggregation, loads and stores.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::buckets::chosen;
use super::exemplar::{EXEMPLARS_APART, exemplar};
use crate::metrics::site::{Bounds, MOST_BOUNDS};
use crate::model::exponential::{FIRST_NORMAL, PER_OCTAVE, SCALE, index_of, place};
use crate::model::{Buckets, Exemplar, HistogramValue};
use crate::sync::{Mutex, lock};

/// The histogram of one series on one thread, which alone writes to it: loads and stores. It has buckets for 40
/// octaves around its first value, or for chosen bounds; what lies outside, and what is negative or subnormal, belongs
/// into the shared histogram.
#[derive(Debug)]
pub(crate) struct LocalHistogram {
    /// The [`place`] of the first bucket. Beyond [`EMPTY`] it is none, and no value is less than a window above it: there
    /// are chosen bounds whose number it is less [`CHOSEN`], no value came yet, or nobody said which buckets it has.
    base: AtomicUsize,
    /// For which it is, once it was prepared.
    collector: AtomicU64,
    buckets: [AtomicU64; WINDOW],
    zero: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    /// With the place of their buckets; the oldest one goes first.
    exemplars: Mutex<Vec<(usize, Exemplar)>>,
}

const WINDOW: usize = 40 * PER_OCTAVE;
const EMPTY: usize = 1 << 20;
const CHOSEN: usize = EMPTY + 1;
const UNSET: usize = usize::MAX / 2;
const _: () = assert!(MOST_BOUNDS < WINDOW, "there is a bucket beyond the last bound");

impl Default for LocalHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalHistogram {
    pub(crate) const fn new() -> Self {
        Self {
            base: AtomicUsize::new(UNSET),
            collector: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; WINDOW],
            zero: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(f64::INFINITY.to_bits()),
            max: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            exemplars: Mutex::new(Vec::new()),
        }
    }

    /// Prepares it for values of a series with these bounds, of that collector. Before, it takes none.
    pub(crate) fn prepare(&self, collector: u64, bounds: Option<Bounds>) {
        if self.base.load(Relaxed) == UNSET {
            self.collector.store(collector, Relaxed);
            self.base.store(bounds.map_or(EMPTY, |bounds| CHOSEN + bounds.number()), Relaxed);
        }
    }

    /// Takes a finite value; false if it has no bucket for it.
    #[inline]
    pub(crate) fn record(&self, x: f64) -> bool {
        if x > 0.0 { self.record_positive(x) } else { self.record_rare(x) }
    }

    /// The same for a value above 0.
    #[inline]
    pub(crate) fn record_positive(&self, x: f64) -> bool {
        let at = place(x).wrapping_sub(self.base.load(Relaxed));
        if at < WINDOW { self.put(&self.buckets[at], at, x) } else { self.record_rare(x) }
    }

    #[cold]
    fn record_rare(&self, x: f64) -> bool {
        let (bucket, at) = match self.base.load(Relaxed) {
            UNSET => return false,
            EMPTY if x > 0.0 && place(x) >= FIRST_NORMAL => {
                let base = place(x).saturating_sub(WINDOW / 2).max(FIRST_NORMAL);
                self.base.store(base, Relaxed);
                (&self.buckets[place(x) - base], place(x) - base)
            }
            ..=EMPTY if x == 0.0 => (&self.zero, WINDOW),
            ..=EMPTY => return false,
            base => match Bounds::numbered(base - CHOSEN) {
                Some(bounds) => (&self.buckets[bounds.place(x)], bounds.place(x)),
                None => return false,
            },
        };
        self.put(bucket, at, x)
    }

    #[inline]
    fn put(&self, bucket: &AtomicU64, at: usize, x: f64) -> bool {
        let before = bucket.load(Relaxed);
        bucket.store(before.wrapping_add(1), Relaxed);
        let sum = f64::from_bits(self.sum.load(Relaxed)) + x;
        self.sum.store(sum.to_bits(), Relaxed);
        if x < f64::from_bits(self.min.load(Relaxed)) {
            self.min.store(x.to_bits(), Relaxed);
        }
        if x > f64::from_bits(self.max.load(Relaxed)) {
            self.max.store(x.to_bits(), Relaxed);
        }
        // The last thing there is to do, so that nothing has to be kept for after it.
        !before.is_multiple_of(EXEMPLARS_APART) || self.note(at, x)
    }

    /// The count is the sum of the buckets as they were read.
    pub(crate) fn read(&self) -> HistogramValue {
        let base = self.base.load(Relaxed);
        let bounds = base.checked_sub(CHOSEN).and_then(Bounds::numbered);
        let buckets = if let Some(bounds) = bounds {
            chosen(bounds, &self.buckets)
        } else {
            // The first value may come between the two loads: then it is seen the next time.
            let filled = self.buckets.iter().map(|n| n.load(Relaxed)).enumerate();
            let filled = filled.filter(|(_, n)| *n > 0 && base < EMPTY);
            let filled = filled.map(|(at, n)| (index_of(base + at), n));
            let (zero_count, negative) = (self.zero.load(Relaxed), Vec::new());
            Buckets::Exponential { scale: SCALE, zero_count, positive: filled.collect(), negative }
        };
        let of = |cell: &AtomicU64| f64::from_bits(cell.load(Relaxed));
        let sum = of(&self.sum).clamp(f64::MIN, f64::MAX);
        let exemplars = lock(&self.exemplars).iter().map(|(_, exemplar)| *exemplar).collect();
        HistogramValue::of(buckets, sum, [of(&self.min), of(&self.max)], exemplars)
    }

    /// Keeps a value of that bucket as an exemplar, where it was measured in a span that is kept.
    #[cold]
    fn note(&self, at: usize, x: f64) -> bool {
        let Some(exemplar) = exemplar(x, self.collector.load(Relaxed)) else { return true };
        // Who reads it is done soon, and the next one will do.
        let Ok(mut exemplars) = self.exemplars.try_lock() else { return true };
        exemplars.retain(|(bucket, _)| *bucket != at);
        if exemplars.len() == HistogramValue::MAX_EXEMPLARS {
            exemplars.remove(0);
        }
        exemplars.push((at, exemplar));
        true
    }

    /// Forgets everything; nobody writes to it now.
    pub(crate) fn clear(&self) {
        let empty = Self::new();
        self.base.store(UNSET, Relaxed);
        self.buckets.iter().chain([&self.zero, &self.sum]).for_each(|cell| cell.store(0, Relaxed));
        self.min.store(empty.min.into_inner(), Relaxed);
        self.max.store(empty.max.into_inner(), Relaxed);
        lock(&self.exemplars).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::SharedHistogram;
    use super::*;

    #[test]
    fn chosen_bounds_hold_their_upper_values_on_a_thread_and_shared() {
        let bounds = Bounds::new(&[-1.0, 0.0, 2.5]).unwrap();
        let (shared, own) = (SharedHistogram::new(bounds), LocalHistogram::new());
        own.prepare(1, bounds);
        for x in [-5.0, -1.0, -0.5, 0.0, 1.0, 2.5, 2.6, 1e300] {
            shared.record(x, 0);
            assert!(own.record(x));
        }
        let read = own.read();
        let chosen = Buckets::Explicit { bounds: vec![-1.0, 0.0, 2.5], counts: vec![2; 4] };
        assert_eq!((read.count, &read.buckets), (8, &chosen));
        assert_eq!(read, shared.read());
        shared.absorb(&read);
        assert_eq!(
            (shared.read().count, shared.read().by_upper_bound().last()),
            (16, Some((f64::INFINITY, 4)))
        );
    }
}
