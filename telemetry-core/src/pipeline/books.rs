//! The ledger as it is kept: items move from one account to another under one lock, so it balances at every moment.
//!
//! What an exporter has taken on stands behind a [`Ticket`], which is settled once, whatever happens. A flush closes a
//! generation: it waits for the tickets that were given out before, not for counts, which newer items could fill.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::ledger::{Account, ExporterAccount, Ledger, Reason};
use crate::exporters::Signal;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// The books of one collector. Their lock comes before all others of the pipeline; no code of the user runs under it.
#[derive(Debug, Default)]
pub(crate) struct Books {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Without what its exporters did.
    pub(super) ledger: Ledger,
    exporters: Vec<Entry>,
    generation: u64,
    /// Of those who wait for them.
    flushes: Vec<u64>,
    /// The exporters that a shutdown gave up, once it is over.
    finished: Option<Vec<String>>,
}

/// What one exporter did.
#[derive(Debug, Default)]
struct Entry {
    name: String,
    accounts: [ExporterAccount; 3],
    /// Its worker has ended or was given up: what comes now is dropped.
    ended: bool,
    /// It belongs to the collector; before that, nobody knows of it or waits for it.
    is_member: bool,
    /// What is open of each generation, and was lost of those that somebody has to tell from later ones; oldest first.
    open: VecDeque<Generation>,
    /// Lost of the generations before.
    lost: u64,
}

/// One of them, or some that nobody has to tell apart.
#[derive(Clone, Copy, Debug)]
struct Generation {
    first: u64,
    last: u64,
    open: u64,
    lost: u64,
}

/// How it ended for items that an exporter had taken on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Delivered {
        rejected: u64,
    },
    Rejected,
    Dropped(Reason),
    /// On disk, but for those that its protocol can't say.
    #[cfg(any(feature = "net", test))]
    Spooled {
        rejected: u64,
    },
    /// Something newer, which was delivered, says all that they said.
    Superseded,
}

/// So many items that one exporter has taken on. It can't be cloned; whoever drops it says that time ran out.
#[must_use]
#[derive(Debug)]
pub(crate) struct Ticket {
    books: Arc<Books>,
    exporter: usize,
    signal: Signal,
    /// How many of each generation, oldest first.
    shares: VecDeque<(u64, u64)>,
}

impl Books {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Opens an account, for an exporter that is to [join](Self::join). A name that is taken is given a number.
    pub(crate) fn add_exporter(&self, name: &str) -> usize {
        let mut state = self.lock();
        let taken =
            |name: &str| state.exporters.iter().any(|entry| !entry.name.is_empty() && entry.name == name);
        let numbered = (2..).map(|i| format!("{name}#{i}"));
        let name =
            std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        state.exporters.push(Entry { name, ..Entry::default() });
        state.exporters.len() - 1
    }

    /// The name under which the ledger has an exporter.
    pub(crate) fn name(&self, exporter: usize) -> String {
        self.lock().exporters[exporter].name.clone()
    }

    /// Items go to an exporter that does not want `filtered` of them. Where something is left of them that it takes on,
    /// there is a ticket for that.
    pub(crate) fn accept(
        self: &Arc<Self>,
        state: &mut State,
        exporter: usize,
        signal: Signal,
        items: u64,
        filtered: u64,
    ) -> Option<Ticket> {
        let generation = state.generation;
        let entry = &mut state.exporters[exporter];
        let account = &mut entry.accounts[signal as usize];
        account.dispatched += items + filtered;
        account.filtered += filtered;
        account.accepted += items;
        if entry.ended {
            account.dropped.add(Reason::Closed, items);
            entry.lost += items;
            return None;
        }
        account.buffered += items;
        if items == 0 {
            return None;
        }
        if let Some(newest) = entry.open.back_mut().filter(|newest| newest.last == generation) {
            newest.open += items;
        } else {
            let (first, last) = (generation, generation);
            entry.open.push_back(Generation { first, last, open: items, lost: 0 });
        }
        let shares = VecDeque::from([(generation, items)]);
        Some(Ticket { books: Arc::clone(self), exporter, signal, shares })
    }

    /// So many items were found in an exporter's spool.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn recover(&self, exporter: usize, signal: Signal, items: u64) {
        let mut state = self.lock();
        let account = &mut state.exporters[exporter].accounts[signal as usize];
        account.recovered += items;
        account.spooled += items;
    }

    /// So many items are in the spool no more, also of an exporter that has ended.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn unspool(&self, exporter: usize, signal: Signal, items: u64, outcome: Outcome) {
        let mut state = self.lock();
        let entry = &mut state.exporters[exporter];
        let account = &mut entry.accounts[signal as usize];
        // Where it was given up while they were being stored, they are booked already.
        let items = items.min(account.spooled);
        account.spooled -= items;
        match outcome {
            Outcome::Delivered { rejected } => {
                let rejected = rejected.min(items);
                account.delivered += items - rejected;
                account.rejected += rejected;
                entry.lost += rejected;
            }
            Outcome::Dropped(reason) => {
                account.dropped.add(reason, items);
                entry.lost += items;
            }
            Outcome::Rejected | Outcome::Spooled { .. } | Outcome::Superseded => {
                account.rejected += items;
                entry.lost += items;
            }
        }
    }

    /// Ends the generation: what is accepted from now on belongs to the next one. So many wait for it, of whom all are told
    /// that it is not whole where something was left for later.
    pub(crate) fn close_generation(self: &Arc<Self>, many: usize, is_whole: bool) -> Vec<Flush> {
        let mut state = self.lock();
        let generation = state.generation;
        state.generation += 1;
        state.flushes.extend(std::iter::repeat_n(generation, many));
        drop(state);
        (0..many).map(|_| Flush { books: Arc::clone(self), generation, is_whole }).collect()
    }

    /// Whether somebody waits for a generation.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.lock().flushes.is_empty()
    }

    /// A worker has ended; what it still had is dropped.
    pub(crate) fn end(&self, exporter: usize, reason: Reason) {
        self.lock().exporters[exporter].end(reason);
        self.changed.notify_all();
    }

    /// From now on the exporter belongs to the collector.
    pub(crate) fn join(&self, exporter: usize) {
        self.lock().exporters[exporter].is_member = true;
    }

    /// An exporter was not added after all.
    pub(crate) fn withdraw(&self, exporter: usize) {
        let mut state = self.lock();
        let entry = &mut state.exporters[exporter];
        entry.end(Reason::Closed);
        (entry.is_member, entry.name) = (false, String::new());
        drop(state);
        self.changed.notify_all();
    }

    /// The shutdown is over, and gave these up: whoever waits for it may go on.
    pub(crate) fn finish(&self, late: Vec<String>) {
        self.lock().finished = Some(late);
        self.changed.notify_all();
    }

    /// Waits until the shutdown that another thread began is over: whom it gave up. None if time ran out.
    pub(crate) fn wait_finished(&self, until: Instant) -> Option<Vec<String>> {
        self.wait(until, |state| state.finished.is_some());
        self.lock().finished.clone()
    }

    /// Waits until every worker has ended. Those that have not when time runs out are given up: what they
    /// still have is dropped. Their numbers.
    pub(crate) fn wait_ended(&self, until: Instant) -> Vec<usize> {
        let is_running = |entry: &Entry| entry.is_member && !entry.ended;
        self.wait(until, |state| !state.exporters.iter().any(is_running));
        let mut state = self.lock();
        let entries = state.exporters.iter_mut().enumerate().filter(|(_, entry)| is_running(entry));
        let late = entries.map(|(number, entry)| (entry.end(Reason::Deadline), number).1).collect();
        drop(state);
        self.changed.notify_all();
        late
    }

    fn wait(&self, until: Instant, done: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !done(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn settle(&self, ticket: &mut Ticket, outcome: Outcome) {
        let shares = std::mem::take(&mut ticket.shares);
        let mut state = self.lock();
        let State { exporters, flushes, .. } = &mut *state;
        exporters[ticket.exporter].settle(ticket.signal, &shares, outcome, flushes);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    pub(crate) fn account(&mut self, signal: Signal) -> &mut Account {
        &mut self.ledger.accounts[signal as usize]
    }

    /// How many generations of an exporter are told apart.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn generations(&self, exporter: usize) -> usize {
        self.exporters[exporter].open.len()
    }

    /// What is booked so far.
    pub(super) fn ledger(&self) -> Ledger {
        let exporters = self.exporters.iter().filter(|entry| entry.is_member);
        let exporters = exporters.map(|entry| (entry.name.clone(), entry.accounts)).collect();
        Ledger { exporters, ..self.ledger.clone() }
    }
}

impl Entry {
    fn settle(&mut self, signal: Signal, shares: &VecDeque<(u64, u64)>, outcome: Outcome, flushes: &[u64]) {
        if self.ended {
            return; // given up: what it had is booked already
        }
        let account = &mut self.accounts[signal as usize];
        let n: u64 = shares.iter().map(|(_, items)| items).sum();
        account.buffered -= n;
        let mut lost = match outcome {
            Outcome::Delivered { rejected } => {
                let rejected = rejected.min(n);
                account.delivered += n - rejected;
                account.rejected += rejected;
                rejected
            }
            #[cfg(any(feature = "net", test))]
            Outcome::Spooled { rejected } => {
                let rejected = rejected.min(n);
                account.spooled += n - rejected;
                account.rejected += rejected;
                rejected
            }
            Outcome::Rejected => {
                account.rejected += n;
                n
            }
            Outcome::Dropped(reason) => {
                account.dropped.add(reason, n);
                n
            }
            Outcome::Superseded => {
                account.accepted -= n;
                account.filtered += n;
                0
            }
        };
        for (number, items) in shares {
            if let Some(open) = self.open.iter_mut().find(|open| open.last >= *number) {
                open.open -= items;
                open.lost += lost.min(*items);
                lost -= lost.min(*items);
            }
        }
        self.forget(flushes);
    }

    /// Forgets generations that are done, and makes one of those that none of the flushes tells apart.
    fn forget(&mut self, flushes: &[u64]) {
        let is_told_apart =
            |older: u64, newer: u64| flushes.iter().any(|flush| (older..newer).contains(flush));
        let first_flush = flushes.iter().copied().min().unwrap_or(u64::MAX);
        while let Some(first) = self.open.pop_front_if(|first| first.open == 0 && first.last <= first_flush) {
            self.lost += first.lost;
        }
        for i in (1..self.open.len()).rev() {
            let newer = self.open[i];
            let older = &mut self.open[i - 1];
            if !is_told_apart(older.last, newer.first) {
                (older.last, older.open, older.lost) =
                    (newer.last, older.open + newer.open, older.lost + newer.lost);
                self.open.remove(i);
            }
        }
    }

    /// That generation, and those before it.
    fn upto(&self, generation: u64) -> impl Iterator<Item = &Generation> {
        self.open.iter().take_while(move |known| known.first <= generation)
    }

    fn end(&mut self, reason: Reason) {
        for account in &mut self.accounts {
            let left = std::mem::take(&mut account.buffered);
            account.dropped.add(reason, left);
            self.lost += left;
        }
        self.lost += self.open.drain(..).map(|open| open.lost).sum::<u64>();
        self.ended = true;
    }
}

/// Somebody waits until all that was accepted up to a generation is settled.
#[derive(Debug)]
pub(crate) struct Flush {
    books: Arc<Books>,
    generation: u64,
    is_whole: bool,
}

impl Flush {
    /// Waits for it. False if time ran out, or something was left for later.
    pub(crate) fn wait(&self, until: Instant) -> bool {
        let is_open = |entry: &Entry| entry.upto(self.generation).any(|known| known.open > 0);
        self.books.wait(until, |state| !state.exporters.iter().any(is_open)) && self.is_whole
    }

    /// How many of those items were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        let state = self.books.lock();
        let of =
            |entry: &Entry| entry.lost + entry.upto(self.generation).map(|known| known.lost).sum::<u64>();
        state.exporters.iter().map(of).sum()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut state = self.books.lock();
        if let Some(at) = state.flushes.iter().position(|flush| *flush == self.generation) {
            state.flushes.swap_remove(at);
        }
        let State { exporters, flushes, .. } = &mut *state;
        exporters.iter_mut().for_each(|entry| entry.forget(flushes));
    }
}

impl Ticket {
    /// How many items it stands for.
    pub(crate) fn items(&self) -> u64 {
        self.shares.iter().map(|(_, items)| items).sum()
    }

    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.settle_now(outcome);
    }

    /// Takes so many items off it, the oldest ones.
    pub(crate) fn split(&mut self, mut items: u64) -> Self {
        let mut shares = VecDeque::new();
        while items > 0
            && let Some((generation, share)) = self.shares.front_mut()
        {
            let taken = items.min(*share);
            shares.push_back((*generation, taken));
            *share -= taken;
            items -= taken;
            if *share == 0 {
                self.shares.pop_front();
            }
        }
        Self { books: Arc::clone(&self.books), exporter: self.exporter, signal: self.signal, shares }
    }

    /// Takes another one of the same exporter and signal on.
    pub(crate) fn merge(&mut self, mut other: Self) {
        for (generation, items) in std::mem::take(&mut other.shares) {
            match self.shares.back_mut().filter(|(last, _)| *last == generation) {
                Some((_, last)) => *last += items,
                None => self.shares.push_back((generation, items)),
            }
        }
    }

    fn settle_now(&mut self, outcome: Outcome) {
        if !self.shares.is_empty() {
            let books = Arc::clone(&self.books);
            books.settle(self, outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle_now(Outcome::Dropped(Reason::Deadline));
    }
}
