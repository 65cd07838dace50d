//! Pages: where one thread keeps its own counts of one collector (thread-local aggregation), so that counting is a load
//! and a store.
//!
//! A thread leases a page for each collector it feeds and alone writes to it; readers sum all pages of their
//! collector. Cells are found by the number of their site. What a page has no cell for, and whatever comes when
//! pages may take no more memory, goes to the shared cell of the series instead.
//!
//! A page has two owners, its thread and its collector. When the thread is gone, the collector folds the page
//! into the shared cells; when both are, the page is emptied and serves another thread. Its memory is never
//! given back: there are as many pages as there were pairs of thread and collector at one time.

mod cells;
mod current;
mod leases;
mod stopwatch;
mod tagged;

pub(crate) use cells::Page;
pub(crate) use current::{add, forget_current, histogram, is_any, record};
pub(crate) use leases::with_tagged;
pub(crate) use stopwatch::Stopwatch;

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use current::{CurrentPage, LeaseId, cell_of, expect_collectors};
use leases::{LEASES, Lease};
use tagged::{TaggedCells, size};

use super::cell::{LocalCell, LocalKind};
use super::memory::{For, Memory};
use super::site::Site;
use crate::clock::machine;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{AsItIs, ForkLock, Mutex, lock};

use Ordering::{Acquire, Relaxed, Release};

pub(crate) fn hold() -> Box<dyn ForkLock> {
    Box::new(AsItIs(cells::free()))
}

/// All pages of one collector.
#[derive(Debug)]
pub(crate) struct Pages {
    collector: u64,
    machine_clock: bool,
    leased: Mutex<Vec<&'static Page>>,
    memory: Arc<Memory>,
    retired: AtomicUsize,
    /// The last one's.
    lease_id: AtomicU64,
}

impl Pages {
    pub(crate) fn new(collector: u64, machine_clock: bool, memory: Arc<Memory>) -> Self {
        expect_collectors();
        Self {
            collector,
            machine_clock,
            leased: Mutex::default(),
            memory,
            retired: AtomicUsize::new(0),
            lease_id: AtomicU64::new(collector << LeaseId::COLLECTOR),
        }
    }

    pub(crate) fn collector(&self) -> u64 {
        self.collector
    }

    /// Makes the page of this thread in this collector, which is its current one, the page that it records in; leases it,
    /// and the histogram of that site, where they are missing, or opens its sum, if it has a cell of that kind. Whatever
    /// can't be had stays missing.
    #[cold]
    pub(crate) fn attach(&self, site: &Site, kind: Option<LocalKind>) {
        let lease = LEASES.try_with(|leases| leases.get_or_lease(self.collector, || self.lease()));
        let Ok(Some((id, page))) = lease else { return };
        match (kind, cell_of(site)) {
            (Some(LocalKind::Sum), Some(number)) => page.open(number),
            (Some(LocalKind::Histogram(bounds)), Some(number)) => {
                let bytes = page.missing_bytes(number);
                if bytes == 0 || self.memory.take(bytes, For::Cell) {
                    page.histogram(number).prepare(self.collector, bounds);
                }
            }
            _ => {}
        }
        let counter_seconds = machine::counter_seconds().filter(|_| self.machine_clock);
        let current = CurrentPage {
            page: Some(page),
            histograms: page.all_histograms(),
            collector: self.collector,
            timed: counter_seconds.map(|_| id),
            counter_seconds: counter_seconds.unwrap_or_default(),
        };
        current.set();
    }

    /// A cell of this thread's own for a site with these tags, which the series is given to read; none without
    /// a page in this collector, or without memory.
    pub(crate) fn keep_tagged(
        &self,
        site: &Site,
        tags: &[(&str, &str)],
        kind: LocalKind,
    ) -> Option<Arc<LocalCell>> {
        let (number, page) = (site.number()?, CurrentPage::of(Some(self.collector)).page?);
        let keep = |lease: &mut Lease| {
            let (tagged, retired) = (&mut lease.tagged, self.retired.load(Acquire));
            if std::mem::replace(&mut lease.swept, retired) != retired {
                tagged.sweep();
            }
            let bytes = size(kind, tags);
            // One that is there had no bucket for a value, or is of other tags: it stays.
            if tagged.is_taken(number, tags) || !self.memory.take(bytes, For::Cell) {
                return None;
            }
            let cell = Arc::new(LocalCell::new(self.collector, kind, bytes));
            tagged.keep(number, tags, Arc::clone(&cell));
            Some(cell)
        };
        LEASES.try_with(|leases| leases.with(page, keep)).ok().flatten()
    }

    /// Some cells of threads have been retired.
    pub(crate) fn retire(&self) {
        self.retired.fetch_add(1, Release);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.memory.give_back(bytes);
    }

    /// Shows every page to `read`, and says whether it is the last time, because its thread is gone. All that
    /// such a thread ever wrote is seen. One caller at a time.
    pub(crate) fn each(&self, mut read: impl FnMut(&Page, bool)) {
        // Read without the lock: a thread that counts for the first time waits for it.
        let pages = lock(&self.leased).clone();
        let mut gone = HashSet::new();
        for page in pages {
            let is_left = page.is_left();
            read(page, is_left);
            if is_left {
                gone.insert(std::ptr::from_ref(page));
            }
        }
        if gone.is_empty() {
            return;
        }
        lock(&self.leased).retain(|page| {
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
        lock(&self.leased).iter().any(|page| page.is_left())
    }

    fn lease(&self) -> Option<Lease> {
        if !self.memory.take(size_of::<Page>(), For::Cell) {
            return None;
        }
        let page = Page::lease(self.collector);
        lock(&self.leased).push(page);
        let id = LeaseId(NonZeroU64::MIN.saturating_add(self.lease_id.fetch_add(1, Relaxed)));
        Some(Lease { id, page, tagged: TaggedCells::default(), swept: self.retired.load(Relaxed) })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        lock(&self.leased).drain(..).for_each(Page::release);
    }
}
