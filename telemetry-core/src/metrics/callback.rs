//! Observable instruments: functions of the user that give a value when a snapshot asks for it.
//!
//! They run on a thread of their own, so that one that hangs or panics costs the others nothing: a snapshot waits
//! for each only so long. One that hangs is left out until it returns. Values of the user never go under a lock.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::model::{Identity, Kind, Number};
use crate::thread::suppress_this_thread;

/// What a callback gave: the value; none where it panicked.
pub(crate) struct Observed {
    pub(crate) callback: Arc<Callback>,
    pub(crate) value: Option<Number>,
}

pub(crate) struct Callback {
    pub(crate) identity: Arc<Identity>,
    read: Box<dyn Fn() -> Number + Send + Sync>,
    /// It has not returned yet.
    busy: AtomicBool,
    sum: Mutex<Sum>,
}

/// Times are in nanoseconds since the Unix epoch.
#[derive(Default)]
struct Sum {
    last: f64,
    read: u64,
    since: u64,
}

#[derive(Default)]
pub(crate) struct Callbacks {
    all: Mutex<Vec<Arc<Callback>>>,
    /// Where the thread that runs them takes its work; also held while somebody waits for it.
    runner: Mutex<Option<Sender<Job>>>,
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
    /// Since when a sum is summed up, in nanoseconds since the Unix epoch: one that became less began anew. A gauge's
    /// value has no beginning.
    pub(crate) fn start(&self, value: Number, now: u64) -> Option<u64> {
        let mut sum = lock(&self.sum);
        if self.identity.kind == Kind::Counter && value.as_f64() < sum.last {
            sum.since = sum.read;
        }
        (sum.last, sum.read) = (value.as_f64(), now);
        (self.identity.kind != Kind::Gauge).then_some(sum.since)
    }
}

impl Callbacks {
    /// Adds one, in place of the one that gave the value of the same series before. False where there are `most`.
    pub(crate) fn set(
        &self,
        identity: Identity,
        read: impl Fn() -> Number + Send + Sync + 'static,
        now: u64,
        most: usize,
    ) -> bool {
        let callback = Callback {
            identity: identity.into(),
            read: Box::new(read),
            busy: AtomicBool::new(false),
            sum: Mutex::new(Sum { last: 0.0, read: now, since: now }),
        };
        let mut all = lock(&self.all);
        let before = all.iter().position(|known| known.identity == callback.identity);
        let replaced = before.map(|at| all.swap_remove(at));
        let has_room = all.len() < most;
        if has_room {
            all.push(callback.into());
        }
        drop(all);
        // What it had captured may do anything when it goes, so it goes when nothing is locked.
        drop(replaced);
        has_room
    }

    /// Lets go of all of them, of what they hold, and of the thread.
    pub(crate) fn forget(&self) {
        let all = std::mem::take(&mut *lock(&self.all));
        drop(all);
        *lock(&self.runner) = None;
    }

    /// Asks each that is not busy since an earlier time, and hands what it gave to `take`; one that takes longer than
    /// `limit` to `late`. A callback that asks for this sees none.
    pub(crate) fn read(
        &self,
        limit: Duration,
        mut take: impl FnMut(Observed),
        mut late: impl FnMut(&Callback),
    ) {
        if RUNS.get() || lock(&self.all).is_empty() {
            return;
        }
        // Before the lock, because the last one to let go of a callback runs code of the user.
        let idle = |callback: &&Arc<Callback>| !callback.busy.load(Relaxed);
        let all: Vec<Arc<Callback>>;
        let mut runner = lock(&self.runner);
        all = lock(&self.all).iter().filter(idle).cloned().collect();
        let mut asked = 0;
        while asked < all.len() {
            let (done, observed) = unbounded();
            let job = Job { callbacks: all[asked..].to_vec(), done };
            let Some(sender) = runner.take().or_else(start) else {
                all[asked..].iter().for_each(|callback| late(callback));
                return;
            };
            if sender.send(job).is_err() {
                continue;
            }
            while let Ok(one) = observed.recv_timeout(limit) {
                take(one);
                asked += 1;
            }
            if let Some(hangs) = all.get(asked) {
                // Its thread ends when it returns; the rest is another one's.
                late(hangs);
                asked += 1;
            } else {
                *runner = Some(sender);
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
