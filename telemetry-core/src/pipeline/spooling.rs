//! When what waits for an exporter goes to disk, and when stored bodies are sent. Pure, as its [schedule](super::schedule): it
//! hands over what is to be done.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Receiver;

use super::books::Outcome;
use super::lanes::Told;
use super::line::Line;
use super::parcel::Parcel;
use super::rate::Rate;
use super::spool::{Bounds, Heir, Replay, Shelf, Spool};
use super::step::{Aftermath, Next, NextStep, Step};
use crate::clock::Tick;
use crate::exporters::{Activity, Again, Delivery, ExportError, Signal};

#[derive(Debug)]
pub(crate) struct Spooling {
    spool: Spool,
    /// All is stored before it is sent, not only what can't be sent now.
    always: bool,
    most_bytes: usize,
    /// It could not be written to.
    not_before: Option<Tick>,
    /// When the end is, and from when on all is stored, so that nothing is left in memory then.
    ending: Option<(Tick, Tick)>,
    /// Those who have it next, where another exporter with the same directory takes this one's place.
    heirs: Receiver<Heir>,
    is_passed_on: bool,
}

/// A stored body has about so many bytes: it can't be made smaller any more when the receiver asks for that.
const MOST_BYTES: usize = 256 << 10;
/// And no more than that part of its spool, which is half of a segment.
const MOST_PART: u64 = 32;
/// So many bodies are on their way to the disk at once.
const MOST_STORING: usize = 8;
/// The disk is told of so many bodies together that they are settled: after a crash, these come again beside those that were out.
const TOGETHER: usize = 4;
/// A disk that failed is left alone for so long; what waits stays in memory.
const PAUSE: Duration = Duration::from_secs(5);
/// At a shutdown, so much of its time is kept to store what is left.
const RESERVE: Duration = Duration::from_millis(500);

impl Spooling {
    pub(crate) fn new(spool: Spool, bounds: Bounds, always: bool, heirs: Receiver<Heir>) -> Self {
        let part = usize::try_from(bounds.bytes / MOST_PART).unwrap_or(usize::MAX);
        Self {
            spool,
            always,
            most_bytes: MOST_BYTES.min(part),
            not_before: None,
            ending: None,
            heirs,
            is_passed_on: false,
        }
    }

    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        self.spool.shelf()
    }

    /// Takes back what could not be stored; for a while nothing more is then. From when on all is stored that is left, where it is
    /// told of the end, which may come nearer.
    pub(super) fn hear(&mut self, lines: &mut [Line; 3], told: Told, now: Tick) -> Option<Tick> {
        for parcel in self.shelf().take_failed() {
            self.not_before = Some(now.plus(PAUSE));
            lines[parcel.batch.signal() as usize].again.push_front(parcel);
        }
        self.is_passed_on = told.is_replaced && !self.heirs.is_empty();
        let stop = told.stop?;
        let known = self.ending.filter(|(known, _)| *known == stop);
        let (_, from) = known.unwrap_or_else(|| {
            let left = Duration::from_nanos(stop.since(now));
            (stop, now.plus(left.saturating_sub(RESERVE.min(left / 2))))
        });
        self.ending = Some((stop, from));
        Some(from).filter(|_| !self.is_passed_on)
    }

    /// Whether nothing is on its way to the disk, nor anything stored that may be sent now.
    pub(super) fn is_done(&self, lines: &[Line; 3], now: Tick) -> bool {
        let may_go = |signal: &Signal| self.shelf().has(*signal) && !lines[*signal as usize].is_down;
        self.shelf().storing() == 0
            && (self.is_passed_on || self.is_ending(now) || !Signal::EACH.iter().any(may_go))
    }

    /// The stored body of a signal that may go now, or until when none may.
    pub(super) fn next(
        &self,
        signal: Signal,
        line: &mut Line,
        rate: &mut Option<Rate>,
        now: Tick,
    ) -> NextStep {
        if self.is_passed_on || self.is_ending(now) || self.shelf().next(signal).is_none() {
            return Ok(None);
        }
        if let Some(until) = line.not_before.filter(|until| *until > now) {
            return Err((until, Activity::Backoff));
        }
        if line.is_waiting(now) {
            return Ok(None);
        }
        if let Some(rate) = rate
            && rate.allowed(now) == 0
        {
            return Err((rate.next(now), Activity::RateLimit));
        }
        let Some(mut replay) = self.shelf().take(signal) else { return Ok(None) };
        replay.since = now;
        replay.tries.attempts += 1;
        rate.iter_mut().for_each(|rate| rate.took(replay.items() as usize));
        line.flying.push(now);
        line.was_fresh = false;
        Ok(Some(Step::Replay(replay)))
    }

    /// An attempt with a stored body has ended. It can't be cut: what was taken of it before it failed is sent again with it.
    pub(super) fn ended(
        &mut self,
        mut replay: Replay,
        ended: Option<Result<&Delivery, &ExportError>>,
        line: &mut Line,
        random: u64,
        now: Tick,
    ) -> Aftermath {
        let (mut after, items) = (Aftermath::default(), replay.items());
        let asked = |error: &ExportError| match error.again() {
            Again::Later => Some(None),
            Again::After(wait) => Some(Some(wait)),
            Again::Smaller | Again::Never => None,
        };
        match ended {
            Some(Ok(delivery)) => {
                after.rejected = (delivery.rejected() as u64).min(items);
                after.delivered = items - after.rejected;
                self.settle(&replay, Outcome::Delivered { rejected: after.rejected });
            }
            Some(Err(error)) => match asked(error) {
                Some(asked) => {
                    after.next = Next::Retry(line.failed(random, asked, now));
                    replay.tries.failures += 1;
                    self.give_back(replay);
                }
                None => self.reject(&replay, &mut after),
            },
            None => {
                replay.tries.panics += 1;
                if replay.tries.panics >= Line::MOST_PANICS {
                    self.reject(&replay, &mut after);
                } else {
                    after.next = Next::Retry(Duration::ZERO);
                    self.give_back(replay);
                }
            }
        }
        after
    }

    fn reject(&mut self, replay: &Replay, after: &mut Aftermath) {
        after.rejected = replay.items();
        self.settle(replay, Outcome::Rejected);
    }

    pub(super) fn works(&self, now: Tick) -> bool {
        self.not_before.is_none_or(|until| until <= now)
    }

    /// Nothing more is sent: all goes to the disk.
    pub(super) fn is_ending(&self, now: Tick) -> bool {
        self.works(now) && !self.is_passed_on && self.ending.is_some_and(|(_, from)| from <= now)
    }

    /// Whether what waits in that line goes to the disk, and not to the receiver.
    pub(super) fn stores(&self, line: &Line, now: Tick) -> bool {
        self.works(now) && (self.always || self.is_ending(now) || line.is_waiting(now))
    }

    /// So many bytes a body may have that is stored.
    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Whether the disk is busy enough.
    pub(super) fn is_full(&self) -> bool {
        self.shelf().storing() >= MOST_STORING
    }

    /// Hands a parcel over, of which so many items are not in the body; it comes back when it [hears](Self::hear) that it could
    /// not be stored.
    pub(super) fn store(&mut self, line: &mut Line, parcel: Parcel, body: Bytes, rejected: u64, now: Tick) {
        line.landed(parcel.since);
        if let Some(parcel) = self.spool.store(parcel, body, rejected) {
            self.not_before = Some(now.plus(PAUSE));
            line.again.push_front(parcel);
        }
    }

    /// A request with a stored body is let go of.
    pub(super) fn recall(&self, line: &mut Line, replay: Replay) {
        line.landed(replay.since);
        self.give_back(replay);
    }

    /// A stored body is done with.
    fn settle(&mut self, replay: &Replay, outcome: Outcome) {
        self.spool.settle(replay, outcome);
    }

    /// Whether the disk is to be told what is settled. It need not be told one by one as long as more of it will be, and more is ready
    /// to be sent.
    pub(super) fn has_news(&self, is_flying: bool) -> bool {
        let settled = self.spool.settled();
        settled >= TOGETHER || settled > 0 && !(is_flying && self.shelf().is_any_ready())
    }

    /// Tells the disk what is settled.
    pub(super) fn tell(&mut self) {
        self.spool.tell_settled();
    }

    /// A stored body failed, and stays stored.
    fn give_back(&self, replay: Replay) {
        let is_suspect = Line::is_suspect(&replay.tries);
        self.shelf().give_back(replay, is_suspect);
    }

    /// A request has got through. Of stored ones that never do, which are given up.
    pub(super) fn got_through(&mut self, signal: Signal) -> Vec<Replay> {
        let refused = self.shelf().got_through(signal, Line::is_suspect);
        refused.iter().for_each(|replay| self.settle(replay, Outcome::Rejected));
        refused
    }

    /// Nothing follows: another exporter has it, or else it waits until all that was handed over is stored, but not beyond that time.
    pub(super) fn close(self, until: std::time::Instant) {
        let heir = if self.is_passed_on { self.heirs.try_recv().ok() } else { None };
        let left = match heir {
            Some(heir) => heir.give(self.spool),
            None => Some(self.spool),
        };
        left.into_iter().for_each(|mut spool| spool.close(until));
    }
}
