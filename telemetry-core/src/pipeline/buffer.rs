//! Where finished spans and events wait for the aggregator: blocks of memory that a thread alone writes to.
//!
//! A thread leases a block for each signal from a pool bounded in bytes, small ones at first, so that many threads that
//! seldom record take little. When the pool is empty the newest item is dropped and counted, or its thread waits for a
//! while, if that is wanted. The aggregator reads what was written, also of blocks that are not full. Recording takes no
//! lock but to lease the next block.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::{Duration, Instant};

use super::block::Block;
use super::ledger::{Account, Ledger, Reason, State};
use crate::clock::deadline_in;
use crate::diagnostics::warn;
use crate::exporters::Signal;
use crate::model::Metric;
use crate::model::record::{Chunk, Encoded, Words};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::thread::{Suppression, is_suppressed};

/// A thread's first block, and the largest one unless a record needs more.
const LEAST: usize = 1 << 10;
const MOST: usize = 32 << 10;
/// A batch of spans or events is closed when it has that many bytes.
const BATCH: usize = 512 << 10;
/// Finished points made by hand that wait for the next batch.
const MAX_POINTS: usize = 16 << 10;

/// The buffers of one collector.
pub(crate) struct Buffers {
    /// Never used again, so a thread can't mistake one collector for another.
    id: u64,
    threads: Mutex<Vec<Arc<ThreadBuffer>>>,
    pool: Mutex<Pool>,
    /// Somebody gave blocks back to the pool.
    room: Condvar,
    /// How long a thread waits for that.
    patience: Option<Duration>,
    points: Mutex<(Vec<Metric>, Booked)>,
    /// Spans and events of threads that telemetry looks away from, since the aggregator last looked.
    suppressed: [AtomicU64; 2],
    closed: AtomicBool,
    /// Nobody collects any more: what is still written is lost.
    finished: AtomicBool,
    late_said: AtomicBool,
    /// The aggregator was woken and has not looked yet.
    woken: AtomicBool,
    /// Items since the aggregator last looked, as far as threads have told.
    pending: AtomicUsize,
    wake_at: usize,
    /// Threads tell of so many items at once.
    step: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug)]
struct Pool {
    free: Vec<Block>,
    /// Bytes.
    leased: usize,
    max: usize,
}

/// What one thread has recorded and the aggregator has not taken yet. In cache lines of its own: the aggregator writes to
/// it each time it looks, and beside it in memory may stand what the thread writes for each span.
#[derive(Debug, Default)]
#[repr(align(128))]
struct ThreadBuffer {
    /// Of spans and of events; the thread alone writes them.
    counts: [Counts; 2],
    taken: Mutex<Taken>,
}

/// Items that did not get into a block.
#[derive(Debug, Default)]
struct Counts {
    sampled_out: AtomicU64,
    buffer_full: AtomicU64,
    closed: AtomicU64,
}

/// The same as numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Booked {
    sampled_out: u64,
    buffer_full: u64,
    closed: u64,
}

#[derive(Debug, Default)]
struct Taken {
    /// Of spans and of events, in their order; the thread writes to the last one.
    blocks: [Vec<Arc<Block>>; 2],
    booked: [Booked; 2],
}

impl Counts {
    fn read(&self) -> Booked {
        Booked {
            sampled_out: self.sampled_out.load(Relaxed),
            buffer_full: self.buffer_full.load(Relaxed),
            closed: self.closed.load(Relaxed),
        }
    }
}

/// The thread that owns the counter adds one.
#[inline]
fn increase(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

impl Booked {
    /// All that happened since `before`, and `kept` items that came into blocks.
    fn book(&self, before: &Self, kept: u64, account: &mut Account) {
        let sampled_out = self.sampled_out - before.sampled_out;
        let (full, closed) = (self.buffer_full - before.buffer_full, self.closed - before.closed);
        account.recorded += sampled_out + full + closed + kept;
        account.sampled_out += sampled_out;
        account.dropped.add(Reason::BufferFull, full);
        account.dropped.add(Reason::Closed, closed);
        account.held += kept;
    }
}

impl Account {
    fn look_away(&mut self, from: u64) {
        self.recorded += from;
        self.suppressed += from;
    }
}

impl ThreadBuffer {
    /// Books what happened since the last time that `booked` says.
    fn book(&self, i: usize, taken: &Taken, kept: u64, account: &mut Account) -> Booked {
        let now = self.counts[i].read();
        now.book(&taken.booked[i], kept, account);
        now
    }
}

thread_local! {
    static MINE: RefCell<Vec<Writer>> = const { RefCell::new(Vec::new()) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffers").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Buffers {
    /// `wake` is called when `wake_at` items wait. A thread that finds no room waits for it as long as `patience` says.
    pub(crate) fn new(
        max_bytes: usize,
        wake_at: usize,
        patience: Option<Duration>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            threads: Mutex::default(),
            pool: Mutex::new(Pool { free: Vec::new(), leased: 0, max: max_bytes }),
            room: Condvar::new(),
            patience,
            points: Mutex::default(),
            suppressed: Default::default(),
            closed: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            late_said: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            pending: AtomicUsize::new(0),
            wake_at: wake_at.max(1),
            step: (wake_at / 64).max(1),
            wake: Box::new(wake),
        }
    }

    /// Runs `f`, which runs no code of the user, with a writer of this thread.
    pub(crate) fn with_writer(self: &Arc<Self>, f: impl FnOnce(&mut Writer)) {
        let mut f = Some(f);
        let mut run = |writer: &mut Writer| f.take().into_iter().for_each(|f| f(writer));
        let known = MINE.try_with(|mine| {
            // Borrowed already only where an allocator records.
            let Ok(mut mine) = mine.try_borrow_mut() else { return run(&mut self.writer()) };
            if let Some(writer) = mine.iter_mut().find(|writer| writer.buffers.id == self.id) {
                return run(writer);
            }
            // Those of collectors that are gone go with them.
            mine.retain(|writer| Arc::strong_count(&writer.buffers) > 1);
            let mut writer = self.writer();
            run(&mut writer);
            mine.push(writer);
        });
        if known.is_err() {
            // The thread is ending and its locals are gone: a writer for this one item.
            run(&mut self.writer());
        }
    }

    /// A writer for this thread.
    pub(crate) fn writer(self: &Arc<Self>) -> Writer {
        let thread = Arc::new(ThreadBuffer::default());
        let _away = Suppression::begin();
        lock(&self.threads).push(Arc::clone(&thread));
        Writer { buffers: Arc::clone(self), thread, blocks: [None, None], untold: 0 }
    }

    /// An item of a thread that telemetry looks away from.
    pub(crate) fn suppressed(&self, signal: Signal) {
        self.suppressed[signal as usize].fetch_add(1, Relaxed);
    }

    /// A finished point that was made by hand.
    pub(crate) fn push_point(&self, point: Metric) {
        let mut points = lock(&self.points);
        if self.closed.load(Relaxed) {
            points.1.closed += 1;
        } else if points.0.len() >= MAX_POINTS {
            points.1.buffer_full += 1;
            self.wake();
        } else {
            points.0.push(point);
            drop(points);
            self.tell(1);
        }
    }

    /// From now on every item is dropped. What was recorded before can still be collected.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
        // Under the lock: nobody looks between this and the time when it waits.
        let _pool = lock(&self.pool);
        self.room.notify_all();
    }

    /// Takes all that waits, and books it as held.
    pub(crate) fn collect(&self, state: &mut State) -> Collected {
        self.woken.store(false, Relaxed);
        self.pending.store(0, Relaxed);
        let mut collected = Collected::default();
        let mut done = Vec::new();
        lock(&self.threads).retain_mut(|thread| {
            // If nobody else has it the thread is gone, and all that it wrote is seen.
            let is_gone = Arc::get_mut(thread).is_some();
            let mut taken = lock(&thread.taken);
            for (i, signal) in [Signal::Spans, Signal::Events].into_iter().enumerate() {
                let mut kept = 0;
                let last = taken.blocks[i].len().saturating_sub(usize::from(!is_gone));
                for block in &taken.blocks[i] {
                    kept += collected.take(i, block);
                }
                done.extend(taken.blocks[i].drain(..last));
                taken.booked[i] = thread.book(i, &taken, kept as u64, state.account(signal));
            }
            !is_gone
        });
        self.give_back(done);
        for (i, signal) in [Signal::Spans, Signal::Events].into_iter().enumerate() {
            state.account(signal).look_away(self.suppressed[i].swap(0, Relaxed));
        }
        let mut points = lock(&self.points);
        collected.points = std::mem::take(&mut points.0);
        let booked = std::mem::take(&mut points.1);
        let kept = collected.points.len() as u64;
        booked.book(&Booked::default(), kept, state.account(Signal::Metrics));
        collected
    }

    /// The last time was the last time: what threads still write counts as dropped.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Relaxed);
    }

    fn give_back(&self, blocks: impl IntoIterator<Item = Arc<Block>>) {
        let mut pool = lock(&self.pool);
        for block in blocks {
            pool.leased -= block.bytes();
            // A writer that has not let go of it yet keeps it for itself.
            if let Ok(block) = Arc::try_unwrap(block)
                && block.size() == MOST
                && pool.free.len() < pool.max / MOST / 4
            {
                block.clear();
                pool.free.push(block);
            }
        }
        drop(pool);
        if self.patience.is_some() {
            self.room.notify_all();
        }
    }

    /// The ledger now: what is booked, and what threads have recorded since.
    pub(crate) fn ledger(&self, state: &State) -> Ledger {
        let mut ledger = state.ledger.clone();
        let finished = self.finished.load(Relaxed);
        for thread in lock(&self.threads).iter() {
            let taken = lock(&thread.taken);
            for i in 0..2 {
                let kept = taken.blocks[i].iter().map(|block| block.unread() as u64).sum();
                let account = &mut ledger.accounts[i];
                thread.book(i, &taken, kept, account);
                if finished {
                    account.held -= kept;
                    account.dropped.add(Reason::Closed, kept);
                }
            }
        }
        for (account, suppressed) in ledger.accounts.iter_mut().zip(&self.suppressed) {
            account.look_away(suppressed.load(Relaxed));
        }
        let points = lock(&self.points);
        let kept = points.0.len() as u64;
        points.1.book(&Booked::default(), kept, &mut ledger.accounts[Signal::Metrics as usize]);
        ledger
    }

    /// So many more items wait.
    fn tell(&self, items: usize) {
        if self.pending.fetch_add(items, Relaxed) + items >= self.wake_at {
            self.wake();
        }
    }

    /// Wakes the aggregator, once until it looks.
    fn wake(&self) {
        if !self.woken.load(Relaxed) && !self.woken.swap(true, Relaxed) {
            (self.wake)();
        }
    }

    /// A block for a thread that had one of `before` bytes and now needs at least `need`. The fuller the pool, the
    /// smaller it is.
    fn lease(&self, before: usize, need: usize) -> Option<Block> {
        self.lease_of(&mut lock(&self.pool), before, need)
    }

    /// The same, after there was none. The thread waits for it where that is wanted.
    #[cold]
    fn await_lease(&self, before: usize, need: usize) -> Option<Block> {
        let until = deadline_in(self.patience?);
        let mut pool = lock(&self.pool);
        loop {
            if let Some(block) = self.lease_of(&mut pool, before, need) {
                return Some(block);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            if self.closed.load(Relaxed) || need > pool.max {
                return None;
            }
            pool = self.room.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lease_of(&self, pool: &mut Pool, before: usize, need: usize) -> Option<Block> {
        let left = pool.max.saturating_sub(pool.leased);
        if left < pool.max / 2 {
            self.wake();
        }
        let size = (2 * before).min(left / 64).clamp(LEAST, MOST).max(need);
        let at = pool.free.iter().position(|block| block.size() >= size);
        let block = at.map_or_else(|| Block::new(size), |at| pool.free.swap_remove(at));
        if block.bytes() > left {
            return None;
        }
        pool.leased += block.bytes();
        Some(block)
    }

    /// Once: the usual reason is a guard that was dropped at once.
    #[cold]
    fn say_late(&self) {
        if !self.late_said.swap(true, Relaxed) {
            warn(format_args!(
                "something was recorded after the shutdown of its collector, and is lost. Is the guard kept until \
                 the end of `main`? (`let _telemetry = ..`, not `let _ = ..`)"
            ));
        }
    }
}

/// With what one thread records spans and events.
#[derive(Debug)]
pub struct Writer {
    buffers: Arc<Buffers>,
    thread: Arc<ThreadBuffer>,
    /// Of spans and of events.
    blocks: [Option<Arc<Block>>; 2],
    /// Items that the buffers have not been told of.
    untold: usize,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.buffers.tell(self.untold);
    }
}

impl Writer {
    /// An item that head sampling did not choose.
    #[inline]
    pub fn sampled_out(&mut self, signal: Signal) {
        increase(&self.thread.counts[signal as usize].sampled_out);
    }

    /// An item for which there was no memory.
    pub fn dropped(&mut self, signal: Signal) {
        increase(&self.thread.counts[signal as usize].buffer_full);
    }

    /// Adds a finished record.
    pub fn push<const HEAD: usize>(&mut self, signal: Signal, record: Encoded<impl Words, HEAD>) {
        self.push_with(signal, record, |_| ());
    }

    /// The same with a record that `last` completes: when the clock is read last, what comes before and what comes after
    /// do not wait for each other.
    #[expect(clippy::inline_always, reason = "what the record is, callers know")]
    #[inline(always)]
    pub fn push_with<W: Words, const HEAD: usize>(
        &mut self,
        signal: Signal,
        mut record: Encoded<W, HEAD>,
        last: impl FnOnce(&mut Encoded<W, HEAD>) + Copy,
    ) {
        if self.buffers.closed.load(Relaxed) {
            return self.push_late(signal);
        }
        let block = self.blocks[signal as usize].as_ref();
        if !block.is_some_and(|block| block.push(record, last)) {
            last(&mut record);
            return self.push_to_next(signal, &record);
        }
        self.count();
    }

    #[inline]
    fn count(&mut self) {
        self.untold += 1;
        if self.untold >= self.buffers.step {
            self.buffers.tell(std::mem::take(&mut self.untold));
        }
    }

    #[cold]
    fn push_late(&mut self, signal: Signal) {
        increase(&self.thread.counts[signal as usize].closed);
        self.blocks = [None, None];
        self.buffers.say_late();
    }

    /// Begins its block anew if all of it was read, else leases the next one.
    #[cold]
    fn push_to_next<const HEAD: usize>(&mut self, signal: Signal, record: &Encoded<impl Words, HEAD>) {
        let i = signal as usize;
        // Never one of ours, which others may wait for, and none that panics.
        let may_wait = !is_suppressed() && !std::thread::panicking();
        let _away = Suppression::begin();
        let mut taken = lock(&self.thread.taken);
        if let Some(block) = self.blocks[i].as_ref().filter(|block| block.unread() == 0) {
            block.clear();
            if block.push(*record, |_| ()) {
                drop(taken);
                return self.count();
            }
        }
        let (before, need) =
            (self.blocks[i].as_ref().map_or(LEAST / 2, |block| block.size()), record.words() * 8);
        let mut leased = self.buffers.lease(before, need);
        if leased.is_none() && may_wait {
            // Not with the lock: what this thread has written is what makes room.
            drop(taken);
            leased = self.buffers.await_lease(before, need);
            taken = lock(&self.thread.taken);
        }
        let Some(block) = leased else {
            return increase(&self.thread.counts[i].buffer_full);
        };
        block.push(*record, |_| ());
        let block = Arc::new(block);
        taken.blocks[i].push(Arc::clone(&block));
        drop(taken);
        self.blocks[i] = Some(block);
        self.count();
    }
}

/// What the aggregator took.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Of spans and of events, each of about a batch's size.
    pub(crate) chunks: [Vec<Chunk>; 2],
    pub(crate) points: Vec<Metric>,
}

impl Collected {
    fn take(&mut self, signal: usize, block: &Block) -> usize {
        let chunks = &mut self.chunks[signal];
        if block.unread() == 0 {
            return 0;
        }
        if chunks.last().is_none_or(|last| last.bytes() + block.size() > BATCH) {
            chunks.push(Chunk::default());
        }
        chunks.last_mut().map_or(0, |last| block.read_into(last))
    }
}
