//! An exporter that takes the place of another one: what that one was not given yet, could not deliver and owes becomes this one's.
//!
//! Whatever is handed over keeps its ticket, under another number, so a flush goes on waiting for it.

use std::sync::Arc;

use super::{Output, Sums};
use crate::clock::Tick;
use crate::exporters::Signal;
use crate::metrics::Baseline;
use crate::pipeline::books::{Books, Outcome, Ticket};
use crate::pipeline::former::Former;
use crate::pipeline::ledger::Reason;
use crate::pipeline::parcel::Parcel;

impl Output {
    /// Takes the place of another one, which has until then for what is out; `sums` are the metrics that it was given last.
    pub(crate) fn succeed(&mut self, mut old: Self, books: &Books, sums: Option<&Sums>, until: Tick) {
        let is_like = self.is_like(&old);
        // Its last metrics only it can deliver, where the other one needs others.
        let waiting = old.lanes.replace(until, if is_like { &Signal::EACH } else { &Signal::RECORDS });
        if is_like {
            self.baseline = old.baseline.take();
            self.owed = old.owed.take().and_then(|owed| books.hand_over(owed, self.number));
            self.newest = old.newest;
        } else if let (Some(baseline), Some(sums)) = (&mut self.baseline, sums) {
            *baseline = Baseline::joining(baseline.kinds().to_vec(), &sums.of(&self.sieve).0);
        }
        if self.wants_metrics() && old.wants_metrics() {
            // Series that end wait for what is due since then.
            self.last_read = Arc::clone(&old.last_read);
        }
        old.owed.take().into_iter().for_each(|owed| self.refuse(owed));
        old.former.iter_mut().for_each(|former| former.is_like &= is_like);
        self.former.append(&mut old.former);
        waiting.into_iter().for_each(|parcel| self.inherit(parcel, is_like, books, false));
        self.former.push(Former { number: old.number, lanes: old.lanes, is_like });
    }

    /// Takes what those have left whose place it has taken, and for the last time where that is all it will be told.
    pub(crate) fn take_over(&mut self, books: &Books, is_last: bool) {
        let mut former = std::mem::take(&mut self.former);
        former.retain(|former| {
            loop {
                let (left, is_over) = former.lanes.take_left();
                left.into_iter().for_each(|parcel| self.inherit(parcel, former.is_like, books, is_last));
                if is_over {
                    books.end(former.number, Reason::Deadline);
                    return false;
                }
                if !is_last || former.lanes.forget_heir() {
                    return !is_last;
                }
            }
        });
        self.former = former;
    }

    /// Whether what another one was given of metrics says what this one needs: the same kinds as deltas, of the same levels.
    fn is_like(&self, old: &Self) -> bool {
        let kinds = |output: &Self| output.baseline.as_ref().map(|baseline| baseline.kinds().to_vec());
        self.wants_metrics()
            && old.wants_metrics()
            && kinds(self) == kinds(old)
            && self.sieve.filter().has_same_levels(old.sieve.filter())
    }

    /// What of metrics is of no use for this one. Sums since the start say all of it.
    fn refuse(&self, ticket: Ticket) {
        let says_all = !self.wants_metrics() || self.baseline.is_none();
        ticket.settle(if says_all { Outcome::Superseded } else { Outcome::Dropped(Reason::Expired) });
    }

    fn inherit(&mut self, parcel: Parcel, is_like: bool, books: &Books, is_last: bool) {
        let Some(mut parcel) = parcel.hand_over(books, self.number) else { return };
        let is_newer_there =
            parcel.sums.is_some_and(|sums| self.newest.is_some_and(|newest| newest.supersedes(sums)));
        match (parcel.is_deltas, is_like) {
            (true, true) => return self.take_back(parcel),
            (true, false) => return self.refuse(parcel.into_ticket()),
            (false, false) if parcel.sums.is_some() => return self.refuse(parcel.into_ticket()),
            (false, _) if is_newer_there => return parcel.into_ticket().settle(Outcome::Superseded),
            (false, _) => {}
        }
        let batch = parcel.batch.none();
        let batch = std::mem::replace(&mut parcel.batch, batch).with_resource(&self.resource);
        if self.wants[batch.signal() as usize] {
            parcel.batch = self.sieve.sift(&batch);
        }
        parcel.ticket.split((batch.len() - parcel.batch.len()) as u64).settle(Outcome::Superseded);
        if parcel.batch.is_empty() {
            return parcel.settle(Outcome::Superseded);
        }
        self.put(parcel, is_last);
    }
}
