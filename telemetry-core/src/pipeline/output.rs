//! One exporter as the dispatcher sees it: what it is to be given, and whether it keeps up.

mod heir;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::books::{Books, Outcome, State, Ticket};
use super::feedback::Complaints;
use super::former::Former;
use super::lanes::Lanes;
use super::ledger::Reason;
use super::parcel::{Parcel, Reading};
use crate::clock::Tick;
use crate::exporters::{Batch, Sieve, Signal};
use crate::metrics::{Baseline, Levels, Snapshot};
use crate::model::{Metric, Resource};

/// Where an exporter that does not keep up is spared, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The dispatcher leaves for so long where they are what the lane has no room for.
    pub(crate) time: Duration,
    /// Threads that record wait meanwhile (back-pressure).
    pub(crate) is_wanted: bool,
}

impl Patience {
    /// Where nobody wants back-pressure: for a moment, which an exporter may need to begin.
    pub(crate) const GRACE: Self = Self { time: Duration::from_millis(50), is_wanted: false };
}

/// So many bytes are enough for an exporter that delivers, where threads wait for it: with more of them it delivers no more.
const ENOUGH: usize = 4 << 20;
/// What was delivered in this time, or had to be only since then, shows that it delivers.
const LATELY: Duration = Duration::from_millis(500);

pub(crate) struct Output {
    pub(crate) number: usize,
    pub(crate) wants: [bool; 3],
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) sieve: Sieve,
    /// The global tags, with those of its route.
    pub(crate) resource: Arc<Resource>,
    /// For one that wants deltas.
    pub(crate) baseline: Option<Baseline>,
    /// For deltas that could not be delivered and are part of the next ones.
    pub(crate) owed: Option<Ticket>,
    /// Up to when it has been given metrics, for series that end.
    pub(crate) last_read: Arc<AtomicU64>,
    /// It is given metrics that often.
    pub(crate) interval: Duration,
    pub(crate) next_due: Tick,
    pub(crate) joined: Tick,
    pub(crate) patience: Patience,
    pub(crate) complaints: Arc<Complaints>,
    pub(crate) keeping_up: KeepingUp,
    /// It shows spans or events as they happen.
    pub(crate) is_live: bool,
    /// The newest sums since their start that it was given.
    pub(crate) newest: Option<Reading>,
    /// Those whose place it has taken, as long as they have something left.
    pub(crate) former: Vec<Former>,
}

/// Whether an exporter keeps up with what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepingUp {
    Yes,
    /// Its lane has had no room since then.
    Late(Tick),
    /// For so long that it loses its oldest items, until its lane is half empty.
    No,
}

/// What an exporter is to be given.
pub(super) struct Share {
    pub(super) batch: Batch,
    /// Items that it does not want.
    pub(super) filtered: u64,
}

impl Output {
    pub(super) fn wants_metrics(&self) -> bool {
        self.wants[Signal::Metrics as usize]
    }

    /// Its share of spans, of events or of points made by hand.
    pub(super) fn share(&mut self, batch: &Batch) -> Share {
        if !self.wants[batch.signal() as usize] {
            return Share { filtered: batch.len() as u64, batch: batch.none() };
        }
        let own = batch.clone().with_resource(&self.resource);
        let kept = self.sieve.sift(&own);
        Share { filtered: (batch.len() - kept.len()) as u64, batch: kept }
    }

    /// Its share of a snapshot; none where it is not made, as there is no room for it: the next one covers its time too.
    pub(super) fn share_of_metrics(
        &mut self,
        all: &Sums,
        is_last: bool,
    ) -> Option<(Share, Arc<Vec<Metric>>)> {
        self.lanes.take_handed_back().into_iter().for_each(|parcel| self.take_back(parcel));
        let (all, below) = all.of(&self.sieve);
        let metrics = match &self.baseline {
            None => Arc::clone(&all),
            Some(baseline) => baseline.since(&all).into(),
        };
        let snapshot = Snapshot::shared(metrics, Arc::clone(&self.resource));
        let batch = Batch::of_metrics(snapshot, Arc::clone(&self.resource));
        let kept = self.sieve.sift(&batch);
        let has_room =
            kept.bytes() <= self.lanes.room(Signal::Metrics) || self.lanes.is_empty(Signal::Metrics);
        if self.baseline.is_some() && !is_last && !has_room {
            return None;
        }
        Some((Share { filtered: (batch.len() - kept.len()) as u64 + below, batch: kept }, all))
    }

    /// It is given all metrics of that moment: that parcel of them, which may be none.
    pub(super) fn commit(
        &mut self,
        all: &[Metric],
        reading: Reading,
        parcel: Option<Parcel>,
    ) -> Option<Parcel> {
        self.last_read.fetch_max(reading.at.raw(), Relaxed);
        let Some(baseline) = &mut self.baseline else {
            self.newest = Some(reading);
            return parcel.map(|parcel| Parcel { sums: Some(reading), ..parcel });
        };
        baseline.commit(all);
        let mut parcel = parcel.map(|parcel| Parcel { is_deltas: true, ..parcel });
        match (self.owed.take(), &mut parcel) {
            (Some(owed), Some(parcel)) => parcel.stands_for(owed),
            (Some(owed), None) => owed.settle(Outcome::Superseded),
            (None, _) => {}
        }
        parcel
    }

    /// Deltas that could not be delivered become part of the next ones.
    fn take_back(&mut self, parcel: Parcel) {
        if let Some(baseline) = &mut self.baseline {
            parcel.batch.metrics().for_each(|metric| baseline.restore(&metric.to_metric()));
            let mut ticket = parcel.into_ticket();
            self.owed.take().into_iter().for_each(|owed| ticket.merge(owed));
            self.owed = Some(ticket);
        }
    }

    /// Deltas have come back that are to become part of the next ones.
    pub(super) fn is_owed(&self) -> bool {
        self.baseline.is_some() && self.lanes.has_handed_back()
    }

    /// Nothing more comes.
    pub(super) fn stop(&mut self, until: Tick) {
        let late = self.lanes.stop(until).into_iter().map(Parcel::into_ticket);
        for ticket in late.chain(self.owed.take()) {
            let (n, why) = (ticket.items(), "no attempt got through, and there is no further one");
            ticket.settle(Outcome::Dropped(Reason::Expired));
            let items = Signal::Metrics.amount(n);
            self.complaints.say("given up", n, format_args!("lost {items}: {why}"));
        }
    }

    /// Its check at the start takes long.
    pub(super) fn say_if_it_checks(&self) {
        if self.lanes.is_checking() {
            let text = "its check at the start has not ended; nothing is sent before it does";
            self.complaints.say("check", 0, format_args!("{text}"));
        }
    }

    /// Books its share, holding the books.
    pub(super) fn accept(&self, books: &Arc<Books>, state: &mut State, share: &Share) -> Option<Ticket> {
        let (signal, items) = (share.batch.signal(), share.batch.len() as u64);
        books.accept(state, self.number, signal, items, share.filtered)
    }

    /// Puts it into its lane; no lock is held.
    pub(super) fn put(&mut self, parcel: Parcel, is_last: bool) {
        if is_last {
            return self.lanes.put_last(parcel);
        }
        for parcel in self.lanes.put(parcel) {
            if parcel.is_deltas {
                self.take_back(parcel);
                continue;
            }
            let (n, signal) = (parcel.batch.len() as u64, parcel.batch.signal());
            parcel.settle(Outcome::Dropped(Reason::QueueFull));
            let paused = if self.lanes.is_paused() { "it is paused, and " } else { "" };
            let (items, why) = (signal.amount(n), "its memory (`exporter_bytes`) is full");
            self.complaints.say("lost: its memory is full", n, format_args!("lost {items}: {paused}{why}"));
        }
    }

    /// So many bytes of spans and of events may be collected for its sake, and until when that holds where it is less than
    /// there is.
    pub(super) fn room(&mut self, now: Tick) -> ([usize; 2], Option<Tick>) {
        let (mut room, until) = self.room_in_lanes(now);
        let delivers_until = self.lanes.last_success().unwrap_or(self.joined).plus(LATELY);
        if !self.patience.is_wanted || self.keeping_up != KeepingUp::Yes || now >= delivers_until {
            return (room, until);
        }
        let most = collectable(self.lanes.room_below(ENOUGH), ENOUGH);
        for (room, signal) in room.iter_mut().zip(Signal::RECORDS) {
            *room = if self.wants[signal as usize] { most.min(*room) } else { *room };
        }
        (room, if most == 0 { Some(delivers_until) } else { until })
    }

    fn room_in_lanes(&mut self, now: Tick) -> ([usize; 2], Option<Tick>) {
        if self.keeping_up == KeepingUp::No && self.lanes.want_room() {
            self.keeping_up = KeepingUp::Yes;
        }
        let room = self.room_now();
        let is_full = room.contains(&0);
        self.keeping_up = match self.keeping_up {
            KeepingUp::Yes if is_full => KeepingUp::Late(now),
            KeepingUp::Late(_) if !is_full => KeepingUp::Yes,
            known => known,
        };
        let KeepingUp::Late(since) = self.keeping_up else { return (room, None) };
        let until = since.plus(self.patience.time);
        if now < until {
            if !self.lanes.want_room() {
                return (room, Some(until));
            }
            // It came meanwhile.
            self.keeping_up = KeepingUp::Yes;
            return (self.room_now(), None);
        }
        self.keeping_up = KeepingUp::No;
        if self.patience.is_wanted {
            let (time, why) =
                (self.patience.time, "from now on it loses its oldest items, until it has caught up");
            self.complaints.say("late", 0, format_args!("has not kept up for {time:?}; {why}"));
        }
        (self.room_now(), None)
    }

    fn room_now(&self) -> [usize; 2] {
        Signal::RECORDS.map(|signal| {
            let most = self.lanes.max(signal) / 2;
            if !self.wants[signal as usize] {
                return usize::MAX;
            }
            if self.keeping_up == KeepingUp::No {
                return most;
            }
            collectable(self.lanes.room(signal), self.lanes.max(signal))
        })
    }
}

/// How much of each signal is collected where so many bytes are free of some. It weighs a little more than its records, and
/// blocks are taken whole; spans and events share what there is.
fn collectable(room: usize, of: usize) -> usize {
    let (most, room) = (of / 2, room / 8 * 3);
    if room < most / 8 { 0 } else { room.min(most) }
}

/// All metrics of one moment, by level and without.
pub(crate) struct Sums {
    levels: Levels,
    /// Those of telemetry itself, which have no level.
    own: Vec<Metric>,
    merged: Arc<Vec<Metric>>,
}

impl Sums {
    pub(crate) fn new(levels: Levels, own: Vec<Metric>) -> Self {
        let merged = levels.merged_with(&own, |_| true).into();
        Self { levels, own, merged }
    }

    pub(super) fn len(&self) -> usize {
        self.merged.len()
    }

    pub(super) fn reading(&self) -> Reading {
        Reading { endings: self.levels.endings(), at: self.levels.at() }
    }

    /// Those whose level a filter lets pass, and how many it does not.
    pub(crate) fn of(&self, sieve: &Sieve) -> (Arc<Vec<Metric>>, u64) {
        if !sieve.filter().has_levels() {
            return (Arc::clone(&self.merged), 0);
        }
        let kept = self.levels.merged_with(&self.own, |level| sieve.filter().takes_level(level));
        let below = self.merged.len().saturating_sub(kept.len()) as u64;
        (kept.into(), below)
    }
}
