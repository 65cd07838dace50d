//! The memory that the metrics of one collector take: who wants some asks before, and what has grown is weighed after.
//!
//! Series come before speed: the cells that threads have of their own leave them a quarter.

use std::sync::Arc;

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that are in use, and how many may be.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    max: usize,
}

/// For what it is wanted, which says how much has to be left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For {
    /// What can be done without.
    Cell,
    Series,
    /// Stands for many, which find no room.
    Overflow,
    /// Stands for all that find none elsewhere.
    Rest,
}

/// For series there is that much at least.
const LEAST: usize = 1 << 20;

impl Memory {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// How many bytes may be in use.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Takes so many bytes, if there are so many.
    pub(crate) fn take(&self, bytes: usize, what: For) -> bool {
        let series = self.max.max(LEAST);
        let max = match what {
            For::Cell => self.max - self.max / 4,
            For::Series => series - series / 16,
            For::Overflow => series,
            For::Rest => usize::MAX,
        };
        let takes = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        self.used.fetch_update(Relaxed, Relaxed, takes).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// The same for what gives them back when it goes.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize, what: For) -> Option<Held> {
        self.take(bytes, what).then(|| Held { memory: Arc::clone(self), bytes: AtomicUsize::new(bytes) })
    }
}

/// Bytes that are in use until this goes.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<Memory>,
    bytes: AtomicUsize,
}

impl Held {
    /// It takes so many now.
    pub(crate) fn weigh(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Relaxed);
        if bytes > before {
            self.memory.take(bytes - before, For::Rest);
        } else if bytes < before {
            self.memory.give_back(before - bytes);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes.load(Relaxed));
    }
}
