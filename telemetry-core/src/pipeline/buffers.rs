//! Where finished spans, events and points made by hand wait for the dispatcher, which collects them and books them.
//!
//! Each thread has its own [`ThreadBuffer`]; collecting reads what was written so far, also of blocks that are not full,
//! and gives those back to the pool that are. Nothing here waits for an exporter, and no code of the user runs here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::block::Block;
use super::books::State;
use super::ledger::{Account, Ledger, Reason};
use super::pool::Pool;
use super::rest::Found;
use super::thread_buffer::{Booked, ThreadBuffer};
use crate::diagnostics::{say_in_child, say_late};
use crate::exporters::{Recycler, Signal};
use crate::model::Metric;
use crate::model::record::Chunk;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};
use crate::sync::{Mutex, lock};
use crate::thread::{Suppression, are_threads_wanted, thread_number};

/// A batch of spans or events is closed when it has that many bytes.
const BATCH: usize = 512 << 10;
/// A thread tells of its next item.
const AT_ONCE: usize = 0;

/// The buffers of one collector.
pub(crate) struct Buffers {
    /// Never used again, so a thread can't mistake one collector for another.
    id: u64,
    threads: Mutex<Vec<Arc<ThreadBuffer>>>,
    pool: Pool,
    recycler: Recycler,
    points: Mutex<Points>,
    max_point_bytes: usize,
    /// Spans and events of threads that telemetry looks away from, since the dispatcher last looked.
    suppressed: [AtomicU64; 2],
    closed: AtomicBool,
    /// Nobody collects any more: what is still written is lost.
    finished: AtomicBool,
    /// This process was forked from the one whose buffers these are: locks may be another thread's for ever.
    left_behind: AtomicBool,
    /// Spans and events that came since then.
    strays: [AtomicU64; 2],
    /// Nobody has to be told, or somebody was, that things are recorded after the end.
    late_said: AtomicBool,
    /// The dispatcher was woken and has not looked yet.
    woken: AtomicBool,
    /// Items since the dispatcher last looked, as far as threads have told.
    pending: AtomicUsize,
    /// For so many threads wake it: more than usual while it rests.
    wake_at: AtomicUsize,
    usual_wake_at: usize,
    /// Threads tell of so many items at once; of the next one, where that is 0.
    step: AtomicUsize,
    usual_step: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// Finished points that were made by hand.
#[derive(Debug, Default)]
struct Points {
    all: Vec<Metric>,
    bytes: usize,
    booked: Booked,
}

/// What the dispatcher took.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Of spans and of events, each of about a batch's size.
    pub(crate) chunks: [Vec<Chunk>; 2],
    pub(crate) points: Vec<Metric>,
    /// There was more than there is room for.
    pub(crate) left: bool,
    /// The first [mark](Buffers::mark) up to which not all was taken.
    pub(crate) first_mark: Option<u64>,
    /// Bytes that may still be taken, and bytes that wait.
    room: [usize; 2],
    waiting: [usize; 2],
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffers").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Buffers {
    /// `wake` is called when `wake_at` items wait. A thread that finds no room waits for it as long as `patience` says. What
    /// is collected at once is about `block_bytes` at least.
    pub(crate) fn new(
        max_bytes: usize,
        block_bytes: usize,
        wake_at: usize,
        patience: Option<Duration>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            threads: Mutex::default(),
            pool: Pool::new(max_bytes, block_bytes, patience),
            recycler: Recycler::default(),
            points: Mutex::default(),
            max_point_bytes: max_bytes / 4,
            suppressed: Default::default(),
            closed: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            left_behind: AtomicBool::new(false),
            strays: Default::default(),
            late_said: AtomicBool::new(true),
            woken: AtomicBool::new(false),
            pending: AtomicUsize::new(0),
            wake_at: AtomicUsize::new(wake_at.max(1)),
            usual_wake_at: wake_at.max(1),
            step: AtomicUsize::new((wake_at / 64).max(1)),
            usual_step: (wake_at / 64).max(1),
            wake: Box::new(wake),
        }
    }

    pub(super) fn recycler(&self) -> &Recycler {
        &self.recycler
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Threads tell of so many items at once.
    #[inline]
    pub(super) fn step(&self) -> usize {
        self.step.load(Relaxed)
    }

    /// One more thread records.
    pub(super) fn add_thread(&self) -> Arc<ThreadBuffer> {
        let thread = Arc::new(ThreadBuffer { number: thread_number(), ..ThreadBuffer::default() });
        if self.left_behind.load(Relaxed) {
            return thread;
        }
        let _away = Suppression::begin();
        lock(&self.threads).push(Arc::clone(&thread));
        thread
    }

    /// An item of a thread that telemetry looks away from.
    pub(crate) fn suppressed(&self, signal: Signal) {
        self.suppressed[signal as usize].fetch_add(1, Relaxed);
    }

    /// A finished point that was made by hand.
    pub(crate) fn push_point(&self, point: Metric) {
        let (bytes, mut points) = (point.bytes(), lock(&self.points));
        if self.is_closed() {
            points.booked.closed += 1;
        } else if points.bytes + bytes > self.max_point_bytes {
            points.booked.buffer_full += 1;
            self.wake();
        } else {
            points.bytes += bytes;
            points.all.push(point);
            let is_much = points.bytes > self.max_point_bytes / 2;
            drop(points);
            if is_much {
                self.wake();
            }
            self.tell(1);
        }
    }

    /// From now on a thread that finds no room waits for it that long, or as long as it did at first.
    pub(crate) fn be_patient(&self, patience: Option<Duration>) {
        self.pool.be_patient(patience);
    }

    /// From now on every item is dropped. What was recorded before can still be collected.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.pool.close();
    }

    /// The same in a child process, where nobody collects: what stands in them the parent has.
    pub(crate) fn leave_behind(&self) {
        self.closed.store(true, Relaxed);
        self.left_behind.store(true, Relaxed);
        // Nobody is there to be woken.
        self.woken.store(true, Relaxed);
        self.late_said.store(false, Relaxed);
        self.strays.iter().for_each(|strays| strays.store(0, Relaxed));
    }

    /// What was recorded in a child process.
    pub(crate) fn ledger_of_child(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for (account, strays) in ledger.accounts.iter_mut().zip(&self.strays) {
            account.recorded = strays.load(Relaxed);
            account.dropped.add(Reason::Closed, account.recorded);
        }
        ledger
    }

    /// Takes what waits, and books it as held: of spans and of events at most about so many bytes, the rest stays where it is.
    pub(crate) fn collect(&self, state: &mut State, room: [usize; 2]) -> Collected {
        self.woken.store(false, Relaxed);
        self.wake_at.store(self.usual_wake_at, Relaxed);
        // What was told before is seen below; who tells from now on sees what stands above.
        self.pending.swap(0, AcqRel);
        let mut threads = lock(&self.threads);
        let mut collected = Collected::of(room, &threads);
        let are_wanted = are_threads_wanted();
        let wanted = |thread| Some(thread).filter(|_| are_wanted);
        let (mut done, mut full_at, mut at) = (Vec::new(), None, 0);
        threads.retain_mut(|thread| {
            // If nobody else has it the thread is gone, and all that it wrote is seen.
            let is_gone = Arc::get_mut(thread).is_some();
            let number = thread.number;
            let (mut taken, mut is_left) = (lock(&thread.taken), false);
            for (i, signal) in Signal::RECORDS.into_iter().enumerate() {
                let blocks = &mut taken.blocks[i];
                let (mut kept, mut read) = (0, 0);
                for block in blocks.iter() {
                    let Some(items) = collected.take(signal, block, wanted(number), &self.recycler) else {
                        is_left = true;
                        break;
                    };
                    kept += items;
                    read += 1;
                }
                // The thread writes to the last one.
                let keeps_last = !is_gone && read == blocks.len();
                done.extend(blocks.drain(..read - usize::from(keeps_last && read > 0)));
                taken.booked[i] = thread.book(i, &taken, kept as u64, state.account(signal));
                taken.read[i] += kept as u64;
            }
            collected.first_mark = collected.first_mark.into_iter().chain(taken.first_mark()).min();
            if is_left {
                full_at.get_or_insert(at);
            }
            let stays = !is_gone || is_left;
            at += usize::from(stays);
            stays
        });
        if let Some(at) = full_at {
            // Next time it is their turn for which there was no room.
            threads.rotate_left(at);
            collected.left = true;
        }
        drop(threads);
        self.pool.give_back(done);
        for (i, signal) in Signal::RECORDS.into_iter().enumerate() {
            add_suppressed(state.account(signal), self.suppressed[i].swap(0, Relaxed));
        }
        let mut points = lock(&self.points);
        collected.points = std::mem::take(&mut points.all);
        let booked = std::mem::take(&mut points.booked);
        points.bytes = 0;
        let kept = collected.points.len() as u64;
        booked.book(&Booked::default(), kept, state.account(Signal::Metrics));
        collected
    }

    /// Until it collects again, the dispatcher looks by itself before that many items wait, which wake it.
    pub(super) fn rest(&self, wake_at: usize) {
        self.wake_at.store(wake_at, Relaxed);
    }

    pub(super) fn usual_wake_at(&self) -> usize {
        self.usual_wake_at
    }

    /// Memory for what the dispatcher has not taken.
    pub(super) fn max_bytes(&self) -> usize {
        self.pool.max_bytes()
    }

    /// From now on [`Collected`] says whether all was taken that threads have recorded so far. Marks are numbered upward.
    pub(crate) fn mark(&self, number: u64) {
        for thread in lock(&self.threads).iter() {
            lock(&thread.taken).mark(number);
        }
    }

    /// The last time was the last time: what threads still write counts as dropped.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Relaxed);
    }

    /// The ledger now: what is booked, and what threads have recorded since.
    pub(crate) fn ledger(&self, state: &State) -> Ledger {
        let mut ledger = state.ledger();
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
            add_suppressed(account, suppressed.load(Relaxed));
        }
        let points = lock(&self.points);
        let kept = points.all.len() as u64;
        points.booked.book(&Booked::default(), kept, &mut ledger.accounts[Signal::Metrics as usize]);
        ledger
    }

    /// So many more items wait.
    pub(super) fn tell(&self, items: usize) {
        let is_asked =
            self.step.load(Relaxed) == AT_ONCE && self.step.swap(self.usual_step, Relaxed) == AT_ONCE;
        if self.pending.fetch_add(items, AcqRel) + items >= self.wake_at.load(Relaxed) || is_asked {
            self.wake();
        }
    }

    /// The thread that records next wakes the dispatcher.
    pub(super) fn tell_at_once(&self) {
        self.step.store(AT_ONCE, Relaxed);
    }

    /// Wakes the dispatcher, once until it looks.
    fn wake(&self) {
        if !self.woken.load(Relaxed) && !self.woken.swap(true, Relaxed) {
            (self.wake)();
        }
    }

    /// See [`Pool::lease`].
    pub(super) fn lease(&self, before: usize, need: usize) -> Option<Block> {
        let lease = self.pool.lease(before, need);
        if lease.is_scarce {
            self.wake();
        }
        lease.block.map(Block::from)
    }

    /// See [`Pool::await_lease`].
    pub(super) fn await_lease(
        &self,
        before: usize,
        need: usize,
        needs_none: impl Fn() -> bool,
    ) -> Option<Block> {
        self.wake();
        self.pool.await_lease(before, need, needs_none).map(Block::from)
    }

    /// From now on whatever is recorded is said to be late.
    pub(crate) fn tell_of_late(&self) {
        self.late_said.store(false, Relaxed);
    }

    /// An item came after the end, which is said once: the usual reason is a guard that was dropped at once.
    #[cold]
    pub(super) fn say_late(&self, signal: Signal) {
        let left_behind = self.left_behind.load(Relaxed);
        if left_behind {
            self.strays[signal as usize].fetch_add(1, Relaxed);
        }
        if !self.late_said.swap(true, Relaxed) {
            if left_behind { say_in_child() } else { say_late() }
        }
    }
}

fn add_suppressed(account: &mut Account, items: u64) {
    account.recorded += items;
    account.suppressed += items;
}

impl Collected {
    /// Spans and events.
    pub(super) fn found(&self) -> Found {
        let chunks = || self.chunks.iter().flatten();
        Found { items: chunks().map(Chunk::len).sum(), bytes: chunks().map(Chunk::bytes).sum() }
    }

    fn of(room: [usize; 2], threads: &[Arc<ThreadBuffer>]) -> Self {
        let mut waiting = [0; 2];
        for thread in threads {
            let taken = lock(&thread.taken);
            for (waiting, blocks) in waiting.iter_mut().zip(&taken.blocks) {
                *waiting += blocks.iter().map(|block| block.unread_bytes()).sum::<usize>();
            }
        }
        Self { room, waiting, ..Self::default() }
    }

    /// Takes what is in a block, which is of that thread where that is wanted; none where there is no room for that.
    fn take(&mut self, of: Signal, block: &Block, thread: Option<u32>, recycler: &Recycler) -> Option<usize> {
        let signal = of as usize;
        let bytes = block.unread_bytes();
        if bytes == 0 {
            return Some(0);
        }
        // One block is taken where there is any room at all.
        let is_first = self.chunks[signal].is_empty() && self.room[signal] > 0;
        if bytes > self.room[signal] && !is_first {
            return None;
        }
        let chunks = &mut self.chunks[signal];
        if chunks.last().is_none_or(|last| !last.has_room(bytes)) {
            // What is made here for more than will come would weigh on the lanes.
            let most = self.waiting[signal].min(self.room[signal]).min(BATCH);
            chunks.push(recycler.chunk(most.max(bytes)));
        }
        self.room[signal] = self.room[signal].saturating_sub(bytes);
        self.waiting[signal] = self.waiting[signal].saturating_sub(bytes);
        chunks.last_mut().map(|last| {
            let (from, items) = (last.end(), block.read_into(last));
            match thread {
                None => {}
                Some(thread) if of == Signal::Spans => last.spans_are_of(from, thread),
                Some(thread) => last.events_are_of(from, thread),
            }
            items
        })
    }
}
