//! What one exporter does next. Pure: it is told the time, and never waits, sends or sleeps itself.
//!
//! Each signal is a line of its own: one whose turn lies ahead is passed over, so spans in backoff don't hold up metrics. A
//! line that failed lets one request out until it gets through, which is the circuit breaker: open as long as its time
//! has not come, half open with that one request. What waits in a lane becomes one request, so requests grow by
//! themselves while others are out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::books::Outcome;
use super::lanes::Lanes;
use super::ledger::Reason;
use super::parcel::Parcel;
use super::rate::Rate;
use crate::clock::Tick;
use crate::exporters::{Activity, Again, Delivery, ExportError, Limits, Signal};

/// What the driver is to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Make one attempt, and say how it [ended](Schedule::ended).
    Attempt(Parcel),
    /// Nothing until then, or until lanes or flights change.
    Wait(Option<Tick>, Activity),
    /// Nothing more: let go of what is still out.
    Done,
}

/// How a route wants to be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Of one request, and how many may be out at once.
    pub(crate) limits: Limits,
    /// A parcel that was tried for so long is dropped.
    pub(crate) give_up_after: Duration,
    /// Few items wait so long for more.
    pub(crate) linger: Duration,
    /// Items a second.
    pub(crate) rate: Option<f64>,
}

/// What became of an attempt's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aftermath {
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) expired: u64,
    pub(crate) next: Next,
}

/// What happens next to those that are neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: there are none.
    #[default]
    Settled,
    /// They are tried again, not before that much time has passed.
    Retry(Duration),
    /// They are tried again in smaller requests.
    Split,
}

pub(crate) struct Schedule {
    lanes: Arc<Lanes>,
    pace: Pace,
    rate: Option<Rate>,
    lines: [Line; 3],
    stop: Option<Tick>,
    /// Any number.
    random: fn() -> u64,
}

/// One signal.
#[derive(Debug)]
struct Line {
    /// What failed, in the order in which it is tried again.
    again: VecDeque<Parcel>,
    backoff: Backoff,
    /// It failed, and has not got through since.
    is_down: bool,
    not_before: Option<Tick>,
    /// When the receiver asked for that wait.
    asked: Option<Tick>,
    /// Requests that are out.
    flying: usize,
    /// One request has at most so many items.
    items: usize,
    /// Deliveries since that changed.
    steady: u32,
    /// Somebody waits for what is in the lane.
    hurried: bool,
}

/// Metrics and events go before spans, which are many.
const ORDER: [Signal; 3] = [Signal::Metrics, Signal::Events, Signal::Spans];
/// A parcel that panics so often is refused.
const MOST_PANICS: u32 = 3;
/// A parcel that failed so often lets others go first: perhaps it is the only one that fails.
const SUSPECT: u32 = 2;
/// After so many deliveries larger requests are tried again.
const STEADY: u32 = 64;
/// Somebody in a hurry overrides a wait that the receiver asked for only after that time.
const RESPECT: Duration = Duration::from_secs(1);

impl Schedule {
    pub(crate) fn new(lanes: Arc<Lanes>, pace: Pace, now: Tick, random: fn() -> u64) -> Self {
        let line = || Line {
            again: VecDeque::new(),
            backoff: Backoff::default(),
            is_down: false,
            not_before: None,
            asked: None,
            flying: 0,
            items: pace.limits.items,
            steady: 0,
            hurried: false,
        };
        let rate = pace.rate.map(|per_second| Rate::new(per_second, now));
        Self { lanes, pace, rate, lines: [line(), line(), line()], stop: None, random }
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: Tick) -> Step {
        let told = self.lanes.told();
        self.stop = told.stop;
        if told.hurry {
            self.lines.iter_mut().for_each(|line| line.hurry(now));
        }
        let flying: usize = self.lines.iter().map(|line| line.flying).sum();
        if told.abandoned || self.stop.is_some_and(|until| now >= until) || self.is_done(flying) {
            return Step::Done;
        }
        if told.paused && self.stop.is_none() {
            return Step::Wait(None, Activity::Pause);
        }
        let mut wait = (self.stop, if flying > 0 { Activity::Send } else { Activity::Idle });
        if flying < self.pace.limits.in_flight.max(1) {
            for signal in ORDER {
                match self.next_of(signal, now) {
                    Ok(Some(parcel)) => return Step::Attempt(parcel),
                    Ok(None) => {}
                    Err((until, does)) => {
                        wait =
                            if wait.0.is_none_or(|known| until < known) { (Some(until), does) } else { wait };
                    }
                }
            }
        }
        Step::Wait(wait.0, wait.1)
    }

    fn is_done(&self, flying: usize) -> bool {
        self.stop.is_some()
            && flying == 0
            && self.lines.iter().all(|line| line.again.is_empty())
            && Signal::EACH.iter().all(|signal| self.lanes.waiting(*signal).is_none())
    }

    /// The parcel of a signal that may go now, or until when none may.
    fn next_of(&mut self, signal: Signal, now: Tick) -> Result<Option<Parcel>, (Tick, Activity)> {
        let (waiting, line) = (self.lanes.waiting(signal), &mut self.lines[signal as usize]);
        if line.again.is_empty() && waiting.is_none() {
            line.hurried = false;
            return Ok(None);
        }
        if let Some(until) = line.not_before.filter(|until| *until > now) {
            return Err((until, Activity::Backoff));
        }
        if line.is_down && line.flying > 0 {
            return Ok(None);
        }
        let allowed = self.rate.as_mut().map_or(usize::MAX, |rate| rate.allowed(now));
        if allowed == 0 {
            return Err((self.rate.map_or(now, |rate| rate.next(now)), Activity::RateLimit));
        }
        let line = &mut self.lines[signal as usize];
        line.give_way(&self.lanes, signal);
        let most = allowed.min(line.items);
        let is_suspect = line.again.front().is_some_and(|first| first.failures >= SUSPECT);
        let fresh = || self.lanes.take(signal, most, self.pace.limits.bytes);
        let probe = if is_suspect { fresh() } else { None };
        let mut parcel = if let Some(probe) = probe {
            probe
        } else if let Some(mut parcel) = line.again.pop_front() {
            if parcel.batch.len() > most {
                let first = parcel.take_first(most);
                line.again.push_front(parcel);
                parcel = first;
            }
            parcel
        } else {
            let Some(waiting) = waiting else { return Ok(None) };
            let until = waiting.since.plus(self.pace.linger);
            let is_much = waiting.bytes >= self.pace.limits.bytes.min(self.lanes.max(signal)) / 4;
            if !is_much && !line.hurried && self.stop.is_none() && now < until {
                return Err((until, Activity::Linger));
            }
            let Some(parcel) = fresh() else { return Ok(None) };
            parcel
        };
        parcel.first_try.get_or_insert(now);
        self.rate.iter_mut().for_each(|rate| rate.took(parcel.batch.len()));
        self.lines[signal as usize].flying += 1;
        self.note(now, None);
        Ok(Some(parcel))
    }

    /// What did not fit into a request goes with the next one.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn put_back(&mut self, mut rest: Parcel) {
        let line = &mut self.lines[rest.batch.signal() as usize];
        self.rate.iter_mut().for_each(|rate| rate.took_not(rest.batch.len()));
        rest.failures = 0;
        line.again.push_front(rest);
    }

    /// An attempt has ended.
    pub(crate) fn ended(
        &mut self,
        mut parcel: Parcel,
        ended: Result<&Delivery, &ExportError>,
        now: Tick,
    ) -> Aftermath {
        let signal = parcel.batch.signal();
        self.lines[signal as usize].flying -= 1;
        let mut after = Aftermath::default();
        let error = match ended {
            Ok(delivery) => {
                let rejected = (delivery.rejected() as u64).min(parcel.batch.len() as u64);
                after.rejected = rejected;
                after.delivered = parcel.batch.len() as u64 - rejected;
                self.settle(parcel, Outcome::Delivered { rejected });
                self.got_through(signal, now, &mut after);
                return after;
            }
            Err(error) => error,
        };
        let taken = error.taken_items().min(parcel.batch.len());
        if taken > 0 {
            after.delivered = taken as u64;
            let taken = parcel.take_first(taken);
            self.settle(taken, Outcome::Delivered { rejected: 0 });
            if parcel.batch.is_empty() {
                self.settle(parcel, Outcome::Delivered { rejected: 0 });
                self.got_through(signal, now, &mut after);
                return after;
            }
        }
        match error.again() {
            Again::Never => self.reject(parcel, &mut after),
            Again::Smaller => self.halve(parcel, &mut after),
            Again::Later => self.retry(parcel, None, now, &mut after),
            Again::After(wait) => self.retry(parcel, Some(wait), now, &mut after),
        }
        self.note(now, None);
        after
    }

    /// An attempt has ended in a panic of the exporter: the batch is tried again, a few times.
    pub(crate) fn panicked(&mut self, mut parcel: Parcel, now: Tick) -> Aftermath {
        let mut after = Aftermath::default();
        let line = &mut self.lines[parcel.batch.signal() as usize];
        line.flying -= 1;
        parcel.panics += 1;
        if parcel.panics >= MOST_PANICS {
            self.reject(parcel, &mut after);
        } else {
            line.again.push_front(parcel);
            after.next = Next::Retry(Duration::ZERO);
        }
        self.note(now, None);
        after
    }

    fn settle(&self, parcel: Parcel, outcome: Outcome) {
        self.lanes.done(parcel.batch.signal(), parcel.batch.bytes());
        parcel.settle(outcome);
    }

    fn reject(&self, parcel: Parcel, after: &mut Aftermath) {
        after.rejected += parcel.batch.len() as u64;
        self.settle(parcel, Outcome::Rejected);
    }

    /// A request has got through: the receiver is there, so what fails beside it fails for itself.
    fn got_through(&mut self, signal: Signal, now: Tick, after: &mut Aftermath) {
        let line = &mut self.lines[signal as usize];
        (line.backoff, line.is_down, line.not_before, line.asked) = (Backoff::default(), false, None, None);
        self.lanes.set_down(signal, false);
        line.steady += 1;
        if line.steady >= STEADY && line.items < self.pace.limits.items {
            line.items = line.items.saturating_mul(2).min(self.pace.limits.items);
            line.steady = 0;
        }
        let failed = std::mem::take(&mut line.again);
        let mut refused = Vec::new();
        for mut parcel in failed {
            if parcel.failures < SUSPECT {
                line.again.push_back(parcel);
            } else if parcel.batch.len() == 1 {
                refused.push(parcel);
            } else {
                parcel.failures = SUSPECT - 1;
                let first = parcel.take_first(parcel.batch.len() / 2);
                line.again.extend([first, parcel]);
            }
        }
        refused.into_iter().for_each(|parcel| self.reject(parcel, after));
        self.note(now, Some(now));
    }

    /// Too large for the receiver: from now on requests have half as many items, until it has taken many.
    fn halve(&mut self, mut parcel: Parcel, after: &mut Aftermath) {
        let line = &mut self.lines[parcel.batch.signal() as usize];
        line.steady = 0;
        if parcel.batch.len() == 1 {
            // One that is too large alone says nothing of the others.
            line.items = self.pace.limits.items;
            return self.reject(parcel, after);
        }
        line.items = parcel.batch.len().div_ceil(2);
        let first = parcel.take_first(line.items);
        line.again.push_front(parcel);
        line.again.push_front(first);
        after.next = Next::Split;
    }

    fn retry(&mut self, mut parcel: Parcel, asked: Option<Duration>, now: Tick, after: &mut Aftermath) {
        let signal = parcel.batch.signal();
        let line = &mut self.lines[signal as usize];
        let wait = line.backoff.next((self.random)(), asked);
        line.is_down = true;
        line.not_before = line.not_before.max(Some(now.plus(wait)));
        line.asked = asked.map(|_| now).or(line.asked);
        self.lanes.set_down(signal, true);
        let tried = Duration::from_nanos(parcel.first_try.map_or(0, |first| now.since(first)));
        parcel.failures += 1;
        if tried >= self.pace.give_up_after {
            return self.expire(parcel, after);
        }
        if parcel.failures < SUSPECT {
            line.again.push_front(parcel);
        } else {
            line.again.push_back(parcel);
        }
        after.next = Next::Retry(wait);
    }

    /// Deltas become part of the next ones; all else is lost.
    fn expire(&mut self, parcel: Parcel, after: &mut Aftermath) {
        if parcel.is_deltas {
            self.lanes.hand_back(parcel.batch.clone());
            return self.settle(parcel, Outcome::Superseded);
        }
        after.expired = parcel.batch.len() as u64;
        self.settle(parcel, Outcome::Dropped(Reason::Expired));
    }

    fn note(&self, now: Tick, success: Option<Tick>) {
        let oldest = self.lines.iter().flat_map(|line| &line.again).map(|parcel| parcel.since).min();
        let failures = self.lines.iter().map(|line| line.backoff.failures()).sum();
        let is_out = self.lines.iter().any(|line| line.flying > 0);
        self.lanes.note_health(|health| {
            health.last_success = success.or(health.last_success);
            health.failures = failures;
            let known = health.oldest_out.filter(|_| is_out);
            health.oldest_out = oldest.or(known).or(is_out.then_some(now));
        });
    }
}

impl Line {
    fn hurry(&mut self, now: Tick) {
        self.hurried = true;
        let respected = self.asked.map(|asked| asked.plus(RESPECT)).filter(|until| *until > now);
        self.not_before = self.not_before.zip(respected).map(|(until, respected)| until.min(respected));
    }

    /// Cumulative sums that failed go where newer ones of the same series wait.
    fn give_way(&mut self, lanes: &Lanes, signal: Signal) {
        let Some(newest) = lanes.waiting_sums(signal) else { return };
        for parcel in std::mem::take(&mut self.again) {
            if parcel.sums == Some(newest) {
                lanes.done(signal, parcel.batch.bytes());
                parcel.settle(Outcome::Superseded);
            } else {
                self.again.push_back(parcel);
            }
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests;
