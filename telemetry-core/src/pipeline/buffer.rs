//! Where finished spans and events wait for the aggregator: a chunk of bytes for each thread and signal.
//!
//! A thread leases a chunk from a pool bounded in bytes when it has something to record, and nobody else
//! writes to it. When the pool is empty the newest item is dropped and counted. The aggregator takes filled
//! chunks away and gives back the leases of threads that fell silent. Recording never waits for it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ledger::{Account, Dropped, Ledger, Reason, State};
use crate::diagnostics::warn;
use crate::exporters::Signal;
use crate::model::Metric;
use crate::model::record::{Chunk, EventHead, FieldBuf, SpanHead};

/// What a leased chunk is counted as, and about what it grows to.
const CHUNK: usize = 16 << 10;
/// Finished points made by hand that wait for the next batch.
const MAX_POINTS: usize = 16 << 10;

/// The buffers of one collector.
pub(crate) struct Buffers {
    /// Never used again, so a thread can't mistake one collector for another.
    id: u64,
    threads: Mutex<Vec<Arc<ThreadBuffer>>>,
    pool: Mutex<Pool>,
    full: Mutex<[Vec<Chunk>; 2]>,
    points: Mutex<(Vec<Metric>, Tally)>,
    closed: AtomicBool,
    /// Counts what is recorded after the end.
    late: ThreadBuffer,
    late_said: AtomicBool,
    /// The aggregator was woken and has not looked yet.
    woken: AtomicBool,
    /// Items since the aggregator last looked.
    pending: AtomicUsize,
    wake_at: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug)]
struct Pool {
    free: Vec<Chunk>,
    /// Bytes.
    leased: usize,
    max: usize,
}

/// What one thread has recorded and the aggregator has not taken yet.
#[derive(Debug, Default)]
struct ThreadBuffer(Mutex<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    /// Of spans and of events.
    chunks: [Option<Chunk>; 2],
    tallies: [Tally; 2],
}

/// What happened since the aggregator last looked, for the ledger.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    recorded: u64,
    sampled_out: u64,
    suppressed: u64,
    dropped: Dropped,
    /// In full chunks that were put aside.
    handed: u64,
}

impl Tally {
    fn book(&self, account: &mut Account, in_chunk: u64) {
        account.recorded += self.recorded;
        account.sampled_out += self.sampled_out;
        account.suppressed += self.suppressed;
        for reason in Reason::ALL {
            account.dropped.add(reason, self.dropped.by(reason));
        }
        account.held += self.handed + in_chunk;
    }
}

thread_local! {
    static MINE: RefCell<Vec<(u64, Arc<ThreadBuffer>)>> = const { RefCell::new(Vec::new()) };
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
    /// `wake` is called when `wake_at` items wait.
    pub(crate) fn new(max_bytes: usize, wake_at: usize, wake: impl Fn() + Send + Sync + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            threads: Mutex::default(),
            pool: Mutex::new(Pool { free: Vec::new(), leased: 0, max: max_bytes.max(2 * CHUNK) }),
            full: Mutex::default(),
            points: Mutex::default(),
            closed: AtomicBool::new(false),
            late: ThreadBuffer::default(),
            late_said: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            pending: AtomicUsize::new(0),
            wake_at: wake_at.max(1),
            wake: Box::new(wake),
        }
    }

    pub(crate) fn push_span(&self, head: &SpanHead<'_>, fields: &FieldBuf) {
        self.push(Signal::Spans, |chunk| chunk.push_span(head, fields));
    }

    pub(crate) fn push_event(&self, head: &EventHead<'_>, fields: &FieldBuf) {
        self.push(Signal::Events, |chunk| chunk.push_event(head, fields));
    }

    /// A finished point that was made by hand.
    pub(crate) fn push_point(&self, point: Metric) {
        let mut points = lock(&self.points);
        points.1.recorded += 1;
        if self.closed.load(Relaxed) {
            points.1.dropped.add(Reason::Closed, 1);
        } else if points.0.len() >= MAX_POINTS {
            points.1.dropped.add(Reason::BufferFull, 1);
            self.wake();
        } else {
            points.0.push(point);
            drop(points);
            self.count_pending();
        }
    }

    /// An item that head sampling did not choose.
    pub(crate) fn sampled_out(&self, signal: Signal) {
        self.with_mine(|mine| {
            mine.tallies[signal as usize].recorded += 1;
            mine.tallies[signal as usize].sampled_out += 1;
        });
    }

    /// An item of a thread that telemetry looks away from.
    pub(crate) fn suppressed(&self, signal: Signal) {
        self.with_mine(|mine| {
            mine.tallies[signal as usize].recorded += 1;
            mine.tallies[signal as usize].suppressed += 1;
        });
    }

    /// From now on every item is dropped. What was recorded before can still be collected.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Takes all that waits, and books it as held.
    pub(crate) fn collect(&self, state: &mut State) -> Collected {
        self.woken.store(false, Relaxed);
        self.pending.store(0, Relaxed);
        // First the full chunks: the tallies read below count them in any case.
        let [spans, events] = std::mem::take(&mut *lock(&self.full));
        let mut collected = Collected { chunks: [spans, events], points: Vec::new() };
        let mut idle = Vec::new();
        lock(&self.threads).retain(|thread| {
            let mut recorded = lock(&thread.0);
            for (signal, chunks) in [Signal::Spans, Signal::Events].into_iter().zip(&mut collected.chunks) {
                let i = signal as usize;
                let chunk = recorded.chunks[i].take();
                let n = chunk.as_ref().map_or(0, Chunk::len);
                std::mem::take(&mut recorded.tallies[i]).book(state.account(signal), n as u64);
                match chunk {
                    Some(chunk) if n > 0 => chunks.push(chunk),
                    chunk => idle.extend(chunk),
                }
            }
            // Only this list still holds it: the thread has ended.
            Arc::strong_count(thread) > 1
        });
        self.give_back(idle);
        let mut points = lock(&self.points);
        collected.points = std::mem::take(&mut points.0);
        std::mem::take(&mut points.1).book(state.account(Signal::Metrics), collected.points.len() as u64);
        collected
    }

    /// Chunks that were collected and are done with.
    pub(crate) fn give_back(&self, chunks: impl IntoIterator<Item = Chunk>) {
        let mut pool = lock(&self.pool);
        for mut chunk in chunks {
            pool.leased -= counted(&chunk);
            chunk.clear();
            if pool.free.len() < pool.max / CHUNK / 4 && chunk.capacity() <= 2 * CHUNK {
                pool.free.push(chunk);
            }
        }
    }

    /// The ledger now: what is booked, and what threads have recorded since.
    pub(crate) fn ledger(&self, state: &State) -> Ledger {
        let mut ledger = state.ledger.clone();
        let threads = lock(&self.threads);
        for thread in threads.iter().map(|thread| &**thread).chain([&self.late]) {
            let recorded = lock(&thread.0);
            for i in 0..2 {
                let in_chunk = recorded.chunks[i].as_ref().map_or(0, Chunk::len);
                recorded.tallies[i].book(&mut ledger.accounts[i], in_chunk as u64);
            }
        }
        let points = lock(&self.points);
        points.1.book(&mut ledger.accounts[Signal::Metrics as usize], points.0.len() as u64);
        ledger
    }

    fn push(&self, signal: Signal, write: impl FnOnce(&mut Chunk)) {
        self.with_mine(|mine| {
            let tally = &mut mine.tallies[signal as usize];
            tally.recorded += 1;
            if self.closed.load(Relaxed) {
                tally.dropped.add(Reason::Closed, 1);
                return;
            }
            let place = &mut mine.chunks[signal as usize];
            if place.is_none() {
                *place = self.lease();
            }
            match place {
                Some(chunk) => write(chunk),
                None => tally.dropped.add(Reason::BufferFull, 1),
            }
            if let Some(full) = place.take_if(|chunk| chunk.bytes() > CHUNK * 3 / 4) {
                tally.handed += full.len() as u64;
                // A record that was larger than a chunk counts as what it is.
                lock(&self.pool).leased += counted(&full) - CHUNK;
                lock(&self.full)[signal as usize].push(full);
            }
        });
        self.count_pending();
    }

    fn count_pending(&self) {
        if self.pending.fetch_add(1, Relaxed) + 1 >= self.wake_at {
            self.wake();
        }
    }

    /// Wakes the aggregator, once until it looks.
    fn wake(&self) {
        if !self.woken.load(Relaxed) && !self.woken.swap(true, Relaxed) {
            (self.wake)();
        }
    }

    fn lease(&self) -> Option<Chunk> {
        let mut pool = lock(&self.pool);
        if pool.leased > pool.max / 2 {
            self.wake();
        }
        if pool.leased + CHUNK > pool.max {
            return None;
        }
        pool.leased += CHUNK;
        Some(pool.free.pop().unwrap_or_default())
    }

    /// Runs `f` on this thread's own buffer. `f` runs no code of the user.
    fn with_mine(&self, f: impl FnOnce(&mut Recorded)) {
        if self.closed.load(Relaxed) {
            f(&mut lock(&self.late.0));
            self.say_late();
            return;
        }
        let mut f = Some(f);
        let mut run = |buffer: &ThreadBuffer| {
            if let Some(f) = f.take() {
                f(&mut lock(&buffer.0));
            }
        };
        let known = MINE.try_with(|mine| {
            let mut mine = mine.borrow_mut();
            if let Some((_, buffer)) = mine.iter().find(|(id, _)| *id == self.id) {
                run(buffer);
                return;
            }
            // Those of collectors that are gone go with them.
            mine.retain(|(_, buffer)| Arc::strong_count(buffer) > 1);
            let buffer = self.register();
            run(&buffer);
            mine.push((self.id, buffer));
        });
        if known.is_err() {
            // The thread is ending and its locals are gone: a buffer for this one item.
            run(&self.register());
        }
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

    fn register(&self) -> Arc<ThreadBuffer> {
        let buffer = Arc::new(ThreadBuffer::default());
        lock(&self.threads).push(Arc::clone(&buffer));
        buffer
    }
}

/// What a chunk is counted as: at least its lease.
fn counted(chunk: &Chunk) -> usize {
    chunk.bytes().max(CHUNK)
}

/// What the aggregator took.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Of spans and of events.
    pub(crate) chunks: [Vec<Chunk>; 2],
    pub(crate) points: Vec<Metric>,
}
