//! The page of this thread in its current collector, and all that recording needs of it at once, in thread-local memory.

use std::cell::Cell;
use std::num::NonZeroU64;

use super::cells::{CELLS, Histograms, Page};
use crate::metrics::cell::LocalHistogram;
use crate::metrics::site::Site;
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed};
use crate::sync::thread_local;

/// The page of a thread in its current collector, and what is needed of it at once.
#[derive(Clone, Copy)]
pub(super) struct CurrentPage {
    pub(super) page: Option<&'static Page>,
    pub(super) histograms: Option<&'static Histograms>,
    pub(super) collector: u64,
    /// Where times are taken by the machine's counter.
    pub(super) timed: Option<LeaseId>,
    /// Seconds from one number of the counter to the next.
    pub(super) counter_seconds: f64,
}

/// Which lease of a page it is: the number of the collector, and behind it that of the lease, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeaseId(pub(super) NonZeroU64);

impl LeaseId {
    pub(super) const COLLECTOR: u32 = 32;

    /// None of them all.
    pub(super) fn by_clock(collector: u64) -> Option<Self> {
        NonZeroU64::new(collector << Self::COLLECTOR).map(Self)
    }

    /// None of them all, but by the machine's counter: the last number there can be.
    pub(super) fn without_page(collector: u64) -> Option<Self> {
        NonZeroU64::new(((collector + 1) << Self::COLLECTOR) - 1).map(Self)
    }

    pub(super) fn is_by_clock(self) -> bool {
        self.0.get() << Self::COLLECTOR == 0
    }

    pub(super) fn collector(self) -> u64 {
        self.0.get() >> Self::COLLECTOR
    }
}

thread_local! {
    /// Whoever changes the current collector clears it.
    static CURRENT: Cell<CurrentPage> = const { Cell::new(CurrentPage::NONE) };
}

/// Whether there ever was a collector.
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether there may be a collector to record for.
#[inline]
pub(crate) fn is_any() -> bool {
    ANY.load(Relaxed)
}

/// There is one from now on.
pub(super) fn expect_collectors() {
    ANY.store(true, Relaxed);
}

/// Adds to this thread's own cell. False if there is none, or it would not fit: then the shared one is to be used.
#[inline]
pub(crate) fn add(bound: Option<u64>, site: &Site, n: i64) -> bool {
    let (Some(page), Some(number)) = (CurrentPage::of(bound).page, cell_of(site)) else { return false };
    page.add(number, n)
}

/// Takes a finite value into this thread's own histogram. False if there is none, or it has no bucket for it.
#[inline]
pub(crate) fn record(bound: Option<u64>, site: &Site, x: f64) -> bool {
    CurrentPage::of(bound).histogram(site).record(x)
}

/// This thread's own histogram of that site; where there is none, one that takes nothing.
#[inline]
pub(crate) fn histogram(site: &Site) -> &'static LocalHistogram {
    CurrentPage::get().histogram(site)
}

/// The current collector of this thread has changed.
pub(crate) fn forget_current() {
    CurrentPage::NONE.set();
}

impl CurrentPage {
    const NONE: Self = Self { page: None, histograms: None, collector: 0, timed: None, counter_seconds: 0.0 };

    /// That of this thread.
    #[inline]
    pub(super) fn get() -> Self {
        CURRENT.with(Cell::get)
    }

    /// That of this thread in the collector that a handle is bound to, or in the current one.
    #[inline]
    pub(super) fn of(bound: Option<u64>) -> Self {
        let current = Self::get();
        if bound.is_none_or(|collector| current.collector == collector) { current } else { Self::NONE }
    }

    /// Makes it that of this thread.
    pub(super) fn set(self) {
        let _ = CURRENT.try_with(|current| current.set(self));
    }

    /// The histogram of that site; where there is none, one that takes nothing.
    #[inline]
    fn histogram(&self, site: &Site) -> &'static LocalHistogram {
        static NOBODYS: LocalHistogram = LocalHistogram::new();
        let own = || self.histograms?[cell_of(site)?].get();
        own().map_or(&NOBODYS, |histogram| histogram)
    }
}

/// The number of a site that has cells of its own.
#[inline]
pub(super) fn cell_of(site: &Site) -> Option<usize> {
    let number = site.known_number();
    (number.wrapping_sub(1) < CELLS - 1).then_some(number)
}
