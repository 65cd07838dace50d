//! The pages that one thread has leased, one for each collector that it feeds, and its cells of series with dynamic tags.

use std::cell::RefCell;

use super::cells::Page;
use super::current::{CurrentPage, LeaseId, forget_current};
use super::tagged::TaggedCells;
use crate::metrics::cell::LocalCell;
use crate::metrics::site::Site;
use crate::sync::thread_local;

thread_local! {
    pub(super) static LEASES: Leases = const { Leases(RefCell::new(Vec::new())) };
}

/// What this thread has leased.
pub(super) struct Leases(RefCell<Vec<Lease>>);

pub(super) struct Lease {
    pub(super) id: LeaseId,
    pub(super) page: &'static Page,
    pub(super) tagged: TaggedCells,
    /// How many times cells had been retired when `tagged` was last swept.
    pub(super) swept: usize,
}

impl Leases {
    /// The lease of a page in that collector; where it is missing, what `lease` gives is kept, if anything. None also
    /// where an allocator asks while this is being changed.
    pub(super) fn get_or_lease(
        &self,
        collector: u64,
        lease: impl FnOnce() -> Option<Lease>,
    ) -> Option<(LeaseId, &'static Page)> {
        let mut leases = self.0.try_borrow_mut().ok()?;
        let known = leases.iter().find(|lease| lease.page.is_of(collector));
        if let Some(lease) = known {
            return Some((lease.id, lease.page));
        }
        // Collectors that are gone have released their pages: this thread is the last owner.
        leases.retain(|lease| {
            let alone = lease.page.has_one_owner();
            if alone {
                lease.page.release();
            }
            !alone
        });
        let lease = lease()?;
        let (id, page) = (lease.id, lease.page);
        leases.push(lease);
        Some((id, page))
    }

    /// Hands the lease of that page to `change`.
    pub(super) fn with<R>(&self, page: &Page, change: impl FnOnce(&mut Lease) -> Option<R>) -> Option<R> {
        let mut leases = self.0.try_borrow_mut().ok()?;
        change(leases.iter_mut().find(|lease| std::ptr::eq(lease.page, page))?)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        forget_current();
        for Lease { page, tagged, .. } in self.0.take() {
            drop(tagged);
            page.leave();
        }
    }
}

/// Hands this thread's own cell of a site with these tags to `f`. False if there is none, or `f` says so.
#[inline]
pub(crate) fn with_tagged(
    bound: Option<u64>,
    site: &Site,
    tags: &[(&str, &str)],
    f: impl FnOnce(&LocalCell) -> bool,
) -> bool {
    let Some(page) = CurrentPage::of(bound).page else { return false };
    let found = LEASES.try_with(|leases| {
        // Borrowed already only where an allocator records: that value goes to the shared cell.
        let leases = leases.0.try_borrow().ok()?;
        let lease = leases.iter().find(|lease| std::ptr::eq(lease.page, page))?;
        lease.tagged.find(site.known_number(), tags).map(f)
    });
    found.ok().flatten().unwrap_or(false)
}
