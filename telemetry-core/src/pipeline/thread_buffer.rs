//! What one thread has recorded and the dispatcher has not taken yet: blocks that the thread writes, and counts of what did
//! not get into one. The thread alone writes the counts; whoever books them subtracts what was booked before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::Block;
use super::ledger::{Account, Reason};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// In cache lines of its own: the dispatcher writes to it each time it looks, and beside it in memory may stand what the
/// thread writes for each span.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct ThreadBuffer {
    /// The thread's.
    pub(super) number: u32,
    /// Of spans and of events; the thread alone writes them.
    pub(super) counts: [Counts; 2],
    pub(super) taken: Mutex<Taken>,
}

/// Items that did not get into a block.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sampled_out: AtomicU64,
    pub(super) buffer_full: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) open_spans_full: AtomicU64,
}

/// The same as numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Booked {
    pub(super) sampled_out: u64,
    pub(super) buffer_full: u64,
    pub(super) closed: u64,
    pub(super) open_spans_full: u64,
}

#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Of spans and of events, in their order; the thread writes to the last one.
    pub(super) blocks: [Vec<Arc<Block>>; 2],
    pub(super) booked: [Booked; 2],
    /// How many records were read of its blocks.
    pub(super) read: [u64; 2],
    /// Flushes that wait until so many were, oldest first.
    pub(super) marks: VecDeque<(u64, [u64; 2])>,
}

impl Taken {
    /// A flush waits for all that stands in its blocks.
    pub(super) fn mark(&mut self, flush: u64) {
        let unread = [0, 1].map(|i| self.blocks[i].iter().map(|block| block.unread() as u64).sum::<u64>());
        self.marks.push_back((flush, [self.read[0] + unread[0], self.read[1] + unread[1]]));
    }

    /// The first flush for which not all was read.
    pub(super) fn first_mark(&mut self) -> Option<u64> {
        let read = self.read;
        while self.marks.pop_front_if(|(_, all)| all[0] <= read[0] && all[1] <= read[1]).is_some() {}
        self.marks.front().map(|(flush, _)| *flush)
    }
}

/// The thread that owns the counter adds one.
#[inline]
pub(super) fn increase(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

impl Counts {
    fn read(&self) -> Booked {
        Booked {
            sampled_out: self.sampled_out.load(Relaxed),
            buffer_full: self.buffer_full.load(Relaxed),
            closed: self.closed.load(Relaxed),
            open_spans_full: self.open_spans_full.load(Relaxed),
        }
    }
}

impl Booked {
    /// All that happened since `before`, and `kept` items that came into blocks.
    pub(super) fn book(&self, before: &Self, kept: u64, account: &mut Account) {
        let sampled_out = self.sampled_out - before.sampled_out;
        let (full, closed) = (self.buffer_full - before.buffer_full, self.closed - before.closed);
        let open_full = self.open_spans_full - before.open_spans_full;
        account.recorded += sampled_out + full + closed + open_full + kept;
        account.sampled_out += sampled_out;
        account.dropped.add(Reason::BufferFull, full);
        account.dropped.add(Reason::Closed, closed);
        account.dropped.add(Reason::OpenSpansFull, open_full);
        account.held += kept;
    }
}

impl ThreadBuffer {
    /// Books what happened since the last time, which `taken` says.
    pub(super) fn book(&self, i: usize, taken: &Taken, kept: u64, account: &mut Account) -> Booked {
        let now = self.counts[i].read();
        now.book(&taken.booked[i], kept, account);
        now
    }
}
