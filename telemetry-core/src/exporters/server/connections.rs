//! All connections of a server: how many there may be, who has to go for one more, and who has taken too long.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::bounds::Bounds;
use super::connection::{Phase, State};

/// Those that are open.
pub(super) struct Connections {
    bounds: Bounds,
    all: RefCell<BTreeMap<u64, Rc<State>>>,
    next: std::cell::Cell<u64>,
    /// There are more, or fewer.
    changed: Notify,
}

/// A connection among the others, as long as it is open.
pub(super) struct Entry {
    connections: Rc<Connections>,
    number: u64,
    pub(super) state: Rc<State>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.all.borrow_mut().remove(&self.number);
        self.connections.changed.notify_one();
    }
}

impl Connections {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, all: RefCell::default(), next: 0.into(), changed: Notify::new() }
    }

    /// One more; none where there are so many, and all of them are being answered.
    pub(super) fn add(self: &Rc<Self>) -> Option<Entry> {
        // Those that are told to close are gone as soon as this thread does something else.
        while self.all.borrow().len() >= self.bounds.connections {
            let waits = |state: &State| matches!(state.phase(), Phase::Idle | Phase::Head);
            let oldest = self.oldest(waits)?;
            self.close(oldest);
        }
        let number = self.next.replace(self.next.get() + 1);
        let state = Rc::new(State::new());
        self.all.borrow_mut().insert(number, Rc::clone(&state));
        self.changed.notify_one();
        Some(Entry { connections: Rc::clone(self), number, state })
    }

    /// Closes the one that has been reading its answer the longest; false where there is none.
    pub(super) fn close_slowest(&self) -> bool {
        self.oldest(|state| state.phase() == Phase::Read).map(|slowest| self.close(slowest)).is_some()
    }

    fn oldest(&self, is: impl Fn(&State) -> bool) -> Option<u64> {
        let all = self.all.borrow();
        let found = all.iter().filter(|(_, state)| is(state)).min_by_key(|(_, state)| state.since());
        found.map(|(number, _)| *number)
    }

    fn close(&self, number: u64) {
        self.all.borrow_mut().remove(&number).into_iter().for_each(|state| state.close());
    }

    /// Closes those that have taken too long, for ever.
    pub(super) async fn watch(&self) {
        loop {
            let now = Instant::now();
            let late: Vec<u64> = {
                let all = self.all.borrow();
                let late = all.iter().filter(|(_, state)| state.until(&self.bounds) <= now);
                late.map(|(number, _)| *number).collect()
            };
            late.into_iter().for_each(|number| self.close(number));
            if self.all.borrow().is_empty() {
                self.changed.notified().await;
            }
            // What a connection is at next may have to be over before what it is at now.
            let next = self.all.borrow().values().map(|state| state.until(&self.bounds)).min();
            let soonest = now + self.bounds.shortest();
            sleep_until(next.map_or(soonest, |next| next.min(soonest))).await;
        }
    }

    /// Lets answers on their way end until then, and closes all others.
    pub(super) async fn end(&self, until: Instant) {
        for state in self.all.borrow().values() {
            match state.phase() {
                Phase::Idle | Phase::Head => state.close(),
                Phase::Answer | Phase::Read => state.finish(),
            }
        }
        let all_gone = async {
            while !self.all.borrow().is_empty() {
                self.changed.notified().await;
            }
        };
        if tokio::time::timeout_at(until, all_gone).await.is_err() {
            self.all.borrow().values().for_each(|state| state.close());
        }
    }
}
