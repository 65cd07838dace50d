//! The ledger as it is kept: items move from one account to another under one lock, so it balances at every moment.
//!
//! What an exporter has taken on stands behind a [`Ticket`], which is settled once, whatever happens. A flush closes a
//! generation: it waits for the tickets that were given out before, not for counts, which newer items could fill.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

pub(crate) use super::entry::Outcome;
use super::entry::{Entry, Shares, items_of};
use super::ledger::{Account, ExporterAccount, Ledger, Reason};
use crate::exporters::Signal;
use crate::metrics::SharedHistogram;
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
    /// What exporters did, in the order in which they were added, also those that are gone.
    accounts: BTreeMap<usize, Named>,
    /// Accounts whose exporters are gone, and what those did that were forgotten.
    gone: VecDeque<usize>,
    forgotten: [ExporterAccount; 3],
    /// The workers of exporters.
    entries: BTreeMap<usize, Entry>,
    next: usize,
    /// Lost by those that are gone, and out of spools.
    lost: u64,
    generation: u64,
    /// Of those who wait for them.
    flushes: Vec<u64>,
    /// The exporters that a shutdown gave up, once it is over.
    finished: Option<Vec<String>>,
}

/// What the exporters of one name did, one after the other.
#[derive(Debug)]
struct Named {
    name: String,
    accounts: [ExporterAccount; 3],
    /// How long their attempts took, in seconds.
    durations: Arc<SharedHistogram>,
    is_member: bool,
}

/// So many items that one exporter has taken on. It can't be cloned; whoever drops it says that time ran out.
#[must_use]
#[derive(Debug)]
pub(crate) struct Ticket {
    books: Arc<Books>,
    exporter: usize,
    signal: Signal,
    /// How many of each generation, oldest first.
    shares: Shares,
}

/// So many exporters that are gone have an account of their own in the ledger.
const MOST_GONE: usize = 100;
/// What the ledger calls the others.
const FORGOTTEN: &str = "removed exporters";

impl Books {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Opens an account, for an exporter that is to [join](Self::join), or goes on with that of one of that name that is gone. A
    /// name that is taken is given a number.
    pub(crate) fn add_exporter(&self, name: &str) -> usize {
        let mut state = self.lock();
        let numbered = (2..).map(|i| format!("{name}#{i}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let name = names.find(|name| !state.is_taken(name)).unwrap_or_default();
        let known = state.accounts.iter().find(|(_, known)| known.name == name).map(|(account, _)| *account);
        let account = known.unwrap_or(state.next);
        state.gone.retain(|gone| *gone != account);
        state.accounts.entry(account).or_insert_with(|| Named {
            name,
            accounts: Default::default(),
            durations: Arc::new(SharedHistogram::new(None)),
            is_member: false,
        });
        state.add_entry(account)
    }

    /// One more worker for the account of that name; none where there is no such account any more.
    pub(crate) fn add_worker(&self, name: &str) -> Option<usize> {
        let mut state = self.lock();
        let known =
            state.accounts.iter().find(|(account, known)| known.name == name && state.is_live(**account));
        let account = *known?.0;
        Some(state.add_entry(account))
    }

    /// The account of a worker, the name under which the ledger has it, and how long its attempts take.
    pub(crate) fn account(&self, exporter: usize) -> (usize, String, Arc<SharedHistogram>) {
        let state = self.lock();
        let account = state.entries.get(&exporter).map_or(exporter, |entry| entry.account);
        let known = state.accounts.get(&account);
        let durations = known.map(|known| Arc::clone(&known.durations));
        let name = known.map(|known| known.name.clone()).unwrap_or_default();
        (account, name, durations.unwrap_or_else(|| Arc::new(SharedHistogram::new(None))))
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
        // One that was taken out a moment ago has no part in it.
        let entry = state.entries.get_mut(&exporter)?;
        let account = &mut state.accounts.get_mut(&entry.account)?.accounts[signal as usize];
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
        let shares = Shares::from([(generation, items)]);
        entry.take_on(signal, &shares);
        Some(Ticket { books: Arc::clone(self), exporter, signal, shares })
    }

    /// What a worker has not delivered another one of the same account takes on, for whoever waits for it too. None where that can't
    /// be: what became of it is booked then.
    pub(super) fn hand_over(&self, mut ticket: Ticket, to: usize) -> Option<Ticket> {
        if ticket.exporter == to {
            return Some(ticket);
        }
        let (signal, shares, mut state) = (ticket.signal, std::mem::take(&mut ticket.shares), self.lock());
        let State { accounts, entries, flushes, lost, .. } = &mut *state;
        // Where it was given up its items are booked already.
        let from = entries.get_mut(&ticket.exporter).filter(|entry| !entry.ended)?;
        from.let_go(signal, &shares, 0, flushes);
        let account = from.account;
        if let Some(heir) = entries.get_mut(&to).filter(|heir| !heir.ended && heir.account == account) {
            heir.take_on(signal, &shares);
            (ticket.exporter, ticket.shares) = (to, shares);
            return Some(ticket);
        }
        if let Some(named) = accounts.get_mut(&account) {
            let account = &mut named.accounts[signal as usize];
            *lost += account.settle(items_of(&shares), Outcome::Dropped(Reason::Closed));
        }
        drop(state);
        self.changed.notify_all();
        None
    }

    /// So many items were found in the spool of that account.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn recover(&self, account: usize, signal: Signal, items: u64) {
        if let Some(named) = self.lock().accounts.get_mut(&account) {
            let account = &mut named.accounts[signal as usize];
            account.recovered += items;
            account.spooled += items;
        }
    }

    /// So many items are in its spool no more, also of an exporter that has ended.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn unspool(&self, account: usize, signal: Signal, items: u64, outcome: Outcome) {
        let mut state = self.lock();
        let State { accounts, lost, .. } = &mut *state;
        if let Some(named) = accounts.get_mut(&account) {
            *lost += named.accounts[signal as usize].unspool(items, outcome);
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
        self.lock().end(exporter, reason);
        self.changed.notify_all();
    }

    /// From now on the exporter belongs to the collector.
    pub(crate) fn join(&self, exporter: usize) {
        let mut state = self.lock();
        let State { accounts, entries, .. } = &mut *state;
        let Some(entry) = entries.get_mut(&exporter) else { return };
        entry.is_member = true;
        accounts.get_mut(&entry.account).into_iter().for_each(|named| named.is_member = true);
    }

    /// A worker is not there any more, or was not added after all. What its account says stays.
    pub(crate) fn withdraw(&self, exporter: usize) {
        let mut state = self.lock();
        state.end(exporter, Reason::Closed);
        let Some(entry) = state.entries.remove(&exporter) else { return };
        state.lost += entry.lost;
        let account = entry.account;
        if !state.is_live(account) {
            if state.accounts.get(&account).is_some_and(|named| named.is_member) {
                state.gone.push_back(account);
            } else {
                state.accounts.remove(&account);
            }
        }
        if state.gone.len() > MOST_GONE
            && let Some(oldest) = state.gone.pop_front()
            && let Some(named) = state.accounts.remove(&oldest)
        {
            state.forgotten.iter_mut().zip(&named.accounts).for_each(|(all, one)| all.add(one));
        }
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

    /// Waits until every worker has ended, or that one. Those that have not when time runs out are given up: what they still have is
    /// dropped. Their names.
    pub(crate) fn wait_ended(&self, only: Option<usize>, until: Instant) -> Vec<String> {
        let is_running = |number: &usize, entry: &Entry| {
            entry.is_member && !entry.ended && only.is_none_or(|only| only == *number)
        };
        self.wait(until, |state| !state.entries.iter().any(|(number, entry)| is_running(number, entry)));
        let mut state = self.lock();
        let running = state.entries.iter().filter(|(number, entry)| is_running(number, entry));
        let late: Vec<_> = running.map(|(number, entry)| (*number, entry.account)).collect();
        late.iter().for_each(|(number, _)| state.end(*number, Reason::Deadline));
        let names = late.iter().filter_map(|(_, account)| state.accounts.get(account));
        let names = names.map(|named| named.name.clone()).collect();
        drop(state);
        self.changed.notify_all();
        names
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
        let State { accounts, entries, flushes, .. } = &mut *state;
        // Where it was given up what it had is booked already.
        if let Some(entry) = entries.get_mut(&ticket.exporter).filter(|entry| !entry.ended)
            && let Some(named) = accounts.get_mut(&entry.account)
        {
            let lost = named.accounts[ticket.signal as usize].settle(items_of(&shares), outcome);
            entry.let_go(ticket.signal, &shares, lost, flushes);
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    pub(crate) fn account(&mut self, signal: Signal) -> &mut Account {
        &mut self.ledger.accounts[signal as usize]
    }

    fn is_live(&self, account: usize) -> bool {
        self.entries.values().any(|entry| entry.account == account)
    }

    fn is_taken(&self, name: &str) -> bool {
        self.accounts.iter().any(|(account, known)| known.name == name && self.is_live(*account))
    }

    fn add_entry(&mut self, account: usize) -> usize {
        let number = self.next;
        self.next += 1;
        self.entries.insert(number, Entry::of(account));
        number
    }

    fn end(&mut self, exporter: usize, reason: Reason) {
        let Some(entry) = self.entries.get_mut(&exporter) else { return };
        if let Some(named) = self.accounts.get_mut(&entry.account) {
            entry.end(&mut named.accounts, reason);
        }
    }

    /// How many generations of an exporter are told apart.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn generations(&self, exporter: usize) -> usize {
        self.entries[&exporter].open.len()
    }

    /// What is booked so far.
    pub(super) fn ledger(&self) -> Ledger {
        let named = self.accounts.values().filter(|named| named.is_member);
        let named = named.map(|named| (named.name.clone(), named.accounts));
        let forgotten = Some(self.forgotten).filter(|all| *all != <[ExporterAccount; 3]>::default());
        let forgotten = forgotten.map(|all| (FORGOTTEN.to_owned(), all));
        Ledger { exporters: forgotten.into_iter().chain(named).collect(), ..self.ledger.clone() }
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
        self.books.wait(until, |state| !state.entries.values().any(is_open)) && self.is_whole
    }

    /// How many of those items were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        let state = self.books.lock();
        let of =
            |entry: &Entry| entry.lost + entry.upto(self.generation).map(|known| known.lost).sum::<u64>();
        state.lost + state.entries.values().map(of).sum::<u64>()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut state = self.books.lock();
        if let Some(at) = state.flushes.iter().position(|flush| *flush == self.generation) {
            state.flushes.swap_remove(at);
        }
        let State { entries, flushes, .. } = &mut *state;
        entries.values_mut().for_each(|entry| entry.forget(flushes));
    }
}

impl Ticket {
    /// How many items it stands for.
    pub(crate) fn items(&self) -> u64 {
        items_of(&self.shares)
    }

    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.settle_now(outcome);
    }

    /// Takes so many items off it, the oldest ones.
    pub(crate) fn split(&mut self, mut items: u64) -> Self {
        let mut shares = Shares::new();
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
