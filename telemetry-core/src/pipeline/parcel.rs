//! What travels from the dispatcher to an exporter: items, and the ticket for them.

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
    /// When it was tried for the first time.
    pub(crate) first_try: Option<Tick>,
    /// Failed attempts.
    pub(crate) failures: u32,
    /// Attempts that ended in a panic of the exporter.
    pub(crate) panics: u32,
    /// Of all series the sums since their start: how many series had ended by then. Those that are of the same number of
    /// endings and newer say all that these do.
    pub(crate) sums: Option<u64>,
    /// What came since the parcel before; what is not delivered can become part of the next.
    pub(crate) is_deltas: bool,
}

impl Parcel {
    pub(crate) fn new(batch: Batch, ticket: Ticket, now: Tick) -> Self {
        debug_assert_eq!(batch.len() as u64, ticket.items());
        Self {
            batch,
            ticket,
            since: now,
            first_try: None,
            failures: 0,
            panics: 0,
            sums: None,
            is_deltas: false,
        }
    }

    /// The first items leave it.
    pub(crate) fn take_first(&mut self, items: usize) -> Self {
        let batch = self.batch.take_first(items);
        let ticket = self.ticket.split(batch.len() as u64);
        Self { batch, ticket, ..*self }
    }

    /// Whether another one can become part of it.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        self.first_try.is_none()
            && other.first_try.is_none()
            && (self.sums, self.is_deltas) == (other.sums, other.is_deltas)
            && self.batch.takes(&other.batch)
    }

    /// Another one becomes part of it.
    pub(crate) fn append(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        self.batch.append(other.batch);
        self.ticket.merge(other.ticket);
    }

    pub(crate) fn settle(self, outcome: Outcome) {
        self.ticket.settle(outcome);
    }
}
