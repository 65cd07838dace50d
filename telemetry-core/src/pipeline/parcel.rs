//! What travels from the dispatcher to an exporter: items, and the ticket for them.

use std::sync::Arc;

use super::books::{Outcome, Ticket};
use crate::clock::Tick;
use crate::exporters::Batch;

/// Items on their way to one exporter. Whatever becomes of it, its ticket is settled once.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) batch: Batch,
    pub(super) ticket: Ticket,
    /// When the oldest of its items was accepted.
    pub(crate) since: Tick,
    pub(crate) tries: Tries,
    /// Of all series the sums since their start, as of that reading.
    pub(crate) sums: Option<Reading>,
    /// What came since the parcel before; what is not delivered can become part of the next.
    pub(crate) is_deltas: bool,
}

/// What became of its attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tries {
    /// When the first one began.
    pub(crate) first: Option<Tick>,
    pub(crate) attempts: u32,
    /// Those that failed since others got through.
    pub(crate) failures: u32,
    /// Those of a single item that failed though others got through when they began.
    pub(crate) alone: u32,
    /// Others got through when the last one began.
    pub(crate) is_fair: bool,
    /// Those that ended in a panic of the exporter.
    pub(crate) panics: u32,
    /// What the last one failed with.
    pub(crate) error: Option<Arc<str>>,
}

/// Of which moment cumulative sums are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How many series had ended by then.
    pub(crate) endings: u64,
    pub(crate) at: Tick,
}

impl Reading {
    /// Whether these sums say all that an older reading said.
    pub(crate) fn supersedes(self, older: Self) -> bool {
        self.endings == older.endings && self.at > older.at
    }
}

impl Parcel {
    pub(crate) fn new(batch: Batch, ticket: Ticket, now: Tick) -> Self {
        debug_assert_eq!(batch.len() as u64, ticket.items());
        Self { batch, ticket, since: now, tries: Tries::default(), sums: None, is_deltas: false }
    }

    /// The first items leave it.
    pub(crate) fn take_first(&mut self, items: usize) -> Self {
        let batch = self.batch.take_first(items);
        let ticket = self.ticket.split(batch.len() as u64);
        Self { batch, ticket, tries: self.tries.clone(), ..*self }
    }

    /// Whether another one can become part of it.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        let endings = |parcel: &Self| parcel.sums.map(|sums| sums.endings);
        self.tries.first.is_none()
            && other.tries.first.is_none()
            && (endings(self), self.is_deltas) == (endings(other), other.is_deltas)
            && self.batch.takes(&other.batch)
    }

    /// Another one becomes part of it.
    pub(crate) fn append(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        // Whatever it holds, only what is newer than all of it says as much.
        self.sums = self.sums.into_iter().chain(other.sums).max_by_key(|sums| sums.at);
        self.batch.append(other.batch);
        self.ticket.merge(other.ticket);
    }

    /// Whether it says all that an older one of the same exporter said.
    pub(crate) fn supersedes(&self, older: &Self) -> bool {
        self.sums.zip(older.sums).is_some_and(|(newer, older)| newer.supersedes(older))
    }

    pub(crate) fn settle(self, outcome: Outcome) {
        self.ticket.settle(outcome);
    }
}
