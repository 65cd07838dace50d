//! The ledger as it is kept: items move from one account to another under one lock, so it balances at every moment.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::ledger::{Account, Ledger, Reason};
use crate::exporters::Signal;

/// The books of one collector.
#[derive(Debug, Default)]
pub(crate) struct Books {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) ledger: Ledger,
    /// Of each exporter, whether its worker has ended or was given up.
    ended: Vec<bool>,
    /// The shutdown is over.
    finished: bool,
}

/// How an exporter's attempt on a batch, or the wait for one, ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Delivered { rejected: u64 },
    Rejected,
    Dropped(Reason),
}

impl Books {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an account. A name that is taken is given a number.
    pub(crate) fn add_exporter(&self, name: &str) -> usize {
        let mut state = self.lock();
        let taken = |name: &str| state.ledger.exporters.iter().any(|(n, _)| n == name);
        let numbered = (2..).map(|i| format!("{name}#{i}"));
        let name =
            std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        state.ledger.exporters.push((name, Default::default()));
        state.ended.push(false);
        state.ended.len() - 1
    }

    /// A worker is done with a batch of `n` items.
    pub(crate) fn settle(&self, exporter: usize, signal: Signal, n: u64, outcome: Outcome) {
        self.lock().settle(exporter, signal, n, outcome);
        self.changed.notify_all();
    }

    /// A worker has ended; what it still had is dropped.
    pub(crate) fn end(&self, exporter: usize) {
        self.lock().end(exporter, Reason::Closed);
        self.changed.notify_all();
    }

    /// The shutdown is over: whoever waits for it may go on.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    /// Waits until the shutdown that another thread began is over. False if time ran out.
    pub(crate) fn wait_finished(&self, until: Instant) -> bool {
        self.wait(until, |state| state.finished)
    }

    /// Waits until every exporter is done with all that it has accepted by now. False if time ran out.
    pub(crate) fn wait_settled(&self, until: Instant) -> bool {
        let goal: Vec<[u64; 3]> =
            self.lock().ledger.exporters.iter().map(|(_, a)| a.map(|a| a.accepted)).collect();
        self.wait(until, |state| {
            let exporters = state.ledger.exporters.iter().zip(&goal).zip(&state.ended);
            exporters.into_iter().all(|(((_, now), goal), ended)| {
                *ended || now.iter().zip(goal).all(|(a, g)| a.accepted - a.buffered >= *g)
            })
        })
    }

    /// Waits until every worker has ended. Those that have not when time runs out are given up: what they
    /// still have is dropped. Their names.
    pub(crate) fn wait_ended(&self, until: Instant) -> Vec<String> {
        self.wait(until, |state| state.ended.iter().all(|ended| *ended));
        let mut state = self.lock();
        let late: Vec<usize> = (0..state.ended.len()).filter(|i| !state.ended[*i]).collect();
        for &exporter in &late {
            state.end(exporter, Reason::Deadline);
        }
        late.iter().map(|exporter| state.ledger.exporters[*exporter].0.clone()).collect()
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
}

impl State {
    pub(crate) fn account(&mut self, signal: Signal) -> &mut Account {
        &mut self.ledger.accounts[signal as usize]
    }

    /// A batch goes to an exporter. False if it does not want it, or has ended.
    pub(crate) fn offer(&mut self, exporter: usize, signal: Signal, n: u64, wanted: bool) -> bool {
        let account = &mut self.ledger.exporters[exporter].1[signal as usize];
        account.dispatched += n;
        if !wanted {
            account.filtered += n;
            return false;
        }
        account.accepted += n;
        if self.ended[exporter] {
            account.dropped.add(Reason::Closed, n);
            return false;
        }
        account.buffered += n;
        true
    }

    fn end(&mut self, exporter: usize, reason: Reason) {
        for signal in Signal::EACH {
            let left = self.ledger.exporters[exporter].1[signal as usize].buffered;
            self.settle(exporter, signal, left, Outcome::Dropped(reason));
        }
        self.ended[exporter] = true;
    }

    pub(crate) fn settle(&mut self, exporter: usize, signal: Signal, n: u64, outcome: Outcome) {
        if self.ended[exporter] {
            return; // given up: what it had is booked already
        }
        let account = &mut self.ledger.exporters[exporter].1[signal as usize];
        account.buffered -= n;
        match outcome {
            Outcome::Delivered { rejected } => {
                let rejected = rejected.min(n);
                account.delivered += n - rejected;
                account.rejected += rejected;
            }
            Outcome::Rejected => account.rejected += n,
            Outcome::Dropped(reason) => account.dropped.add(reason, n),
        }
    }
}
