//! What waits for one exporter: a lane for each signal, bounded in bytes; and what its worker is told.
//!
//! The dispatcher puts parcels in, the worker takes them out, as much at once as one request may hold. A full lane loses its
//! oldest parcel. Its lock is held alone: whatever has to be settled is handed out of it.

mod heir;

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::task::Waker;
#[cfg(any(feature = "net", test))]
use std::task::{Context, Poll};
use std::time::Duration;

use super::parcel::Parcel;
use crate::clock::Tick;
use crate::exporters::{Activity, Signal};
use crate::sync::{Condvar, Mutex, lock};

pub(crate) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes of spans and events together that may wait, and of metrics.
    max: [usize; 2],
    /// Tells the dispatcher that something has changed.
    wake: Box<dyn Fn() + Send + Sync>,
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
    /// Deltas that are to become part of the next ones; where another exporter takes its place, all that is left for that one.
    handed_back: Vec<Parcel>,
    /// An exporter that was replaced has ended: nothing more is handed back.
    has_left: bool,
    /// The dispatcher is told when no more bytes of spans and events wait than that.
    room_wanted: Option<usize>,
    has_room: bool,
    /// The worker, which waits for more than there is, is told when so many bytes wait.
    enough: [usize; 3],
    told: Told,
    health: Health,
    is_changed: bool,
    waker: Option<Waker>,
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is told by itself")]
pub(crate) struct Told {
    /// Somebody waits until then: try again now.
    pub(crate) hurry: Option<Tick>,
    /// All that they wait for is in the lanes, or out.
    pub(crate) is_flushed: bool,
    /// Deliver what there is until then, and end.
    pub(crate) stop: Option<Tick>,
    /// Whoever stops it, and waits longer.
    pub(crate) end_by: Option<Tick>,
    /// End now: nobody waits any more.
    pub(crate) abandoned: bool,
    pub(crate) paused: bool,
    /// Another exporter has taken its place, and is given what is left.
    pub(crate) is_replaced: bool,
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
const SHARED: [usize; 2] = [Signal::RECORDS[0] as usize, Signal::RECORDS[1] as usize];

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
    /// `wake` is called when a lane is half empty again of which the dispatcher [wanted room](Self::want_room), and when
    /// something is [handed back](Self::hand_back).
    pub(crate) fn new(max: [usize; 2], wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), max, wake: Box::new(wake) }
    }

    /// Puts a parcel in, and hands the oldest ones out that must go for it where the lane is full. Before them go cumulative
    /// sums that this one says anew, for which it stands then; these also while the exporter is down.
    pub(crate) fn put(&self, mut parcel: Parcel) -> Vec<Parcel> {
        let (signal, size) = (parcel.batch.signal() as usize, parcel.batch.bytes());
        let mut gone = Vec::new();
        self.change(|state| {
            let is_full = state.used(signal) + size > self.max(parcel.batch.signal());
            if is_full || state.is_down[signal] {
                for old in std::mem::take(&mut state.waiting[signal]) {
                    if parcel.supersedes(&old) {
                        state.bytes[signal] -= old.batch.bytes();
                        parcel.stands_for(old.into_ticket());
                    } else {
                        state.waiting[signal].push_back(old);
                    }
                }
            }
            // Its own kind goes first.
            let own = std::iter::once(signal);
            let others = SHARED.into_iter().filter(|other| signal != *other && SHARED.contains(&signal));
            for from in own.chain(others) {
                while state.used(signal) + size > self.max(parcel.batch.signal())
                    && let Some(oldest) = state.waiting[from].pop_front()
                {
                    state.bytes[from] -= oldest.batch.bytes();
                    gone.push(oldest);
                }
            }
            let was_empty = state.waiting[signal].is_empty();
            state.bytes[signal] += size;
            state.waiting[signal].push_back(parcel);
            was_empty || state.bytes[signal] >= state.enough[signal]
        });
        gone
    }

    /// Puts the last parcel in, whatever its size: what waits will not become more.
    pub(crate) fn put_last(&self, parcel: Parcel) {
        self.change(|state| {
            let signal = parcel.batch.signal() as usize;
            state.bytes[signal] += parcel.batch.bytes();
            state.waiting[signal].push_back(parcel);
            true
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
        state.room_wanted = (!has_room).then_some(self.max(Signal::Spans) / 2);
        has_room
    }

    /// How many bytes of spans and events are missing to that many. Where that is less than a quarter, the dispatcher is told
    /// when it is half.
    pub(crate) fn room_below(&self, enough: usize) -> usize {
        let mut state = lock(&self.state);
        let room = enough.saturating_sub(state.used(Signal::Spans as usize));
        if room < enough / 4 {
            state.room_wanted = state.room_wanted.max(Some(enough / 2));
        }
        room
    }

    /// When the worker last got something through.
    pub(crate) fn last_success(&self) -> Option<Tick> {
        lock(&self.state).health.last_success
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
        let fit = all.batch.items_in(bytes).min(items).max(1);
        if fit < all.batch.len() {
            let first = all.take_first(fit);
            lane.push_front(all);
            all = first;
        }
        state.bytes[signal] = state.waiting[signal].iter().map(|parcel| parcel.batch.bytes()).sum();
        state.out[signal] += all.batch.bytes();
        state.enough[signal] = 0;
        let tell = state.room_wanted.is_some_and(|few| state.used(Signal::Spans as usize) <= few);
        if tell {
            (state.room_wanted, state.has_room) = (None, true);
        }
        drop(state);
        if tell {
            (self.wake)();
        }
        Some(all)
    }

    /// The worker has seen what waits, and takes none of it before its time or so many bytes have come.
    pub(crate) fn wait_for(&self, signal: Signal, bytes: usize) {
        lock(&self.state).enough[signal as usize] = bytes;
    }

    /// What waits of that signal.
    pub(crate) fn waiting(&self, signal: Signal) -> Option<Waiting> {
        let state = lock(&self.state);
        let since = state.waiting[signal as usize].front()?.since;
        Some(Waiting { bytes: state.bytes[signal as usize], since })
    }

    /// Cumulative sums that failed go where newer ones of the same series wait, which stand for them then.
    pub(crate) fn give_way(&self, signal: Signal, again: &mut VecDeque<Parcel>) {
        let mut state = lock(&self.state);
        let State { waiting, out, .. } = &mut *state;
        let newest = waiting[signal as usize].iter_mut().rev().find(|parcel| parcel.sums.is_some());
        let Some(newest) = newest else { return };
        for parcel in std::mem::take(again) {
            if newest.supersedes(&parcel) {
                out[signal as usize] -= parcel.batch.bytes();
                newest.stands_for(parcel.into_ticket());
            } else {
                again.push_back(parcel);
            }
        }
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
        if state.told.stop.is_some() && !state.told.is_replaced {
            return Some(parcel);
        }
        state.handed_back.push(parcel);
        drop(state);
        // Somebody may wait for them.
        (self.wake)();
        None
    }

    pub(crate) fn has_handed_back(&self) -> bool {
        !lock(&self.state).handed_back.is_empty()
    }

    pub(crate) fn take_handed_back(&self) -> Vec<Parcel> {
        std::mem::take(&mut lock(&self.state).handed_back)
    }

    /// Somebody waits for what there is now, until then.
    pub(crate) fn hurry(&self, until: Tick) {
        self.tell(|told| told.hurry = told.hurry.max(Some(until)));
    }

    /// The same, and all of it is in the lanes by now.
    pub(crate) fn flushed(&self, until: Tick) {
        self.tell(|told| (told.hurry, told.is_flushed) = (told.hurry.max(Some(until)), true));
    }

    /// Nothing more comes, nor anything with what was handed back.
    pub(crate) fn stop(&self, until: Tick) -> Vec<Parcel> {
        self.tell(|told| {
            let until = Some(told.end_by.map_or(until, |end| end.min(until)));
            (told.hurry, told.stop) = (until, until);
        });
        self.take_handed_back()
    }

    /// Whoever stops it, or has stopped it, waits no longer than until then.
    pub(crate) fn end_by(&self, until: Tick) {
        self.tell(|told| {
            told.end_by = Some(until);
            told.stop = told.stop.map(|stop| stop.min(until));
        });
    }

    /// Nobody waits any more.
    pub(crate) fn abandon(&self) {
        self.tell(|told| told.abandoned = true);
    }

    /// From now on nothing is attempted, or again.
    pub(crate) fn pause(&self, paused: bool) {
        self.tell(|told| told.paused = paused);
    }

    /// What the worker is told; a hurry and a flush once.
    pub(crate) fn told(&self) -> Told {
        let mut state = lock(&self.state);
        let told = state.told;
        (state.told.hurry, state.told.is_flushed) = (None, false);
        told
    }

    /// How the exporter fares, and when the oldest item was accepted that waits for it.
    pub(crate) fn health(&self) -> (Health, Option<Tick>, bool) {
        let state = lock(&self.state);
        let waiting = state.waiting.iter().filter_map(|lane| lane.front()).map(|parcel| parcel.since);
        let oldest = waiting.chain(state.health.oldest_out).min();
        (state.health, oldest, state.told.paused)
    }

    /// Whether the exporter's check at the start goes on.
    pub(crate) fn is_checking(&self) -> bool {
        lock(&self.state).health.activity == Activity::Check
    }

    pub(crate) fn is_paused(&self) -> bool {
        lock(&self.state).told.paused
    }

    pub(crate) fn note_health(&self, note: impl FnOnce(&mut Health)) {
        note(&mut lock(&self.state).health);
    }

    /// Something that concerns the worker has changed: time, for instance.
    pub(crate) fn wake(&self) {
        self.tell(|_| ());
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

    fn tell(&self, tell: impl FnOnce(&mut Told)) {
        self.change(|state| {
            tell(&mut state.told);
            true
        });
    }

    /// Wakes the worker, if the change concerns it.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = lock(&self.state);
        if !change(&mut state) {
            return;
        }
        state.is_changed = true;
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
