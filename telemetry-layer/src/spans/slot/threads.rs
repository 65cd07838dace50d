//! On which threads a span was, for exporters that show that: the one that opened it, and whether others entered it.

use super::Slot;
use telemetry_core::__private::sync::atomic::Ordering::Relaxed;

/// Among the flags: another thread opened its parent. The number of its own stands in the upper half.
const FAR_PARENT: u64 = 1 << 8;
const THREAD: u32 = 32;

/// Beside the nanoseconds in which threads were in it: one was.
const ENTERED: u64 = 1 << 62;
/// Another thread was in it than the one that opened it, or that one more than once.
const MOVED: u64 = 1 << 63;
const NANOS: u64 = ENTERED - 1;

impl Slot {
    /// What the flags of a span say that the thread with that number opens, which is 0 where nobody wants to know.
    pub(crate) fn flags_of_thread(thread: u32, parent: Option<&Self>) -> u64 {
        let is_far = thread > 0 && parent.is_some_and(|parent| parent.thread() != thread);
        u64::from(thread) << THREAD | if is_far { FAR_PARENT } else { 0 }
    }

    /// The number of the thread that opened it; 0 where nobody wanted to know.
    fn thread(&self) -> u32 {
        (self.flags.load(Relaxed) >> THREAD) as u32
    }

    /// The thread with that number enters it, if the span with that id is still here.
    pub(crate) fn is_entered_by(&self, id: u64, thread: u32) {
        if self.id() == id {
            let is_again = self.busy.fetch_or(ENTERED, Relaxed) & ENTERED != 0;
            if is_again || self.thread() != thread {
                self.busy.fetch_or(MOVED, Relaxed);
            }
        }
    }

    /// Whether that thread opened it, and nobody else was in it, nor that one more than once.
    pub(crate) fn was_only_on(&self, thread: u32) -> bool {
        self.thread() == thread && self.busy.load(Relaxed) & MOVED == 0
    }

    /// Whether another thread opened its parent.
    pub(crate) fn is_parent_far(&self) -> bool {
        self.flags.load(Relaxed) & FAR_PARENT != 0
    }

    /// Nanoseconds in which threads were in it, where that is measured.
    pub(crate) fn busy(&self) -> u64 {
        self.busy.load(Relaxed) & NANOS
    }
}
