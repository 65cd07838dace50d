//! What one exporter does next. Pure: it is told the time, and never waits, sends or sleeps itself.
//!
//! Each signal is a line of its own: one whose turn lies ahead is passed over, so spans in backoff don't hold up metrics. A
//! line that failed lets one request out until it gets through, which is the circuit breaker: open as long as its time
//! has not come, half open with that one request. What waits in a lane becomes one request, so requests grow by
//! themselves while others are out.

#[cfg(any(feature = "net", test))]
mod rest;

use std::sync::Arc;
use std::time::Duration;

use super::books::Outcome;
use super::lanes::{Lanes, Waiting};
use super::ledger::Reason;
use super::line::Line;
use super::parcel::{Parcel, Tries};
use super::rate::Rate;
#[cfg(any(feature = "net", test))]
use super::spool::Replay;
#[cfg(any(feature = "net", test))]
use super::spooling::Spooling;
use super::step::{Aftermath, GivenUp, Next, NextStep, Pace, Step};
use crate::clock::Tick;
use crate::exporters::{Activity, Again, Delivery, ExportError, Signal};

pub(crate) struct Schedule {
    lanes: Arc<Lanes>,
    pace: Pace,
    rate: Option<Rate>,
    lines: [Line; 3],
    stop: Option<Tick>,
    /// All that was accepted before a flush is in the lanes, or out.
    is_flushed: bool,
    /// Any number.
    random: fn() -> u64,
    last_success: Option<Tick>,
    /// Attempts that failed since.
    failures: u32,
    /// What is to be settled.
    done: Vec<(Parcel, Outcome)>,
    /// Whose turn it is first, in their order.
    turn: usize,
    #[cfg(any(feature = "net", test))]
    spool: Option<Spooling>,
}

/// Metrics and events go before spans, which are many; but of whom something was sent or stored comes last next time.
const ORDER: [Signal; 3] = [Signal::Metrics, Signal::Events, Signal::Spans];

impl Schedule {
    pub(crate) fn new(lanes: Arc<Lanes>, pace: Pace, now: Tick, random: fn() -> u64) -> Self {
        let line = || Line::new(pace.limits.items);
        let rate = pace.rate.map(|per_second| Rate::new(per_second, now));
        let lines = [line(), line(), line()];
        let (stop, is_flushed, last_success, failures, done) = (None, false, None, 0, Vec::new());
        Self {
            lanes,
            pace,
            rate,
            lines,
            stop,
            is_flushed,
            random,
            last_success,
            failures,
            done,
            turn: 0,
            #[cfg(any(feature = "net", test))]
            spool: None,
        }
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: Tick) -> Step {
        let told = self.lanes.told();
        self.stop = told.stop;
        self.is_flushed |= told.is_flushed;
        if let Some(until) = told.hurry {
            self.lines.iter_mut().for_each(|line| line.hurry(now, until));
        }
        let flying: usize = self.lines.iter().map(|line| line.flying.len()).sum();
        #[cfg(any(feature = "net", test))]
        let store_from = self.spool.as_mut().and_then(|spool| spool.hear(&mut self.lines, told, now));
        #[cfg(not(any(feature = "net", test)))]
        let store_from: Option<Tick> = None;
        if told.is_replaced {
            self.leave();
        }
        if told.abandoned || self.stop.is_some_and(|until| now >= until) || self.is_done(flying, now) {
            return Step::Done;
        }
        if told.paused && self.stop.is_none() {
            return Step::Wait(None, Activity::Pause);
        }
        let until = store_from.filter(|from| *from > now).or(self.stop);
        let mut wait = (until, if flying > 0 { Activity::Send } else { Activity::Idle });
        let is_full = flying >= self.pace.limits.in_flight.max(1);
        let mut wait_for = |until, does| {
            wait = if wait.0.is_none_or(|known| until < known) { (Some(until), does) } else { wait };
        };
        for place in (self.turn..).take(ORDER.len()) {
            let signal = ORDER[place % ORDER.len()];
            // What is fresh and what is stored take turns.
            let was_fresh = self.lines[signal as usize].was_fresh;
            for is_stored in [was_fresh, !was_fresh] {
                let next = match is_stored {
                    false => self.next_of(signal, is_full, now),
                    #[cfg(any(feature = "net", test))]
                    true => self.spool.as_ref().filter(|_| !is_full).map_or(Ok(None), |spool| {
                        spool.next(signal, &mut self.lines[signal as usize], &mut self.rate, now)
                    }),
                    #[cfg(not(any(feature = "net", test)))]
                    true => Ok(None),
                };
                match next {
                    Ok(Some(step)) => {
                        self.turn = (place + 1) % ORDER.len();
                        return step;
                    }
                    Ok(None) => {}
                    Err((until, does)) => wait_for(until, does),
                }
            }
        }
        Step::Wait(wait.0, wait.1)
    }

    /// What failed is for the exporter that has taken this one's place, if there is one.
    pub(crate) fn leave(&mut self) {
        let left: Vec<_> = self.lines.iter_mut().flat_map(|line| std::mem::take(&mut line.again)).collect();
        if !left.is_empty() {
            let kept = self.lanes.leave(left);
            kept.into_iter().for_each(|kept| self.lines[kept.batch.signal() as usize].again.push_back(kept));
        }
    }

    /// Whether somebody waits for all that is out: once for each flush, and always from the end on.
    pub(super) fn takes_flush(&mut self) -> bool {
        std::mem::take(&mut self.is_flushed) || self.stop.is_some()
    }

    fn is_done(&self, flying: usize, now: Tick) -> bool {
        #[cfg(any(feature = "net", test))]
        let is_stored = self.spool.as_ref().is_none_or(|spool| spool.is_done(&self.lines, now));
        #[cfg(not(any(feature = "net", test)))]
        let (is_stored, _) = (true, now);
        self.stop.is_some()
            && flying == 0
            && is_stored
            && self.lines.iter().all(|line| line.again.is_empty())
            && Signal::EACH.iter().all(|signal| self.lanes.waiting(*signal).is_none())
    }

    /// What is to be done with what waits in memory of a signal, or until when that is nothing.
    fn next_of(&mut self, signal: Signal, is_full: bool, now: Tick) -> NextStep {
        #[cfg(any(feature = "net", test))]
        if let Some(spool) =
            self.spool.as_ref().filter(|spool| spool.stores(&self.lines[signal as usize], now))
        {
            return if spool.is_full() { Ok(None) } else { self.next_to_store(signal, now) };
        }
        if is_full {
            return Ok(None);
        }
        let (waiting, line) = (self.lanes.waiting(signal), &mut self.lines[signal as usize]);
        if line.again.is_empty() && waiting.is_none() {
            line.hurried = line.hurried.filter(|_| !line.flying.is_empty());
            return Ok(None);
        }
        if let Some(until) = line.not_before.filter(|until| *until > now) {
            return Err((until, Activity::Backoff));
        }
        if line.is_down && !line.flying.is_empty() {
            return Ok(None);
        }
        let allowed = self.rate.as_mut().map_or(usize::MAX, |rate| rate.allowed(now));
        if allowed == 0 {
            return Err((self.rate.map_or(now, |rate| rate.next(now)), Activity::RateLimit));
        }
        let line = &mut self.lines[signal as usize];
        self.lanes.give_way(signal, &mut line.again);
        let most = allowed.min(line.items);
        let is_suspect = line.again.front().is_some_and(|first| Line::is_suspect(&first.tries));
        let fresh = || self.lanes.take(signal, most, self.pace.limits.bytes);
        let probe = if is_suspect { fresh() } else { None };
        let mut parcel = if let Some(probe) = probe {
            probe
        } else if let Some(parcel) = line.take_again(most) {
            parcel
        } else {
            let Some(waiting) = waiting else { return Ok(None) };
            if let Some(until) = self.lingers(signal, waiting, self.pace.limits.bytes, now) {
                return Err((until, Activity::Linger));
            }
            let Some(parcel) = fresh() else { return Ok(None) };
            parcel
        };
        parcel.tries.first.get_or_insert(now);
        parcel.tries.attempts += 1;
        self.rate.iter_mut().for_each(|rate| rate.took(parcel.batch.len()));
        let line = &mut self.lines[signal as usize];
        line.flying.push(parcel.since);
        line.was_fresh = true;
        self.finish();
        Ok(Some(Step::Attempt(parcel)))
    }

    /// Until when what waits does so for more, of which so many bytes may go at once.
    fn lingers(&self, signal: Signal, waiting: Waiting, bytes: usize, now: Tick) -> Option<Tick> {
        let until = waiting.since.plus(self.pace.linger);
        let much = bytes.min(self.lanes.max(signal)) / 2;
        let is_hurried = self.lines[signal as usize].is_hurried(now) || self.stop.is_some();
        if waiting.bytes >= much || is_hurried || now >= until {
            return None;
        }
        self.lanes.wait_for(signal, much);
        Some(until)
    }

    /// The same for what is to be stored.
    #[cfg(any(feature = "net", test))]
    fn next_to_store(&mut self, signal: Signal, now: Tick) -> NextStep {
        let Some(spool) = &self.spool else { return Ok(None) };
        let most = spool.most_bytes().min(self.pace.limits.bytes);
        // What is stored can't be made smaller any more.
        let items = self.lines[signal as usize].items;
        let parcel = if let Some(parcel) = self.lines[signal as usize].take_again(items) {
            Some(parcel)
        } else {
            let Some(waiting) = self.lanes.waiting(signal) else { return Ok(None) };
            if let Some(until) = self.lingers(signal, waiting, most, now) {
                return Err((until, Activity::Linger));
            }
            self.lanes.take(signal, items, most)
        };
        let Some(parcel) = parcel else { return Ok(None) };
        self.lines[signal as usize].flying.push(parcel.since);
        Ok(Some(Step::Store(parcel)))
    }

    /// An attempt with a stored body has ended; none where the exporter panicked.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn replayed(
        &mut self,
        replay: Replay,
        ended: Option<Result<&Delivery, &ExportError>>,
        now: Tick,
    ) -> Aftermath {
        let (signal, items) = (replay.signal(), replay.items());
        let line = &mut self.lines[signal as usize];
        line.landed(replay.since);
        let Some(spool) = &mut self.spool else { return Aftermath::default() };
        let is_through = matches!(ended, Some(Ok(_)));
        let mut after = spool.ended(replay, ended, line, (self.random)(), now);
        if is_through {
            self.got_through(signal, &mut after);
        }
        self.lanes.set_down(signal, self.lines[signal as usize].is_down);
        self.note_end(after.delivered, items, now);
        self.finish();
        after
    }

    /// What did not fit into a request goes with the next one.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn put_back(&mut self, mut rest: Parcel) {
        let line = &mut self.lines[rest.batch.signal() as usize];
        self.rate.iter_mut().for_each(|rate| rate.took_not(rest.batch.len()));
        rest.tries.failures = 0;
        rest.tries.attempts -= 1;
        if rest.tries.attempts == 0 {
            rest.tries.first = None;
        }
        line.again.push_front(rest);
    }

    /// An attempt has ended.
    pub(crate) fn ended(
        &mut self,
        mut parcel: Parcel,
        ended: Result<&Delivery, &ExportError>,
        now: Tick,
    ) -> Aftermath {
        let (signal, items) = (parcel.batch.signal(), parcel.batch.len() as u64);
        self.lines[signal as usize].landed(parcel.since);
        let mut after = Aftermath::default();
        match ended {
            Ok(delivery) => {
                after.rejected = (delivery.rejected() as u64).min(items);
                after.delivered = items - after.rejected;
                self.settle(parcel, Outcome::Delivered { rejected: after.rejected });
                self.got_through(signal, &mut after);
            }
            Err(error) => {
                after.delivered = (error.taken_items() as u64).min(items);
                if after.delivered > 0 {
                    let taken = parcel.take_first(after.delivered as usize);
                    self.settle(taken, Outcome::Delivered { rejected: 0 });
                }
                match error.again() {
                    _ if parcel.batch.is_empty() => {
                        self.settle(parcel, Outcome::Delivered { rejected: 0 });
                        self.got_through(signal, &mut after);
                    }
                    Again::Never => self.reject(parcel, &mut after),
                    Again::Smaller => self.halve(parcel, &mut after),
                    Again::Later => self.retry(parcel, None, now, &mut after),
                    Again::After(wait) => self.retry(parcel, Some(wait), now, &mut after),
                }
            }
        }
        self.note_end(after.delivered, items, now);
        self.finish();
        after
    }

    /// So many items of an attempt were delivered.
    fn note_end(&mut self, delivered: u64, items: u64, now: Tick) {
        if delivered > 0 {
            (self.last_success, self.failures) = (Some(now), 0);
        }
        if delivered < items {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// An attempt has ended in a panic of the exporter: the batch is tried again, a few times.
    pub(crate) fn panicked(&mut self, mut parcel: Parcel) -> Aftermath {
        let mut after = Aftermath::default();
        let line = &mut self.lines[parcel.batch.signal() as usize];
        line.landed(parcel.since);
        parcel.tries.panics += 1;
        self.failures = self.failures.saturating_add(1);
        if parcel.tries.panics >= Line::MOST_PANICS {
            self.reject(parcel, &mut after);
        } else {
            line.again.push_front(parcel);
            after.next = Next::Retry(Duration::ZERO);
        }
        self.finish();
        after
    }

    fn settle(&mut self, parcel: Parcel, outcome: Outcome) {
        self.done.push((parcel, outcome));
    }

    fn reject(&mut self, parcel: Parcel, after: &mut Aftermath) {
        after.rejected += parcel.batch.len() as u64;
        self.settle(parcel, Outcome::Rejected);
    }

    /// A request has got through: the receiver is there, so what fails beside it fails for itself.
    fn got_through(&mut self, signal: Signal, after: &mut Aftermath) {
        self.lanes.set_down(signal, false);
        for parcel in self.lines[signal as usize].got_through(self.pace.limits.items) {
            after.given_up.push(GivenUp::of(&parcel, true));
            self.settle(parcel, Outcome::Rejected);
        }
        #[cfg(any(feature = "net", test))]
        if let Some(spool) = &mut self.spool {
            let refused = spool.got_through(signal).into_iter();
            let given_up = |of: Replay| GivenUp { items: of.items(), is_refused: true, tries: of.tries };
            after.given_up.extend(refused.map(given_up));
        }
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
        line.items = parcel.batch.len().div_ceil(2).min(line.items);
        let first = parcel.take_first(line.items);
        line.again.push_front(parcel);
        line.again.push_front(first);
        after.next = Next::Split;
    }

    fn retry(&mut self, mut parcel: Parcel, asked: Option<Duration>, now: Tick, after: &mut Aftermath) {
        let signal = parcel.batch.signal();
        let line = &mut self.lines[signal as usize];
        let wait = line.failed((self.random)(), asked, now);
        self.lanes.set_down(signal, true);
        parcel.tries.failures += 1;
        #[cfg(any(feature = "net", test))]
        let time = if self.spool.as_ref().is_some_and(|spool| spool.works(now)) {
            Duration::MAX
        } else {
            self.pace.give_up_after
        };
        #[cfg(not(any(feature = "net", test)))]
        let time = self.pace.give_up_after;
        let is_overdue =
            |tries: &Tries| tries.first.is_some_and(|first| Duration::from_nanos(now.since(first)) >= time);
        // Those that let others go first must not wait for ever.
        let overdue = line.take_out(|parcel| is_overdue(&parcel.tries));
        if is_overdue(&parcel.tries) {
            after.expired = self.expire(parcel);
        } else {
            after.next = Next::Retry(wait);
            line.try_again(parcel);
        }
        for parcel in overdue {
            let mut given_up = GivenUp::of(&parcel, false);
            given_up.items = self.expire(parcel);
            after.given_up.extend((given_up.items > 0).then_some(given_up));
        }
    }

    /// Deltas become part of the next ones, if there are any; all else is lost. How many items are.
    fn expire(&mut self, parcel: Parcel) -> u64 {
        let (signal, bytes, items) = (parcel.batch.signal(), parcel.batch.bytes(), parcel.batch.len() as u64);
        let lost = if parcel.is_deltas { self.lanes.hand_back(parcel) } else { Some(parcel) };
        let Some(parcel) = lost else {
            self.lanes.done(signal, bytes);
            return 0;
        };
        self.settle(parcel, Outcome::Dropped(Reason::Expired));
        items
    }

    /// Settles what is to be settled. First it says how the exporter fares: who waits for an item may ask for that next.
    fn finish(&mut self) {
        let again = self.lines.iter().flat_map(|line| &line.again).map(|parcel| parcel.since);
        let oldest = self.lines.iter().flat_map(|line| &line.flying).copied().chain(again).min();
        self.lanes.note_health(|health| {
            health.last_success = self.last_success;
            health.failures = self.failures;
            health.oldest_out = oldest;
            if oldest.is_none() {
                health.activity = Activity::Idle;
            }
        });
        for (parcel, outcome) in self.done.drain(..) {
            self.lanes.done(parcel.batch.signal(), parcel.batch.bytes());
            parcel.settle(outcome);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests;
