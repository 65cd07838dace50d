//! An allocator that counts the bytes that are in use, for tests that are alone in their program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, which counts: a program makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counted;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    /// Bytes that are in use now.
    pub fn in_use() -> usize {
        IN_USE.load(Relaxed)
    }

    /// From now on [`peak`](Self::peak) is what is in use at most, which is what is returned first.
    pub fn begin_peak() -> usize {
        let now = Self::in_use();
        PEAK.store(now, Relaxed);
        now
    }

    /// What was in use at most since then.
    pub fn peak() -> usize {
        PEAK.load(Relaxed)
    }
}

// SAFETY: the system's allocator does what is asked for.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}
