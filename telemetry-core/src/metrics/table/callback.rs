//! Observable instruments: functions of the user that give a value when a snapshot asks for it.
//!
//! They run on threads of their own, so that one that hangs or panics costs the others nothing: a snapshot waits for all of
//! them together only so long, and when one takes its time another thread goes on with the next. One that hangs is left out
//! until it returns. What they captured goes with no lock held, and never on a thread that others wait for.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};

use crate::clock::deadline_in;
use crate::metrics::cell::Total;
use crate::metrics::memory::Held;
use crate::metrics::series::{Growth, Width};
use crate::model::{Identity, Kind, Number};
use crate::sync::{Mutex, lock};
use crate::thread::{quietly, spawn};

/// What callbacks said when they were asked.
#[derive(Default)]
pub(crate) struct Observations(pub(crate) Vec<Observed>);

pub(crate) struct Observed {
    pub(crate) instrument: Arc<Observable>,
    pub(crate) said: Said,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    Value(Number),
    Panicked,
    /// Nothing within its time.
    Late,
    /// Nothing since an earlier time.
    NothingYet,
}

/// So many threads may be held by callbacks that do not return.
const MOST_RUNNERS: usize = 64;
const LEAST_PATIENCE: Duration = Duration::from_millis(1);
const MOST_PATIENCE: Duration = Duration::from_millis(25);
/// A shutdown may take time away at any moment.
const STEP: Duration = Duration::from_millis(10);

type Read = dyn Fn() -> Number + Send + Sync;

struct Callback {
    /// Before views: it names the instrument.
    named: Identity,
    instrument: Arc<Observable>,
    /// Held only here and, while it runs, by a thread of callbacks.
    read: Arc<Read>,
    /// For its names.
    _held: Held,
}

/// What is known of an observable instrument, without code of the program.
pub(crate) struct Observable {
    pub(crate) identity: Arc<Identity>,
    /// Of its metric.
    pub(crate) width: Arc<Width>,
    /// Its callback has not returned yet.
    busy: AtomicBool,
    /// It was in the last reading.
    was_there: AtomicBool,
    sum: Mutex<Sum>,
}

/// A sum that became less has begun anew: what it was before is kept.
#[derive(Clone, Default)]
struct Sum {
    last: Option<Number>,
    before: Total,
    growth: Growth,
    /// When it was first asked, in nanoseconds since the Unix epoch, and when it was last.
    began: u64,
    read: u64,
}

/// The sum since a moment.
#[derive(Clone, Copy)]
pub(crate) struct Since {
    pub(crate) value: Number,
    pub(crate) taken_off: i128,
    /// In nanoseconds since the Unix epoch.
    pub(crate) began: u64,
}

#[derive(Default)]
pub(crate) struct Callbacks {
    all: Mutex<Vec<Callback>>,
    /// Held while somebody asks them.
    turn: Mutex<()>,
    idle: Arc<Mutex<Idle>>,
    /// From then on nobody waits.
    until: Mutex<Option<Instant>>,
}

/// The thread that has nothing to do.
#[derive(Default)]
struct Idle {
    /// Where it takes its next work; it ends when this is dropped.
    thread: Option<Sender<Arc<Job>>>,
    closed: bool,
}

thread_local! {
    /// This thread runs callbacks.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

impl Observable {
    /// Whether it was in the reading before this one, and is not in this one.
    pub(crate) fn has_gone(&self, is_there: bool) -> bool {
        self.was_there.swap(is_there, Relaxed) && !is_there
    }

    /// The sum since it was first asked, or has begun anew; `value` is what it says now, none where it said nothing.
    pub(crate) fn sum(&self, value: Option<Number>, now: u64) -> Option<Since> {
        let mut sum = lock(&self.sum);
        let (sum, kind) = (&mut *sum, self.identity.kind);
        if let Some(value) = value {
            if let Some(last) = sum.last.filter(|last| kind == Kind::Counter && value.is_below(*last)) {
                sum.before = sum.before.plus(last);
            }
            sum.last = Some(value);
        }
        let whole = sum.before.plus(sum.last?);
        sum.growth.read(&self.identity, whole, sum.read);
        sum.read = now;
        let (value, began) = (sum.growth.left(whole), sum.growth.began().unwrap_or(sum.began));
        Some(Since { value, taken_off: sum.growth.taken_off(), began })
    }
}

impl Callbacks {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.all).is_empty()
    }

    /// Whether one of that instrument can be added, of which there may be `most`.
    pub(crate) fn takes(&self, named: &Identity, most: usize) -> bool {
        let all = lock(&self.all);
        all.len() < most || all.iter().any(|known| known.named == *named)
    }

    /// Adds one, under the name of its instrument and that of its series, in place of the one of the same instrument before.
    /// False where there are `most`.
    pub(crate) fn set(
        &self,
        [named, identity]: [Identity; 2],
        width: Arc<Width>,
        read: impl Fn() -> Number + Send + Sync + 'static,
        now: u64,
        most: usize,
        held: Held,
    ) -> bool {
        let mut all = lock(&self.all);
        if lock(&self.idle).closed {
            return true;
        }
        let before = all.iter().position(|known| known.named == named);
        let replaced = before.map(|at| all.swap_remove(at));
        // What was exported is not to come again.
        let sum = replaced.as_ref().map(|replaced| lock(&replaced.instrument.sum).clone());
        let sum = sum.unwrap_or(Sum { began: now, read: now, ..Sum::default() });
        let has_room = all.len() < most;
        if has_room {
            let before =
                replaced.as_ref().is_some_and(|replaced| replaced.instrument.was_there.load(Relaxed));
            let (busy, was_there) = (AtomicBool::new(false), AtomicBool::new(before));
            let (identity, sum) = (identity.into(), Mutex::new(sum));
            let instrument = Arc::new(Observable { identity, width, busy, was_there, sum });
            all.push(Callback { named, instrument, read: Arc::new(read), _held: held });
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
        *lock(&self.idle) = Idle { thread: None, closed: true };
        let gone = std::mem::take(&mut *all);
        drop(all);
        for callback in gone {
            quietly(|| drop(callback));
        }
    }

    /// Asks each that is not busy since an earlier time. All of them together have so long; one that takes longer costs the
    /// others nothing, and is left out until it returns. A callback that asks for this sees none.
    pub(crate) fn observe(&self, budget: Duration) -> Observations {
        if RUNS.get() {
            return Observations::default();
        }
        // One at a time, or each would find the others' callbacks busy.
        let _turn = lock(&self.turn);
        let of = |known: &Callback| (Arc::clone(&known.instrument), Arc::downgrade(&known.read));
        let all: Vec<_> = lock(&self.all).iter().map(of).collect();
        let (busy, idle): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(instrument, _)| instrument.busy.load(Relaxed));
        let nothing = |(instrument, _)| Observed { instrument, said: Said::NothingYet };
        let mut observations: Vec<Observed> = busy.into_iter().map(nothing).collect();
        let (done, answers) = unbounded();
        let job = Arc::new(Job { callbacks: idle, next: AtomicUsize::new(0), done });
        let mut said: Vec<Option<Said>> = job.callbacks.iter().map(|_| None).collect();
        let (end, mut open) = (deadline_in(budget), said.len());
        let mut runners = 0;
        while open > 0 {
            let waits = job.next.load(Relaxed) < said.len();
            if waits && runners < MOST_RUNNERS && self.run(&job) {
                runners += 1;
            }
            let left = self.left(end);
            // Nothing within a part of the time that is left for those that wait: somebody else takes them on.
            let patience = left / u32::try_from(2 * open).unwrap_or(u32::MAX);
            let patience = if waits { patience.clamp(left.min(LEAST_PATIENCE), MOST_PATIENCE) } else { STEP };
            match answers.recv_timeout(patience.min(left)) {
                Ok((at, answer)) => {
                    said[at] = Some(answer);
                    open -= 1;
                    // Whoever answers goes on with the next.
                    while let Ok((at, answer)) = answers.recv_timeout(STEP.min(self.left(end))) {
                        said[at] = Some(answer);
                        open -= 1;
                        if open == 0 {
                            break;
                        }
                    }
                }
                Err(_) if left.is_zero() => break,
                Err(_) => {}
            }
        }
        // Nobody begins another one for us.
        job.next.store(job.callbacks.len(), Relaxed);
        for ((instrument, _), said) in job.callbacks.iter().zip(said) {
            let said = said.unwrap_or(Said::Late);
            observations.push(Observed { instrument: Arc::clone(instrument), said });
        }
        Observations(observations)
    }

    /// How much time is left, also before a shutdown is over.
    fn left(&self, end: Instant) -> Duration {
        let end = lock(&self.until).map_or(end, |until| until.min(end));
        end.saturating_duration_since(Instant::now())
    }

    /// Lets one more thread run the callbacks of a job.
    fn run(&self, job: &Arc<Job>) -> bool {
        let thread = {
            let mut idle = lock(&self.idle);
            if idle.closed {
                return false;
            }
            idle.thread.take()
        };
        if thread.is_some_and(|thread| thread.send(Arc::clone(job)).is_ok()) {
            return true;
        }
        let (mut job, place) = (Arc::clone(job), Arc::clone(&self.idle));
        let run = move || {
            RUNS.set(true);
            loop {
                job.run();
                // What it holds of the program goes before this thread waits.
                drop(job);
                let (sender, next) = bounded(1);
                // One thread waits for the next time; further ones end.
                match lock(&place) {
                    mut idle if idle.thread.is_none() && !idle.closed => idle.thread = Some(sender),
                    _ => return,
                }
                match next.recv() {
                    Ok(next) => job = next,
                    Err(_) => return,
                }
            }
        };
        spawn("telemetry-callbacks", run).is_ok()
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Callbacks that are to be asked.
struct Job {
    callbacks: Vec<(Arc<Observable>, Weak<Read>)>,
    next: AtomicUsize,
    done: Sender<(usize, Said)>,
}

impl Job {
    fn run(&self) {
        loop {
            let at = self.next.fetch_add(1, Relaxed);
            let Some((instrument, read)) = self.callbacks.get(at) else { return };
            let said = if instrument.busy.swap(true, Relaxed) {
                Said::NothingYet
            } else {
                let said = read.upgrade().map_or(Said::NothingYet, |read| {
                    let value = quietly(|| read());
                    // Somebody may have replaced it meanwhile.
                    quietly(|| drop(read));
                    value.map_or(Said::Panicked, Said::Value)
                });
                instrument.busy.store(false, Relaxed);
                said
            };
            let _ = self.done.send((at, said));
        }
    }
}
