//! One page: the cells of one thread in one collector, and who owns it.

use std::sync::OnceLock;

use crate::metrics::cell::LocalHistogram;
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

use Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Sites with a higher number use shared cells.
pub(crate) const CELLS: usize = if cfg!(shuttle) { 8 } else { 1024 };

/// One thread's cells in one collector.
pub(crate) struct Page {
    collector: AtomicU64,
    /// Of counters. [`CLOSED`] until the first value comes.
    sums: [AtomicI64; CELLS],
    /// Which of them are sums.
    open: [AtomicBool; CELLS],
    histograms: OnceLock<Box<Histograms>>,
    owners: AtomicU8,
    /// The thread is gone: nothing is written any more.
    left: AtomicBool,
}

/// A closed cell is full: whatever makes a sum grow overflows it, and goes the long way, on which the series is made, even if
/// it comes back to 0, and the cell opened. So adding looks at one thing, whether it overflows.
const CLOSED: i64 = i64::MAX;

/// By the number of their site.
pub(super) type Histograms = [OnceLock<Box<LocalHistogram>>; CELLS];

impl Default for Page {
    fn default() -> Self {
        Self {
            collector: AtomicU64::new(0),
            sums: [const { AtomicI64::new(CLOSED) }; CELLS],
            open: [const { AtomicBool::new(false) }; CELLS],
            histograms: OnceLock::new(),
            owners: AtomicU8::new(0),
            left: AtomicBool::new(false),
        }
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("collector", &self.collector).finish_non_exhaustive()
    }
}

/// Emptied pages that nobody owns.
pub(super) fn free() -> MutexGuard<'static, Vec<&'static Page>> {
    static FREE: Mutex<Vec<&'static Page>> = Mutex::new(Vec::new());
    lock(&FREE)
}

impl Page {
    /// One that this thread and that collector own.
    pub(super) fn lease(collector: u64) -> &'static Self {
        let page = free().pop().unwrap_or_else(|| Box::leak(Box::default()));
        page.collector.store(collector, Relaxed);
        page.left.store(false, Relaxed);
        page.owners.store(2, Release);
        page
    }

    /// One of the two owners lets go. The second one empties the page for the next thread.
    pub(super) fn release(&'static self) {
        if self.owners.fetch_sub(1, AcqRel) == 1 {
            self.collector.store(0, Relaxed);
            self.open.iter().for_each(|open| open.store(false, Relaxed));
            self.sums.iter().for_each(|cell| cell.store(CLOSED, Relaxed));
            self.histograms().for_each(|(_, histogram)| histogram.clear());
            free().push(self);
        }
    }

    /// Its thread lets go, and writes nothing any more.
    pub(super) fn leave(&'static self) {
        self.left.store(true, Release);
        self.release();
    }

    /// Whether its thread has left it: then all that it ever wrote is seen.
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Acquire)
    }

    /// Whether its thread is the only owner left, because the collector is gone.
    pub(super) fn has_one_owner(&self) -> bool {
        self.owners.load(Acquire) == 1
    }

    /// Whether it is that collector's.
    pub(super) fn is_of(&self, collector: u64) -> bool {
        self.collector.load(Relaxed) == collector
    }

    /// Adds to a sum. False if it is closed, or would not fit: then the shared cell is to be used. Only its thread does.
    #[inline]
    pub(super) fn add(&self, number: usize, n: i64) -> bool {
        let cell = &self.sums[number];
        let before = cell.load(Relaxed);
        // What does not make it grow does not overflow it.
        if n <= 0 && before == CLOSED && !self.open[number].load(Relaxed) {
            return false;
        }
        let sum = before.checked_add(n);
        sum.into_iter().for_each(|sum| cell.store(sum, Relaxed));
        sum.is_some()
    }

    /// From now on it takes values of that sum. Only its thread does.
    pub(super) fn open(&self, number: usize) {
        if !self.open[number].load(Relaxed) {
            self.sums[number].store(0, Relaxed);
            self.open[number].store(true, Release);
        }
    }

    /// Its histograms, once there is one.
    pub(super) fn all_histograms(&self) -> Option<&Histograms> {
        self.histograms.get().map(|all| &**all)
    }

    /// The histogram of the site with that number, made where it is missing.
    pub(super) fn histogram(&self, number: usize) -> &LocalHistogram {
        let all = self.histograms.get_or_init(|| Box::new([const { OnceLock::new() }; CELLS]));
        all[number].get_or_init(Box::default)
    }

    /// The bytes that [`Self::histogram`] will ask for.
    pub(super) fn missing_bytes(&self, number: usize) -> usize {
        match self.all_histograms() {
            None => size_of::<Histograms>() + size_of::<LocalHistogram>(),
            Some(all) if all[number].get().is_none() => size_of::<LocalHistogram>(),
            Some(_) => 0,
        }
    }

    /// The sums that are not 0, by the number of their site.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (usize, i64)> {
        let open = self.open.iter().zip(&self.sums).enumerate().filter(|(_, (open, _))| open.load(Acquire));
        open.map(|(number, (_, sum))| (number, sum.load(Relaxed))).filter(|(_, sum)| *sum != 0)
    }

    /// The histograms, by the number of their site.
    pub(crate) fn histograms(&self) -> impl Iterator<Item = (usize, &LocalHistogram)> {
        let all = self.histograms.get().into_iter().flat_map(|all| all.iter());
        all.enumerate().filter_map(|(number, histogram)| Some((number, &**histogram.get()?)))
    }
}
