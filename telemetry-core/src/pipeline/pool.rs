//! Memory for blocks, leased to the threads that record and given back when the dispatcher has read them; bounded in bytes.
//!
//! A thread's blocks are small at first, so that many threads that seldom record take little. When the pool is empty a
//! thread gets none, or waits for a while, if that is wanted (back-pressure). Nothing here knows what is in a block.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::block::Block;
use crate::clock::deadline_in;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Condvar, Mutex, lock};

/// A thread's first block, and the largest one of any pool, unless a record needs more.
pub(super) const LEAST: usize = 1 << 10;
pub(super) const MOST: usize = 32 << 10;

#[derive(Debug)]
pub(super) struct Pool {
    leases: Mutex<Leases>,
    /// Somebody gave blocks back.
    room: Condvar,
    max: usize,
    /// Its largest blocks, unless a record needs more.
    most: usize,
    /// How long a thread waits for room, in nanoseconds.
    patience: AtomicU64,
    least_patience: u64,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Leases {
    free: Vec<Block>,
    /// Bytes.
    leased: usize,
}

/// How a thread that asks for a block found the pool.
pub(super) struct Lease {
    pub(super) block: Option<Leased>,
    /// More than half of it is taken.
    pub(super) is_scarce: bool,
}

impl Pool {
    /// A thread that finds no room waits for it as long as `patience` says.
    pub(super) fn new(max: usize, most: usize, patience: Option<Duration>) -> Self {
        let least_patience = nanos(patience.unwrap_or_default());
        let patience = AtomicU64::new(least_patience);
        let (leases, room, closed) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self { leases, room, max, most: most.clamp(LEAST, MOST), patience, least_patience, closed }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max
    }

    /// A block for a thread that had one of `before` bytes and now needs at least `need`. The fuller the pool, the
    /// smaller it is.
    pub(super) fn lease(&self, before: usize, need: usize) -> Lease {
        self.lease_of(&mut lock(&self.leases), before, need)
    }

    /// The same, after there was none. The thread waits for it where that is wanted, or until it `needs_none` any more.
    #[cold]
    pub(super) fn await_lease(
        &self,
        before: usize,
        need: usize,
        needs_none: impl Fn() -> bool,
    ) -> Option<Leased> {
        let until = deadline_in(self.patience()?);
        let mut leases = lock(&self.leases);
        loop {
            if let Some(block) = self.lease_of(&mut leases, before, need).block {
                return Some(block);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            if needs_none() || self.closed.load(Relaxed) || Block::bytes_of(need) > self.max {
                return None;
            }
            leases = self.room.wait_timeout(leases, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The dispatcher has read what there was, and gives back what is read to its end.
    pub(super) fn give_back(&self, blocks: impl IntoIterator<Item = Arc<Block>>) {
        // A writer that has not let go of its block yet keeps it for itself.
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        let mut room = (self.max / self.most / 4).saturating_sub(lock(&self.leases).free.len());
        for block in blocks {
            match Arc::try_unwrap(block) {
                Ok(block) if block.size() == self.most && room > 0 => {
                    room -= 1;
                    block.clear();
                    kept.push(block);
                }
                given => gone.push(given),
            }
        }
        self.take_back(kept.iter().map(Block::bytes).sum(), kept);
        // Nobody who records waits while these are freed, and only then their bytes are there again.
        let bytes =
            gone.iter().map(|block| block.as_ref().map_or_else(|shared| shared.bytes(), Block::bytes)).sum();
        drop(gone);
        self.take_back(bytes, Vec::new());
    }

    fn take_back(&self, bytes: usize, kept: Vec<Block>) {
        let mut leases = lock(&self.leases);
        leases.leased -= bytes;
        leases.free.extend(kept);
        drop(leases);
        // Also where nothing came back: who waits may need nothing any more.
        if self.patience().is_some() {
            self.room.notify_all();
        }
    }

    /// From now on a thread waits at least that long.
    pub(super) fn be_patient(&self, patience: Option<Duration>) {
        self.patience.store(nanos(patience.unwrap_or_default()).max(self.least_patience), Relaxed);
    }

    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.patience.load(Relaxed))).filter(|patience| !patience.is_zero())
    }

    /// From now on nobody waits.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        // Under the lock: nobody looks between this and the time when it waits.
        let _leases = lock(&self.leases);
        self.room.notify_all();
    }

    fn lease_of(&self, leases: &mut Leases, before: usize, need: usize) -> Lease {
        let left = self.max.saturating_sub(leases.leased);
        let is_scarce = left < self.max / 2;
        let size = (2 * before).min(left / 64).clamp(LEAST, self.most).max(need);
        let known = leases.free.iter().position(|block| block.size() >= size);
        let bytes = known.map_or_else(|| Block::bytes_of(size), |at| leases.free[at].bytes());
        if bytes > left {
            return Lease { block: None, is_scarce };
        }
        leases.leased += bytes;
        let block = known.map_or(Leased::New(size), |at| Leased::Known(leases.free.swap_remove(at)));
        Lease { block: Some(block), is_scarce }
    }
}

/// A block that is booked; a new one is made when the pool's lock is free again.
pub(super) enum Leased {
    Known(Block),
    New(usize),
}

impl From<Leased> for Block {
    fn from(leased: Leased) -> Self {
        match leased {
            Leased::Known(block) => block,
            Leased::New(size) => Self::new(size),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
