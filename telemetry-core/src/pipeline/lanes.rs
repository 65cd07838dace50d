//! What waits for one exporter: a lane for each signal, bounded in bytes; and what its worker is told.
//!
//! The dispatcher puts parcels in, the worker takes them out, as much at once as one request may hold. A full lane loses its
//! oldest parcel. Its lock is held alone: whatever has to be settled is handed out of it.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::task::Waker;
#[cfg(any(feature = "net", test))]
use std::task::{Context, Poll};
use std::time::Duration;

use super::parcel::Parcel;
use crate::clock::Tick;
use crate::exporters::{Activity, Batch, Signal};
use crate::sync::{Condvar, Mutex, lock};

pub(crate) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes of spans and events together that may wait, and of metrics.
    max: [usize; 2],
    /// Tells the dispatcher that there is room again.
    room: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    waiting: [VecDeque<Parcel>; 3],
    /// Of those.
    bytes: [usize; 3],
    /// Of those that the worker has.
    out: [usize; 3],
    /// The worker has failed to get that signal through: of sums, only the newest need to wait.
    is_down: [bool; 3],
    /// Deltas that are to become part of the next ones.
    handed_back: Vec<Batch>,
    room_wanted: bool,
    has_room: bool,
    told: Told,
    health: Health,
    is_changed: bool,
    waker: Option<Waker>,
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Somebody waits: try again now.
    pub(crate) hurry: bool,
    /// Deliver what there is until then, and end.
    pub(crate) stop: Option<Tick>,
    /// End now: nobody waits any more.
    pub(crate) abandoned: bool,
    pub(crate) paused: bool,
}

/// How an exporter fares.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Health {
    /// When it last delivered something.
    pub(crate) last_success: Option<Tick>,
    /// Attempts that failed since.
    pub(crate) failures: u32,
    /// When the oldest of the items was accepted that the worker has.
    pub(crate) oldest_out: Option<Tick>,
    pub(crate) activity: Activity,
}

/// What waits in a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) bytes: usize,
    /// When the oldest of it was accepted.
    pub(crate) since: Tick,
}

/// These share their memory.
const SHARED: [usize; 2] = [Signal::Spans as usize, Signal::Events as usize];

impl State {
    /// Bytes that wait of all that shares its memory with a signal.
    fn used(&self, signal: usize) -> usize {
        if SHARED.contains(&signal) {
            SHARED.iter().map(|i| self.bytes[*i]).sum()
        } else {
            self.bytes[signal]
        }
    }
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("max", &self.max).finish_non_exhaustive()
    }
}

impl Lanes {
    /// `room` is called when a lane is half empty again of which the dispatcher [wanted room](Self::want_room).
    pub(crate) fn new(max: [usize; 2], room: impl Fn() + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), max, room: Box::new(room) }
    }

    /// Puts a parcel in. What must go for it is handed back: the oldest ones where the lane is full, and cumulative sums that
    /// this one says anew while the exporter is down.
    pub(crate) fn put(&self, parcel: Parcel) -> Evicted {
        let (signal, size) = (parcel.batch.signal() as usize, parcel.batch.bytes());
        let mut gone = Evicted::default();
        self.change(|state| {
            let lane = &mut state.waiting[signal];
            if parcel.sums.is_some() && state.is_down[signal] {
                let (older, others): (Vec<_>, Vec<_>) =
                    lane.drain(..).partition(|old| old.sums == parcel.sums);
                lane.extend(others);
                state.bytes[signal] -= older.iter().map(|old| old.batch.bytes()).sum::<usize>();
                gone.superseded = older;
            }
            // Its own kind goes first.
            let own = std::iter::once(signal);
            let others = SHARED.into_iter().filter(|other| signal != *other && SHARED.contains(&signal));
            for from in own.chain(others) {
                while state.used(signal) + size > self.max(parcel.batch.signal())
                    && let Some(oldest) = state.waiting[from].pop_front()
                {
                    state.bytes[from] -= oldest.batch.bytes();
                    gone.oldest.push(oldest);
                }
            }
            state.bytes[signal] += size;
            state.waiting[signal].push_back(parcel);
        });
        gone
    }

    /// Puts the last parcel in, whatever its size: what waits will not become more.
    pub(crate) fn put_last(&self, parcel: Parcel) {
        self.change(|state| {
            let signal = parcel.batch.signal() as usize;
            state.bytes[signal] += parcel.batch.bytes();
            state.waiting[signal].push_back(parcel);
        });
    }

    /// So many more bytes fit without anything having to go.
    pub(crate) fn room(&self, signal: Signal) -> usize {
        self.max(signal).saturating_sub(lock(&self.state).used(signal as usize))
    }

    /// Whether nothing of that signal waits.
    pub(crate) fn is_empty(&self, signal: Signal) -> bool {
        lock(&self.state).waiting[signal as usize].is_empty()
    }

    /// So many bytes may wait; of spans and events together.
    pub(crate) fn max(&self, signal: Signal) -> usize {
        self.max[usize::from(signal == Signal::Metrics)]
    }

    /// The dispatcher waits until the worker has taken so much that the lanes of spans and events are half empty; whether it
    /// has since the last time.
    pub(crate) fn want_room(&self) -> bool {
        let mut state = lock(&self.state);
        state.room_wanted = true;
        std::mem::take(&mut state.has_room)
    }

    fn is_half_empty(&self, state: &State) -> bool {
        state.used(Signal::Spans as usize) <= self.max(Signal::Spans) / 2
    }

    /// Of all that waits as much as one request may hold, and at least one item.
    pub(crate) fn take(&self, signal: Signal, items: usize, bytes: usize) -> Option<Parcel> {
        let (max, signal, mut state) = (self.max(signal), signal as usize, lock(&self.state));
        let (head, out) = (state.waiting[signal].front()?.batch.bytes(), state.out[signal]);
        if out > 0 && out + head.min(bytes) > max {
            return None;
        }
        let lane = &mut state.waiting[signal];
        let mut all = lane.pop_front()?;
        while let Some(next) = lane.pop_front_if(|next| {
            all.takes(next) && all.batch.len() < items && all.batch.bytes() + next.batch.bytes() <= bytes
        }) {
            all.append(next);
        }
        let (len, size) = (all.batch.len(), all.batch.bytes());
        let fit = if size > bytes { (len as u128 * bytes as u128 / size as u128) as usize } else { len };
        let fit = fit.min(items).max(1);
        if fit < len {
            let first = all.take_first(fit);
            lane.push_front(all);
            all = first;
        }
        state.bytes[signal] = state.waiting[signal].iter().map(|parcel| parcel.batch.bytes()).sum();
        state.out[signal] += all.batch.bytes();
        let tell = state.room_wanted && self.is_half_empty(&state);
        if tell {
            (state.room_wanted, state.has_room) = (false, true);
        }
        drop(state);
        if tell {
            (self.room)();
        }
        Some(all)
    }

    /// What waits of that signal.
    pub(crate) fn waiting(&self, signal: Signal) -> Option<Waiting> {
        let state = lock(&self.state);
        let since = state.waiting[signal as usize].front()?.since;
        Some(Waiting { bytes: state.bytes[signal as usize], since })
    }

    /// Of which endings the newest cumulative sums are that wait.
    pub(crate) fn waiting_sums(&self, signal: Signal) -> Option<u64> {
        lock(&self.state).waiting[signal as usize].back()?.sums
    }

    /// The worker is done with so many bytes of that signal.
    pub(crate) fn done(&self, signal: Signal, bytes: usize) {
        let mut state = lock(&self.state);
        state.out[signal as usize] -= bytes;
    }

    /// Whether the exporter is down for that signal.
    pub(crate) fn set_down(&self, signal: Signal, is_down: bool) {
        lock(&self.state).is_down[signal as usize] = is_down;
    }

    /// Deltas that could not be delivered are to become part of the next ones.
    pub(crate) fn hand_back(&self, batch: Batch) {
        lock(&self.state).handed_back.push(batch);
    }

    pub(crate) fn take_handed_back(&self) -> Vec<Batch> {
        std::mem::take(&mut lock(&self.state).handed_back)
    }

    /// Somebody waits for what there is now.
    pub(crate) fn hurry(&self) {
        self.change(|state| state.told.hurry = true);
    }

    /// Nothing more comes.
    pub(crate) fn stop(&self, until: Tick) {
        self.change(|state| state.told = Told { hurry: true, stop: Some(until), ..state.told });
    }

    /// Nobody waits any more.
    pub(crate) fn abandon(&self) {
        self.change(|state| state.told.abandoned = true);
    }

    /// From now on nothing is attempted, or again.
    pub(crate) fn pause(&self, paused: bool) {
        self.change(|state| state.told.paused = paused);
    }

    /// What the worker is told; a hurry once.
    pub(crate) fn told(&self) -> Told {
        let mut state = lock(&self.state);
        let told = state.told;
        state.told.hurry = false;
        told
    }

    /// How the exporter fares, and when the oldest item was accepted that waits for it.
    pub(crate) fn health(&self) -> (Health, Option<Tick>, bool) {
        let state = lock(&self.state);
        let waiting = state.waiting.iter().filter_map(|lane| lane.front()).map(|parcel| parcel.since);
        let oldest = waiting.chain(state.health.oldest_out).min();
        (state.health, oldest, state.told.paused)
    }

    pub(crate) fn note_health(&self, note: impl FnOnce(&mut Health)) {
        note(&mut lock(&self.state).health);
    }

    /// Something that concerns the worker has changed: time, for instance.
    pub(crate) fn wake(&self) {
        self.change(|_| ());
    }

    /// Waits until something changes that concerns the worker, or that time is over.
    pub(crate) fn wait(&self, at_most: Option<Duration>) {
        let mut state = lock(&self.state);
        let end = at_most.map(crate::clock::deadline_in);
        while !state.is_changed {
            state = match end.map(|end| end.saturating_duration_since(std::time::Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.is_changed = false;
    }

    /// The same for a worker that has other things to wait for too.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn poll_changed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if std::mem::take(&mut state.is_changed) {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        state.is_changed = true;
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What had to go for a parcel.
#[derive(Debug, Default)]
pub(crate) struct Evicted {
    pub(crate) oldest: Vec<Parcel>,
    pub(crate) superseded: Vec<Parcel>,
}
