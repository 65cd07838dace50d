//! What one worker has on its hands, and what became of it: items come in with the generation that accepted them, and leave with an
//! outcome. Pure: it has no lock, and tells nobody.

use std::collections::VecDeque;

use super::ledger::{ExporterAccount, Reason};
use crate::exporters::Signal;

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

/// So many items of each generation, oldest first.
pub(super) type Shares = VecDeque<(u64, u64)>;

pub(super) fn items_of(shares: &Shares) -> u64 {
    shares.iter().map(|(_, items)| items).sum()
}

/// One worker of an exporter. One that was replaced has two for a while, with one account.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Where it is booked what became of its items.
    pub(super) account: usize,
    /// What it has on its hands.
    buffered: [u64; 3],
    /// It has ended or was given up: what comes now is dropped.
    pub(super) ended: bool,
    /// It belongs to the collector; before that, nobody knows of it or waits for it.
    pub(super) is_member: bool,
    /// What is open of each generation, and was lost of those that somebody has to tell from later ones; oldest first.
    pub(super) open: VecDeque<Generation>,
    /// Lost of the generations before.
    pub(super) lost: u64,
}

/// One of them, or some that nobody has to tell apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generation {
    first: u64,
    last: u64,
    pub(super) open: u64,
    pub(super) lost: u64,
}

impl Entry {
    pub(super) fn of(account: usize) -> Self {
        Self { account, ..Self::default() }
    }

    /// It takes these on.
    pub(super) fn take_on(&mut self, signal: Signal, shares: &Shares) {
        self.buffered[signal as usize] += items_of(shares);
        for (number, items) in shares {
            // Those that are accepted now are of the newest one; those that are handed over may be of any.
            let at = self.open.iter().rposition(|known| known.first <= *number);
            if let Some(known) = at.map(|at| &mut self.open[at]).filter(|known| known.last >= *number) {
                known.open += items;
            } else {
                let new = Generation { first: *number, last: *number, open: *items, lost: 0 };
                self.open.insert(at.map_or(0, |at| at + 1), new);
            }
        }
    }

    /// They leave it, so many of them lost.
    pub(super) fn let_go(&mut self, signal: Signal, shares: &Shares, mut lost: u64, flushes: &[u64]) {
        self.buffered[signal as usize] -= items_of(shares);
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
    pub(super) fn forget(&mut self, flushes: &[u64]) {
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
    pub(super) fn upto(&self, generation: u64) -> impl Iterator<Item = &Generation> {
        self.open.iter().take_while(move |known| known.first <= generation)
    }

    /// What it still has is dropped.
    pub(super) fn end(&mut self, accounts: &mut [ExporterAccount; 3], reason: Reason) {
        for (buffered, account) in self.buffered.iter_mut().zip(accounts) {
            let left = std::mem::take(buffered);
            account.buffered -= left;
            account.dropped.add(reason, left);
            self.lost += left;
        }
        self.lost += self.open.drain(..).map(|open| open.lost).sum::<u64>();
        self.ended = true;
    }
}

impl ExporterAccount {
    /// Books an outcome of so many items; how many are lost with it.
    pub(super) fn settle(&mut self, n: u64, outcome: Outcome) -> u64 {
        self.buffered -= n;
        match outcome {
            Outcome::Delivered { rejected } => self.deliver(n, rejected),
            #[cfg(any(feature = "net", test))]
            Outcome::Spooled { rejected } => {
                let rejected = rejected.min(n);
                self.spooled += n - rejected;
                self.rejected += rejected;
                rejected
            }
            Outcome::Rejected => {
                self.rejected += n;
                n
            }
            Outcome::Dropped(reason) => {
                self.dropped.add(reason, n);
                n
            }
            Outcome::Superseded => {
                self.accepted -= n;
                self.filtered += n;
                0
            }
        }
    }

    /// The same for so many that were spooled.
    #[cfg(any(feature = "net", test))]
    pub(super) fn unspool(&mut self, items: u64, outcome: Outcome) -> u64 {
        // Where it was given up while they were being stored, they are booked already.
        let items = items.min(self.spooled);
        self.spooled -= items;
        match outcome {
            Outcome::Delivered { rejected } => self.deliver(items, rejected),
            Outcome::Dropped(reason) => {
                self.dropped.add(reason, items);
                items
            }
            Outcome::Rejected | Outcome::Spooled { .. } | Outcome::Superseded => {
                self.rejected += items;
                items
            }
        }
    }

    /// So many were delivered, but for those that were rejected; how many these are.
    fn deliver(&mut self, n: u64, rejected: u64) -> u64 {
        let rejected = rejected.min(n);
        self.delivered += n - rejected;
        self.rejected += rejected;
        rejected
    }

    /// One account for two.
    pub(super) fn add(&mut self, other: &Self) {
        self.dispatched += other.dispatched;
        self.filtered += other.filtered;
        self.accepted += other.accepted;
        self.recovered += other.recovered;
        self.delivered += other.delivered;
        self.rejected += other.rejected;
        self.buffered += other.buffered;
        self.spooled += other.spooled;
        for reason in Reason::ALL {
            self.dropped.add(*reason, other.dropped.by(*reason));
        }
    }
}
