//! One signal on its way to one exporter: what is out, what is tried again, and when. Pure, as its [schedule](super::schedule).

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::Backoff;
use super::parcel::{Parcel, Tries};
use crate::clock::Tick;

#[derive(Debug)]
pub(super) struct Line {
    /// What failed, in the order in which it is tried again.
    pub(super) again: VecDeque<Parcel>,
    backoff: Backoff,
    /// It failed, and has not got through since.
    pub(super) is_down: bool,
    pub(super) not_before: Option<Tick>,
    /// When the receiver asked for that wait.
    asked: Option<Tick>,
    /// Of each request that is out, when the oldest of its items was accepted.
    pub(super) flying: Vec<Tick>,
    /// The last request that went was none that was stored.
    pub(super) was_fresh: bool,
    /// One request has at most so many items.
    pub(super) items: usize,
    /// Deliveries since that changed.
    pub(super) steady: u32,
    /// Somebody waits until then for what there is.
    pub(super) hurried: Option<Tick>,
}

/// A parcel that failed so often lets others go first: perhaps it is the only one that fails. Once says nothing: a receiver that
/// takes so many requests a second refuses whatever comes right behind one that it took. The second attempt comes after a wait.
const SUSPECT: u32 = 2;
/// A single item that was a suspect so often is refused.
const MOST_ALONE: u32 = 5;
/// After so many deliveries larger requests are tried again.
pub(super) const STEADY: u32 = 64;
/// While somebody waits, no wait is longer, also of those that the receiver asks for.
const RESPECT: Duration = Duration::from_secs(1);

impl Line {
    /// What panics so often is refused.
    pub(super) const MOST_PANICS: u32 = 3;

    pub(super) fn new(items: usize) -> Self {
        Self {
            again: VecDeque::new(),
            backoff: Backoff::default(),
            is_down: false,
            not_before: None,
            asked: None,
            flying: Vec::new(),
            was_fresh: false,
            items,
            steady: 0,
            hurried: None,
        }
    }

    /// Somebody waits until then.
    pub(super) fn hurry(&mut self, now: Tick, until: Tick) {
        self.hurried = self.hurried.max(Some(until));
        let respected = self.asked.map(|asked| asked.plus(RESPECT)).filter(|until| *until > now);
        self.not_before = self.not_before.zip(respected).map(|(until, respected)| until.min(respected));
    }

    pub(super) fn is_hurried(&self, now: Tick) -> bool {
        self.hurried.is_some_and(|until| now < until)
    }

    /// A request is out no more.
    pub(super) fn landed(&mut self, since: Tick) {
        if let Some(at) = self.flying.iter().position(|known| *known == since) {
            self.flying.swap_remove(at);
        }
    }

    /// A request is let go of, and waits again.
    #[cfg(any(feature = "net", test))]
    pub(super) fn recall(&mut self, parcel: Parcel) {
        self.landed(parcel.since);
        self.again.push_front(parcel);
    }

    /// A request that is to go now would have to wait.
    #[cfg(any(feature = "net", test))]
    pub(super) fn is_waiting(&self, now: Tick) -> bool {
        self.not_before.is_some_and(|until| until > now) || self.is_down && !self.flying.is_empty()
    }

    pub(super) fn is_suspect(tries: &Tries) -> bool {
        tries.failures >= SUSPECT
    }

    /// A request has failed: nothing goes for that time, of which the receiver may have said how long. `random` is any number.
    pub(super) fn failed(&mut self, random: u64, asked: Option<Duration>, now: Tick) -> Duration {
        let mut wait = self.backoff.next(random, asked);
        if self.is_hurried(now) {
            wait = wait.min(RESPECT);
        }
        self.is_down = true;
        self.not_before = self.not_before.max(Some(now.plus(wait)));
        self.asked = asked.map(|_| now).or(self.asked);
        wait
    }

    /// What has failed is next, or others are.
    pub(super) fn try_again(&mut self, parcel: Parcel) {
        if Self::is_suspect(&parcel.tries) {
            self.again.push_back(parcel);
        } else {
            self.again.push_front(parcel);
        }
    }

    /// At most so many items of what is next of that.
    pub(super) fn take_again(&mut self, most: usize) -> Option<Parcel> {
        let mut parcel = self.again.pop_front()?;
        if parcel.batch.len() > most {
            let first = parcel.take_first(most);
            self.again.push_front(parcel);
            parcel = first;
        }
        Some(parcel)
    }

    /// Those are tried no more.
    pub(super) fn take_out(&mut self, which: impl FnMut(&Parcel) -> bool) -> VecDeque<Parcel> {
        let (out, again) = std::mem::take(&mut self.again).into_iter().partition(which);
        self.again = again;
        out
    }

    /// A request has got through, with at most so many items: the receiver is there, and what fails beside it fails for
    /// itself. It is tried in halves, down to the items; those that always fail alone are handed out.
    pub(super) fn got_through(&mut self, most: usize) -> Vec<Parcel> {
        (self.backoff, self.is_down, self.not_before, self.asked) = (Backoff::default(), false, None, None);
        self.steady += 1;
        if self.steady >= STEADY && self.items < most {
            self.items = self.items.saturating_mul(2).min(most);
            self.steady = 0;
        }
        let mut refused = Vec::new();
        for mut parcel in std::mem::take(&mut self.again) {
            if !Self::is_suspect(&parcel.tries) {
                self.again.push_back(parcel);
                continue;
            }
            parcel.tries.failures = 0;
            if parcel.batch.len() > 1 {
                self.again.push_back(parcel.take_first(parcel.batch.len() / 2));
            } else {
                parcel.tries.alone += 1;
            }
            if parcel.tries.alone >= MOST_ALONE {
                refused.push(parcel);
            } else {
                self.again.push_back(parcel);
            }
        }
        refused
    }
}
