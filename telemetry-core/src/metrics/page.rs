//! Pages: where one thread keeps its own counts of one collector, so that counting is a load and a store.
//!
//! A thread leases a page for each collector it feeds and alone writes to it; readers sum all pages of their
//! collector. Cells are found by the number of their site. What a page has no cell for, and whatever comes when
//! pages may take no more memory, goes to the shared cell of the series instead.
//!
//! A page has two owners, its thread and its collector. When the thread is gone, the collector folds the page
//! into the shared cells; when both are, the page is emptied and serves another thread. Its memory is never
//! given back: there are as many pages as there were pairs of thread and collector at one time.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock, PoisonError};

use super::histogram::OwnHistogram;
use super::own::{Need, OwnCell};
use super::site::Site;
use super::tagged::Tagged;
use crate::clock::{Clock, Tick, machine};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, thread_local};

use Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Sites with a higher number use shared cells.
pub(crate) const CELLS: usize = if cfg!(shuttle) { 8 } else { 1024 };

/// One thread's cells in one collector.
pub(crate) struct Page {
    collector: AtomicU64,
    /// Of counters: a sum in two's complement.
    sums: [AtomicU64; CELLS],
    histograms: OnceLock<Box<Histograms>>,
    owners: AtomicU8,
    /// The thread is gone: nothing is written any more.
    left: AtomicBool,
}

/// By the number of their site.
type Histograms = [OnceLock<Box<OwnHistogram>>; CELLS];

/// The page of a thread in its current collector, and what is needed of it at once.
#[derive(Clone, Copy)]
struct Hot {
    page: Option<&'static Page>,
    histograms: Option<&'static Histograms>,
    collector: u64,
    /// Where times are taken by the machine's counter.
    timed: Option<LeaseId>,
    /// Seconds from one number of the counter to the next.
    counter_seconds: f64,
}

/// Which lease of a page it is: the number of the collector, and behind it that of the lease, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LeaseId(NonZeroU64);

impl LeaseId {
    const COLLECTOR: u32 = 32;

    /// None of them all.
    fn by_clock(collector: u64) -> Option<Self> {
        NonZeroU64::new(collector << Self::COLLECTOR).map(Self)
    }

    fn is_by_clock(self) -> bool {
        self.0.get() << Self::COLLECTOR == 0
    }

    fn collector(self) -> u64 {
        self.0.get() >> Self::COLLECTOR
    }
}

thread_local! {
    /// Whoever changes the current collector clears it.
    static HOT: Cell<Hot> = const { Cell::new(Hot::NONE) };
    static MINE: Mine = const { Mine(RefCell::new(Vec::new())) };
}

/// Whether there ever was a collector.
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether there may be a collector to record for.
#[inline]
pub(crate) fn is_any() -> bool {
    ANY.load(Relaxed)
}

/// What this thread has leased.
struct Mine(RefCell<Vec<Lease>>);

struct Lease {
    id: LeaseId,
    page: &'static Page,
    tagged: Tagged,
    /// How many times cells had been retired when `tagged` was last swept.
    swept: usize,
}

impl Drop for Mine {
    fn drop(&mut self) {
        forget_current();
        for Lease { page, tagged, .. } in self.0.take() {
            drop(tagged);
            page.left.store(true, Release);
            page.release();
        }
    }
}

/// Adds to this thread's own cell. False if there is none: then the shared one is to be used.
#[inline]
pub(crate) fn add(bound: Option<u64>, site: &Site, n: u64) -> bool {
    let (Some(page), Some(number)) = (hot(bound).page, own(site)) else { return false };
    let cell = &page.sums[number];
    cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
    true
}

/// Takes a finite value into this thread's own histogram. False if there is none, or it has no bucket for it.
#[inline]
pub(crate) fn record(bound: Option<u64>, site: &Site, x: f64) -> bool {
    hot(bound).histogram(site).record(x)
}

/// Hands this thread's own cell of a site with these tags to `f`. False if there is none, or `f` says so.
#[inline]
pub(crate) fn with_tagged(
    bound: Option<u64>,
    site: &Site,
    tags: &[(&str, &str)],
    f: impl FnOnce(&OwnCell) -> bool,
) -> bool {
    let Some(page) = hot(bound).page else { return false };
    let found = MINE.try_with(|mine| {
        // Borrowed already only where an allocator records: that value goes to the shared cell.
        let mine = mine.0.try_borrow().ok()?;
        let lease = mine.iter().find(|lease| std::ptr::eq(lease.page, page))?;
        lease.tagged.find(site.known_number(), tags).map(f)
    });
    found.ok().flatten().unwrap_or(false)
}

/// Since when something runs, and for whom. Two words, which stay in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    lease: LeaseId,
    /// A reading of the machine's counter, or of the collector's clock where its lease is [`LeaseId::by_clock`].
    at: u64,
}

impl Started {
    pub(crate) const FOR_NOBODY: Self = Self { lease: LeaseId(NonZeroU64::MIN), at: 0 };

    /// Now, if the current collector of this thread measures by the machine's counter.
    #[inline]
    pub(crate) fn now() -> Option<Self> {
        let lease = HOT.with(Cell::get).timed?;
        Some(Self { lease, at: machine::read_counter() })
    }

    /// At that tick of the clock of the collector with that number.
    pub(crate) fn by_clock(collector: u64, tick: Tick) -> Option<Self> {
        Some(Self { lease: LeaseId::by_clock(collector)?, at: tick.raw() })
    }

    #[inline]
    pub(crate) fn is_for_nobody(self) -> bool {
        self.lease == Self::FOR_NOBODY.lease
    }

    /// The number of the collector that it is for.
    pub(crate) fn collector(self) -> u64 {
        self.lease.collector()
    }

    /// The reading of the machine's counter with which it began.
    #[inline]
    pub(crate) fn counter(self) -> Option<u64> {
        (!self.is_for_nobody() && !self.lease.is_by_clock()).then_some(self.at)
    }

    /// Takes the time from then to that reading of the machine's counter into that histogram of this thread. False if
    /// it began elsewhere, or the histogram has no bucket.
    #[inline]
    pub(crate) fn record(self, histogram: &OwnHistogram, end: u64) -> bool {
        let (hot, ticks) = (HOT.with(Cell::get), ticks(self.at, end));
        hot.timed == Some(self.lease)
            && ticks > 0
            && histogram.record_positive(ticks as f64 * hot.counter_seconds)
    }

    /// The seconds from then to that reading, or by that clock.
    pub(crate) fn seconds(self, end: u64, clock: &Clock) -> f64 {
        if self.lease.is_by_clock() {
            clock.now().since(Tick::from_raw(self.at)) as f64 / 1e9
        } else {
            // Counters of two cores may be a little apart: nothing took less than no time.
            ticks(self.at, end).max(0) as f64 * machine::counter_seconds().unwrap_or_default()
        }
    }
}

#[inline]
fn ticks(start: u64, end: u64) -> i64 {
    end.wrapping_sub(start).cast_signed()
}

/// This thread's own histogram of that site; where there is none, one that takes nothing.
#[inline]
pub(crate) fn histogram(site: &Site) -> &'static OwnHistogram {
    HOT.with(Cell::get).histogram(site)
}

/// The page of this thread in the collector that a handle is bound to, or in the current one.
#[inline]
fn hot(bound: Option<u64>) -> Hot {
    let hot = HOT.with(Cell::get);
    if bound.is_none_or(|collector| hot.collector == collector) { hot } else { Hot::NONE }
}

impl Hot {
    const NONE: Self = Self { page: None, histograms: None, collector: 0, timed: None, counter_seconds: 0.0 };

    /// The histogram of that site; where there is none, one that takes nothing.
    #[inline]
    fn histogram(&self, site: &Site) -> &'static OwnHistogram {
        static NOBODYS: OwnHistogram = OwnHistogram::new();
        let own = || self.histograms?[own(site)?].get();
        own().map_or(&NOBODYS, |histogram| histogram)
    }
}

/// The number of a site that has cells of its own.
#[inline]
fn own(site: &Site) -> Option<usize> {
    let number = site.known_number();
    (number.wrapping_sub(1) < CELLS - 1).then_some(number)
}

/// The current collector of this thread has changed.
pub(crate) fn forget_current() {
    let _ = HOT.try_with(|hot| hot.set(Hot::NONE));
}

/// All pages of one collector.
#[derive(Debug)]
pub(crate) struct Pages {
    collector: u64,
    machine_clock: bool,
    leased: Mutex<Vec<&'static Page>>,
    bytes: AtomicUsize,
    max_bytes: usize,
    retired: AtomicUsize,
    /// The last one's.
    lease_id: AtomicU64,
}

impl Pages {
    pub(crate) fn new(collector: u64, machine_clock: bool, max_bytes: usize) -> Self {
        ANY.store(true, Relaxed);
        Self {
            collector,
            machine_clock,
            leased: Mutex::default(),
            bytes: AtomicUsize::new(0),
            max_bytes,
            retired: AtomicUsize::new(0),
            lease_id: AtomicU64::new(collector << LeaseId::COLLECTOR),
        }
    }

    pub(crate) fn collector(&self) -> u64 {
        self.collector
    }

    /// Makes the page of this thread in this collector, which is its current one, the hot one; leases it, and
    /// the histogram of that site, where they are missing. Whatever can't be had stays missing.
    #[cold]
    pub(crate) fn attach(&self, site: &Site, need: Need) {
        let lease = MINE.try_with(|mine| {
            let mut mine = mine.0.try_borrow_mut().ok()?;
            let known = mine.iter().find(|lease| lease.page.collector.load(Relaxed) == self.collector);
            if let Some(lease) = known {
                return Some((lease.id, lease.page));
            }
            // Collectors that are gone have released their pages: this thread is the last owner.
            mine.retain(|lease| {
                let alone = lease.page.owners.load(Acquire) == 1;
                if alone {
                    lease.page.release();
                }
                !alone
            });
            let page = self.lease()?;
            let id = LeaseId(NonZeroU64::MIN.saturating_add(self.lease_id.fetch_add(1, Relaxed)));
            mine.push(Lease { id, page, tagged: Tagged::default(), swept: self.retired.load(Relaxed) });
            Some((id, page))
        });
        let Ok(Some((id, page))) = lease else { return };
        if let (Need::Histogram(bounds), Some(number)) = (need, own(site)) {
            let dir = page.histograms.get();
            let missing = dir.is_none_or(|all| all[number].get().is_none());
            let size = size_of::<OwnHistogram>()
                + if dir.is_none() { CELLS * size_of::<OnceLock<Box<()>>>() } else { 0 };
            if !missing || self.take(size) {
                let all = page.histograms.get_or_init(|| Box::new([const { OnceLock::new() }; CELLS]));
                all[number].get_or_init(Box::default).choose(self.collector, bounds);
            }
        }
        let counter_seconds = machine::counter_seconds().filter(|_| self.machine_clock);
        let hot = Hot {
            page: Some(page),
            histograms: page.histograms.get().map(|all| &**all),
            collector: self.collector,
            timed: counter_seconds.map(|_| id),
            counter_seconds: counter_seconds.unwrap_or_default(),
        };
        let _ = HOT.try_with(|current| current.set(hot));
    }

    /// A cell of this thread's own for a site with these tags, which the series is given to read; none without
    /// a page in this collector, or without memory.
    pub(crate) fn keep_tagged(&self, site: &Site, tags: &[(&str, &str)], need: Need) -> Option<Arc<OwnCell>> {
        let (number, page) = (site.number()?, hot(Some(self.collector)).page?);
        let kept = MINE.try_with(|mine| {
            let mut mine = mine.0.try_borrow_mut().ok()?;
            let lease = mine.iter_mut().find(|lease| std::ptr::eq(lease.page, page))?;
            let (tagged, retired) = (&mut lease.tagged, self.retired.load(Acquire));
            if std::mem::replace(&mut lease.swept, retired) != retired {
                tagged.sweep();
            }
            let bytes = super::tagged::size(need, tags);
            // One that is there had no bucket for a value, or is of other tags: it stays.
            if tagged.is_taken(number, tags) || !self.take(bytes) {
                return None;
            }
            let cell = Arc::new(OwnCell::new(self.collector, need, bytes));
            tagged.keep(number, tags, Arc::clone(&cell));
            Some(cell)
        });
        kept.ok().flatten()
    }

    /// Some cells of threads have been retired.
    pub(crate) fn retire(&self) {
        self.retired.fetch_add(1, Release);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// Shows every page to `read`, and says whether it is the last time, because its thread is gone. All that
    /// such a thread ever wrote is seen. One caller at a time.
    pub(crate) fn each(&self, mut read: impl FnMut(&Page, bool)) {
        // Read without the lock: a thread that counts for the first time waits for it.
        let pages = self.leased().clone();
        let mut gone = HashSet::new();
        for page in pages {
            let left = page.left.load(Acquire);
            read(page, left);
            if left {
                gone.insert(std::ptr::from_ref(page));
            }
        }
        if gone.is_empty() {
            return;
        }
        self.leased().retain(|page| {
            let is_gone = gone.contains(&std::ptr::from_ref(*page));
            if is_gone {
                self.give_back(size_of::<Page>());
                page.release();
            }
            !is_gone
        });
    }

    /// Whether there are pages that [`Self::each`] would show for the last time.
    pub(crate) fn any_left(&self) -> bool {
        self.leased().iter().any(|page| page.left.load(Relaxed))
    }

    fn lease(&self) -> Option<&'static Page> {
        if !self.take(size_of::<Page>()) {
            return None;
        }
        let page = free().pop().unwrap_or_else(|| Box::leak(Box::default()));
        page.collector.store(self.collector, Relaxed);
        page.left.store(false, Relaxed);
        page.owners.store(2, Release);
        self.leased().push(page);
        Some(page)
    }

    fn take(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Relaxed) + bytes <= self.max_bytes || {
            self.give_back(bytes);
            false
        }
    }

    fn leased(&self) -> MutexGuard<'_, Vec<&'static Page>> {
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.leased().drain(..).for_each(Page::release);
    }
}

/// Emptied pages that nobody owns.
fn free() -> MutexGuard<'static, Vec<&'static Page>> {
    static FREE: Mutex<Vec<&'static Page>> = Mutex::new(Vec::new());
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Page {
    fn default() -> Self {
        Self {
            collector: AtomicU64::new(0),
            sums: [const { AtomicU64::new(0) }; CELLS],
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

impl Page {
    /// The sums that are not 0, by the number of their site.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (usize, u64)> {
        self.sums.iter().map(|cell| cell.load(Relaxed)).enumerate().filter(|(_, sum)| *sum != 0)
    }

    /// The histograms, by the number of their site.
    pub(crate) fn histograms(&self) -> impl Iterator<Item = (usize, &OwnHistogram)> {
        let all = self.histograms.get().into_iter().flat_map(|all| all.iter());
        all.enumerate().filter_map(|(number, histogram)| Some((number, &**histogram.get()?)))
    }

    /// One of the two owners lets go. The second one empties the page for the next thread.
    fn release(&'static self) {
        if self.owners.fetch_sub(1, AcqRel) == 1 {
            self.collector.store(0, Relaxed);
            self.sums.iter().for_each(|cell| cell.store(0, Relaxed));
            self.histograms().for_each(|(_, histogram)| histogram.clear());
            free().push(self);
        }
    }
}
