//! What travels from the dispatcher to an exporter: items, and the ticket for them.

use std::sync::Arc;

use super::books::{Books, Outcome, Ticket};
use crate::clock::Tick;
use crate::exporters::Batch;

/// Items on their way to one exporter. Whatever becomes of it, its ticket is settled once.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) batch: Batch,
    pub(super) ticket: Ticket,
    /// For items that this one says anew: whoever waits for them waits for this one.
    pub(super) instead: Option<Box<Ticket>>,
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
    /// How often a single item failed several times in a row, and others got through right after.
    pub(crate) alone: u32,
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
        let (tries, instead) = (Tries::default(), None);
        Self { batch, ticket, instead, since: now, tries, sums: None, is_deltas: false }
    }

    /// The first items leave it.
    pub(crate) fn take_first(&mut self, items: usize) -> Self {
        let whole = self.batch.len().max(1) as u64;
        let batch = self.batch.take_first(items);
        let taken = batch.len() as u64;
        let ticket = self.ticket.split(taken);
        // Older sums mostly are of the same series, in the same order.
        let instead =
            self.instead.as_mut().map(|instead| instead.split(instead.items() * taken / whole).into());
        Self { batch, ticket, instead, tries: self.tries.clone(), ..*self }
    }

    /// Whether another one can become part of it.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        let endings = |parcel: &Self| parcel.sums.map(|sums| sums.endings);
        self.tries.first.is_none()
            && other.tries.first.is_none()
            && (endings(self), self.is_deltas) == (endings(other), other.is_deltas)
            && self.batch.takes(&other.batch)
    }

    /// Another exporter of the same account has it from now on, and has not tried it; none where that can't be.
    pub(super) fn hand_over(self, books: &Books, to: usize) -> Option<Self> {
        let ticket = books.hand_over(self.ticket, to)?;
        let instead = self.instead.and_then(|instead| books.hand_over(*instead, to)).map(Box::new);
        Some(Self { ticket, instead, tries: Tries::default(), ..self })
    }

    /// Another one becomes part of it.
    pub(crate) fn append(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        // Whatever it holds, only what is newer than all of it says as much.
        self.sums = self.sums.into_iter().chain(other.sums).max_by_key(|sums| sums.at);
        self.batch.append(other.batch);
        self.ticket.merge(other.ticket);
        other.instead.into_iter().for_each(|older| self.stands_for(*older));
    }

    /// It says what those items said.
    pub(super) fn stands_for(&mut self, older: Ticket) {
        match &mut self.instead {
            Some(instead) => instead.merge(older),
            None => self.instead = Some(older.into()),
        }
    }

    /// All that it is the receipt for.
    pub(super) fn into_ticket(self) -> Ticket {
        let mut ticket = self.ticket;
        self.instead.into_iter().for_each(|instead| ticket.merge(*instead));
        ticket
    }

    /// Whether it says all that an older one of the same exporter said.
    pub(crate) fn supersedes(&self, older: &Self) -> bool {
        self.sums.zip(older.sums).is_some_and(|(newer, older)| newer.supersedes(older))
    }

    pub(crate) fn settle(self, outcome: Outcome) {
        self.ticket.settle(outcome);
        if let Some(instead) = self.instead {
            instead.settle(match outcome {
                Outcome::Delivered { .. } => Outcome::Superseded,
                #[cfg(any(feature = "net", test))]
                Outcome::Spooled { .. } => Outcome::Superseded,
                outcome => outcome,
            });
        }
    }
}
