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

use super::parcel::{Parcel, Reading};
use crate::clock::Tick;
use crate::exporters::{Activity, Signal};
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
    handed_back: Vec<Parcel>,
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

/// The bytes of all that shares its memory with a signal.
fn shared(bytes: &[usize; 3], signal: usize) -> usize {
    if SHARED.contains(&signal) { SHARED.iter().map(|i| bytes[*i]).sum() } else { bytes[signal] }
}

impl State {
    /// Bytes that wait of all that shares its memory with a signal.
    fn used(&self, signal: usize) -> usize {
        shared(&self.bytes, signal)
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

    /// Puts a parcel in. What must go for it is handed back: the oldest ones where the lane is full, but before them cumulative
    /// sums that this one says anew; these also while the exporter is down.
    pub(crate) fn put(&self, parcel: Parcel) -> Evicted {
        let (signal, size) = (parcel.batch.signal() as usize, parcel.batch.bytes());
        let mut gone = Evicted::default();
        self.change(|state| {
            let is_full = state.used(signal) + size > self.max(parcel.batch.signal());
            if is_full || state.is_down[signal] {
                let lane = &mut state.waiting[signal];
                let (older, others): (Vec<_>, Vec<_>) =
                    lane.drain(..).partition(|old| parcel.supersedes(old));
                lane.extend(others);
                gone.superseded = older;
                state.bytes[signal] -= gone.superseded.iter().map(|old| old.batch.bytes()).sum::<usize>();
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

    /// Whether the lanes of spans and events are half empty, or were since the last time. If not, the dispatcher is told when
    /// they are.
    pub(crate) fn want_room(&self) -> bool {
        let mut state = lock(&self.state);
        let has_room = std::mem::take(&mut state.has_room) || self.is_half_empty(&state);
        state.room_wanted = !has_room;
        has_room
    }

    fn is_half_empty(&self, state: &State) -> bool {
        state.used(Signal::Spans as usize) <= self.max(Signal::Spans) / 2
    }

    /// Of all that waits as much as one request may hold, and at least one item.
    pub(crate) fn take(&self, signal: Signal, items: usize, bytes: usize) -> Option<Parcel> {
        let (max, signal, mut state) = (self.max(signal), signal as usize, lock(&self.state));
        let head = state.waiting[signal].front()?.batch.bytes();
        // One of each signal may go in any case: what shares its memory must not stop it.
        if state.out[signal] > 0 && shared(&state.out, signal) + head.min(bytes) > max {
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

    /// Of which reading the newest cumulative sums are that wait, and in which generation they were accepted.
    pub(crate) fn waiting_sums(&self, signal: Signal) -> Option<(Reading, u64)> {
        let state = lock(&self.state);
        let newest = state.waiting[signal as usize].back()?;
        Some((newest.sums?, newest.ticket.generation()))
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

    /// Deltas that could not be delivered are to become part of the next ones; given back where there will be none.
    pub(crate) fn hand_back(&self, parcel: Parcel) -> Option<Parcel> {
        let mut state = lock(&self.state);
        if state.told.stop.is_some() {
            return Some(parcel);
        }
        state.handed_back.push(parcel);
        None
    }

    pub(crate) fn take_handed_back(&self) -> Vec<Parcel> {
        std::mem::take(&mut lock(&self.state).handed_back)
    }

    /// Somebody waits for what there is now.
    pub(crate) fn hurry(&self) {
        self.change(|state| state.told.hurry = true);
    }

    /// Nothing more comes, nor anything with what was handed back.
    pub(crate) fn stop(&self, until: Tick) -> Vec<Parcel> {
        self.change(|state| state.told = Told { hurry: true, stop: Some(until), ..state.told });
        self.take_handed_back()
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
