//! The memory that the open spans of one layer take: their slots, and what does not fit into these.

use std::sync::{Mutex, PoisonError};

use telemetry_core::__private::Suppression;
use telemetry_core::__private::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that are in use, and how many may be. Slots know it, so it is never given back: a layer that is gone leaves it to the
/// next one.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: AtomicUsize,
    max: AtomicUsize,
}

impl Budget {
    /// One of which nothing is in use.
    pub(super) fn lease(max: usize) -> &'static Self {
        let again = with_free(Vec::pop);
        let budget = again.unwrap_or_else(|| Box::leak(Box::default()));
        budget.max.store(max, Relaxed);
        budget
    }

    /// Nobody has a slot of it any more.
    pub(super) fn release(&'static self) {
        self.used.store(0, Relaxed);
        with_free(|all| all.push(self));
    }

    /// Takes so many bytes for slots, if there are so many.
    pub(super) fn take_for_slots(&self, bytes: usize) -> bool {
        self.take(bytes, self.max.load(Relaxed))
    }

    /// The same for what does not fit into them: a quarter is left for slots, so that there are spans to be parents of others.
    pub(super) fn take_for_extras(&self, bytes: usize) -> bool {
        let max = self.max.load(Relaxed);
        self.take(bytes, max - max / 4)
    }

    fn take(&self, bytes: usize, max: usize) -> bool {
        let takes = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        self.used.fetch_update(Relaxed, Relaxed, takes).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// Bytes for what does not fit into a slot, in use until this goes.
#[derive(Debug, Default)]
pub(super) struct Booked(Option<&'static Budget>, usize);

impl Booked {
    /// So many are in use now. False where there are not so many.
    pub(super) fn change(&mut self, budget: &'static Budget, bytes: usize) -> bool {
        if bytes > self.1 && !budget.take_for_extras(bytes - self.1) {
            return false;
        }
        budget.give_back(self.1.saturating_sub(bytes));
        (self.0, self.1) = (Some(budget), bytes);
        true
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        self.0.into_iter().for_each(|budget| budget.give_back(self.1));
    }
}

/// Runs `f` with those that no layer has.
fn with_free<R>(f: impl FnOnce(&mut Vec<&'static Budget>) -> R) -> R {
    static FREE: Mutex<Vec<&'static Budget>> = Mutex::new(Vec::new());
    let _away = Suppression::begin();
    f(&mut FREE.lock().unwrap_or_else(PoisonError::into_inner))
}
