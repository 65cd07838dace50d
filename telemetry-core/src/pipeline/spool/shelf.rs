//! What the thread of a spool and the exporter's worker both see: the next bodies to send, and what could not be stored.
//!
//! The thread puts bodies in as there is room for them, the worker takes them out, and puts back what failed. Its lock is held
//! alone.

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::Stored;
use crate::clock::Tick;
use crate::exporters::Signal;
use crate::pipeline::lanes::Lanes;
use crate::pipeline::parcel::{Parcel, Tries};
use crate::sync::{Mutex, lock};

/// A stored body on its way to the receiver.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(super) stored: Stored,
    pub(crate) tries: Tries,
    /// When its last attempt began.
    pub(crate) since: Tick,
}

impl Replay {
    pub(crate) fn signal(&self) -> Signal {
        self.stored.signal
    }

    pub(crate) fn items(&self) -> u64 {
        self.stored.items
    }

    pub(crate) fn body(&self) -> bytes::Bytes {
        self.stored.body.clone()
    }
}

/// How a spool fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Of all its files.
    pub(crate) bytes: u64,
    /// The number of the last frame that is committed.
    pub(crate) committed: u64,
}

pub(crate) struct Shelf {
    state: Mutex<State>,
}

struct State {
    /// Whose worker is told when something has changed.
    lanes: Arc<Lanes>,
    ready: [VecDeque<Replay>; 3],
    /// There is more of it on the disk.
    has_more: [bool; 3],
    /// So many bodies are on their way to the disk.
    storing: usize,
    failed: Vec<Parcel>,
    figures: Figures,
    /// The worker may have something to do.
    is_news: bool,
}

/// So many bodies of a signal are ready to be sent: enough for the time that it takes to read the next ones. Each of them may keep
/// what was read with it in memory.
const AHEAD: usize = 8;
/// A single body that was a suspect so often is refused.
const MOST_ALONE: u32 = 5;

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl Shelf {
    pub(crate) fn new(lanes: Arc<Lanes>) -> Self {
        let (ready, has_more, failed) = Default::default();
        let figures = Figures::default();
        let state = State { lanes, ready, has_more, storing: 0, failed, figures, is_news: false };
        Self { state: Mutex::new(state) }
    }

    /// Another worker has it from now on.
    pub(super) fn pass_to(&self, lanes: Arc<Lanes>) {
        let mut state = lock(&self.state);
        state.lanes = lanes;
        state.is_news = true;
    }

    pub(crate) fn figures(&self) -> Figures {
        lock(&self.state).figures
    }

    /// Whether bodies of that signal are stored that nobody has.
    pub(crate) fn has(&self, signal: Signal) -> bool {
        let state = lock(&self.state);
        state.has_more[signal as usize] || !state.ready[signal as usize].is_empty()
    }

    /// Whether anything is ready to be sent.
    pub(crate) fn is_any_ready(&self) -> bool {
        lock(&self.state).ready.iter().any(|ready| !ready.is_empty())
    }

    /// How many items the next body has; none where none is ready.
    pub(crate) fn next(&self, signal: Signal) -> Option<u64> {
        lock(&self.state).ready[signal as usize].front().map(Replay::items)
    }

    pub(crate) fn take(&self, signal: Signal) -> Option<Replay> {
        lock(&self.state).ready[signal as usize].pop_front()
    }

    /// It was not taken: it is the next one again, or comes behind those that are ready.
    pub(crate) fn give_back(&self, replay: Replay, is_last: bool) {
        let mut state = lock(&self.state);
        let ready = &mut state.ready[replay.signal() as usize];
        if is_last {
            ready.push_back(replay);
        } else {
            ready.push_front(replay);
        }
    }

    /// Another request has got through: those that failed several times fail for themselves. Those that always do are handed
    /// out.
    pub(crate) fn got_through(&self, signal: Signal, is_suspect: impl Fn(&Tries) -> bool) -> Vec<Replay> {
        let mut state = lock(&self.state);
        let ready = &mut state.ready[signal as usize];
        for replay in ready.iter_mut().filter(|replay| is_suspect(&replay.tries)) {
            replay.tries.failures = 0;
            replay.tries.alone += 1;
        }
        let (refused, left) = std::mem::take(ready).into_iter().partition(|r| r.tries.alone >= MOST_ALONE);
        *ready = left;
        Vec::from(refused)
    }

    /// How many bodies are on their way to the disk.
    pub(crate) fn storing(&self) -> usize {
        lock(&self.state).storing
    }

    pub(crate) fn is_storing(&self) {
        lock(&self.state).storing += 1;
    }

    /// What could not be stored; it is out, as it was before.
    pub(crate) fn take_failed(&self) -> Vec<Parcel> {
        std::mem::take(&mut lock(&self.state).failed)
    }

    /// So many bodies are on their way no more: of these signals some are stored, and those parcels are not.
    pub(super) fn stored(&self, bodies: usize, stored: [bool; 3], failed: Vec<Parcel>) {
        let mut state = lock(&self.state);
        state.storing -= bodies;
        // At no moment it looks as if there were nothing left.
        state.has_more.iter_mut().zip(stored).for_each(|(has_more, stored)| *has_more |= stored);
        state.failed.extend(failed);
        state.is_news = true;
    }

    /// So many more may be put in.
    pub(super) fn room(&self, signal: Signal) -> usize {
        AHEAD.saturating_sub(lock(&self.state).ready[signal as usize].len())
    }

    pub(super) fn put(&self, signal: Signal, more: Vec<Stored>, has_more: bool) {
        let mut state = lock(&self.state);
        let more =
            more.into_iter().map(|stored| Replay { stored, tries: Tries::default(), since: Tick::default() });
        let had_more = std::mem::replace(&mut state.has_more[signal as usize], has_more);
        let ready = &mut state.ready[signal as usize];
        // Who finds some takes what it can, and comes back for the others by itself.
        let was_empty = ready.is_empty();
        ready.extend(more);
        let is_news = was_empty && !ready.is_empty() || had_more != has_more;
        state.is_news |= is_news;
    }

    /// All that is ready, at the end.
    pub(super) fn take_all(&self) -> Vec<Replay> {
        lock(&self.state).ready.iter_mut().flat_map(std::mem::take).collect()
    }

    /// The thread waits for more to do.
    pub(super) fn note(&self, figures: Figures) {
        let mut state = lock(&self.state);
        state.figures = figures;
        let is_news = std::mem::take(&mut state.is_news);
        let lanes = Arc::clone(&state.lanes);
        drop(state);
        if is_news {
            lanes.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_there_before_it_is_handed_out() {
        let shelf = Shelf::new(Arc::new(Lanes::new([1 << 10; 2], || ())));
        shelf.is_storing();
        assert!(shelf.storing() == 1 && !Signal::EACH.iter().any(|signal| shelf.has(*signal)));
        shelf.stored(1, [false, true, false], Vec::new());
        assert_eq!(shelf.storing(), 0);
        assert_eq!(Signal::EACH.map(|signal| shelf.has(signal)), [false, true, false]);
    }
}
