//! Observable instruments: functions of the user that give a value when a snapshot asks for it.
//!
//! They run on a thread of their own, so that one that hangs or panics costs the others nothing: a snapshot waits
//! for each only so long. One that hangs is left out until it returns. Values of the user never go under a lock.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::model::{Identity, Kind, Number};
use crate::sync::{Mutex, lock};
use crate::thread::suppress_this_thread;

/// What a callback gave: the value; none where it panicked.
pub(crate) struct Observed {
    pub(crate) callback: Arc<Callback>,
    pub(crate) value: Option<Number>,
}

pub(crate) struct Callback {
    /// Before views: it names the instrument.
    instrument: Identity,
    pub(crate) identity: Arc<Identity>,
    read: Box<dyn Fn() -> Number + Send + Sync>,
    /// It has not returned yet.
    busy: AtomicBool,
    sum: Mutex<Sum>,
}

/// A sum that became less has begun anew: what it was before is kept.
#[derive(Clone, Copy, Default)]
struct Sum {
    last: Option<Number>,
    before: Option<Number>,
    /// In nanoseconds since the Unix epoch.
    began: u64,
}

#[derive(Default)]
pub(crate) struct Callbacks {
    all: Mutex<Vec<Arc<Callback>>>,
    /// Where the thread that runs them takes its work; also held while somebody waits for it.
    runner: Mutex<Option<Sender<Job>>>,
    /// From then on nobody waits.
    until: Mutex<Option<Instant>>,
    closed: AtomicBool,
}

struct Job {
    callbacks: Vec<Arc<Callback>>,
    done: Sender<Observed>,
}

thread_local! {
    /// This thread runs callbacks.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

impl Callback {
    /// The sum since it was first asked, and when that was; `value` is what it says now, none where it said nothing.
    pub(crate) fn sum(&self, value: Option<Number>) -> (Option<Number>, u64) {
        let mut sum = lock(&self.sum);
        if let Some(value) = value {
            if let Some(last) =
                sum.last.filter(|last| self.identity.kind == Kind::Counter && value.as_f64() < last.as_f64())
            {
                sum.before = Some(sum.before.map_or(last, |before| before.plus(last)));
            }
            sum.last = Some(value);
        }
        let whole = sum.last.map(|last| sum.before.map_or(last, |before| before.plus(last)));
        (whole, sum.began)
    }
}

impl Callbacks {
    /// Adds one, in place of the one of the same instrument before. False where there are `most`.
    pub(crate) fn set(
        &self,
        instrument: Identity,
        identity: Identity,
        read: impl Fn() -> Number + Send + Sync + 'static,
        now: u64,
        most: usize,
    ) -> bool {
        let mut all = lock(&self.all);
        if self.closed.load(Relaxed) {
            return true;
        }
        let before = all.iter().position(|known| known.instrument == instrument);
        let replaced = before.map(|at| all.swap_remove(at));
        // What was exported is not to come again.
        let sum =
            replaced.as_ref().map_or(Sum { began: now, ..Sum::default() }, |replaced| *lock(&replaced.sum));
        let has_room = all.len() < most;
        if has_room {
            let (identity, read, busy) = (identity.into(), Box::new(read), AtomicBool::new(false));
            all.push(Callback { instrument, identity, read, busy, sum: Mutex::new(sum) }.into());
        }
        drop(all);
        // What it had captured may do anything when it goes, so it goes when nothing is locked.
        drop(replaced);
        has_room
    }

    /// Nobody waits for one beyond that moment.
    pub(crate) fn stop_by(&self, until: Instant) {
        *lock(&self.until) = Some(until);
    }

    /// Lets go of all of them, of what they hold, and of the thread.
    pub(crate) fn forget(&self) {
        let mut all = lock(&self.all);
        self.closed.store(true, Relaxed);
        let gone = std::mem::take(&mut *all);
        drop(all);
        drop(gone);
        // Whoever waits with it lets go of it.
        if let Ok(mut runner) = self.runner.try_lock() {
            *runner = None;
        }
    }

    /// Asks each that is not busy since an earlier time, and hands what it gave to `take`; one that takes longer than
    /// `limit`, or is busy, to `late`, with whether that is new. A callback that asks for this sees none.
    pub(crate) fn read(
        &self,
        limit: Duration,
        mut take: impl FnMut(Observed),
        mut late: impl FnMut(&Callback, bool),
    ) {
        if RUNS.get() || lock(&self.all).is_empty() {
            return;
        }
        // Before the lock, because the last one to let go of a callback runs code of the user.
        let all: Vec<Arc<Callback>>;
        let mut runner = lock(&self.runner);
        let (busy, idle): (Vec<_>, Vec<_>) =
            lock(&self.all).iter().cloned().partition(|callback: &Arc<Callback>| callback.busy.load(Relaxed));
        all = idle;
        busy.iter().for_each(|callback| late(callback, false));
        let mut asked = 0;
        while asked < all.len() {
            let (done, observed) = unbounded();
            let job = Job { callbacks: all[asked..].to_vec(), done };
            let Some(sender) = runner.take().or_else(start) else {
                all[asked..].iter().for_each(|callback| late(callback, true));
                return;
            };
            if sender.send(job).is_err() {
                continue;
            }
            while let Some(one) = self.wait(&observed, limit) {
                take(one);
                asked += 1;
            }
            if let Some(hangs) = all.get(asked) {
                // Its thread ends when it returns; the rest is another one's.
                late(hangs, true);
                asked += 1;
            } else if !self.closed.load(Relaxed) {
                *runner = Some(sender);
            }
        }
    }

    /// The next one that is done, within the limit and before a shutdown is over.
    fn wait(&self, observed: &Receiver<Observed>, limit: Duration) -> Option<Observed> {
        const STEP: Duration = Duration::from_millis(10);
        let end = Instant::now().checked_add(limit);
        loop {
            match observed.recv_timeout(STEP.min(limit)) {
                Ok(one) => return Some(one),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    let until = lock(&self.until).or(end);
                    if end.is_some_and(|end| now >= end) || until.is_some_and(|until| now >= until) {
                        return None;
                    }
                }
            }
        }
    }
}

/// A thread that runs callbacks as long as somebody has its sender.
fn start() -> Option<Sender<Job>> {
    let (sender, jobs) = unbounded();
    let thread = std::thread::Builder::new().name("telemetry-callbacks".to_owned());
    thread.spawn(move || run(&jobs)).ok().map(|_| sender)
}

fn run(jobs: &Receiver<Job>) {
    suppress_this_thread();
    RUNS.set(true);
    for Job { callbacks, done } in jobs {
        for callback in callbacks {
            callback.busy.store(true, Relaxed);
            let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (callback.read)())).ok();
            callback.busy.store(false, Relaxed);
            if done.send(Observed { callback, value }).is_err() {
                // Nobody waits any more: the others of this job are somebody else's.
                break;
            }
        }
    }
}
