//! One exporter as the dispatcher sees it: what it is to be given, and whether it keeps up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::books::{Books, Outcome, State, Ticket};
use super::feedback::Complaints;
use super::lanes::{Evicted, Lanes};
use super::ledger::Reason;
use super::parcel::Parcel;
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

const RECORDS: [Signal; 2] = [Signal::Spans, Signal::Events];
/// The largest block takes about so much, unless a record needs more.
const BLOCK: usize = 40 << 10;

impl Patience {
    /// Where nobody wants back-pressure: for a moment, which an exporter may need to begin.
    pub(crate) const GRACE: Self = Self { time: Duration::from_millis(50), is_wanted: false };
}

pub(crate) struct Output {
    pub(crate) number: usize,
    pub(crate) wants: [bool; 3],
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) sieve: Sieve,
    /// The global tags, with those of its route.
    pub(crate) resource: Arc<Resource>,
    /// For one that wants deltas.
    pub(crate) baseline: Option<Baseline>,
    /// Up to when it has been given metrics, for series that end.
    pub(crate) last_read: Arc<AtomicU64>,
    /// It is given metrics that often.
    pub(crate) interval: Duration,
    pub(crate) next_due: Tick,
    pub(crate) patience: Patience,
    pub(crate) complaints: Arc<Complaints>,
    pub(crate) keeping_up: KeepingUp,
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
    pub(super) fn share_of_metrics(&mut self, all: &Sums, is_last: bool) -> Option<(Share, Arc<[Metric]>)> {
        if let Some(baseline) = &mut self.baseline {
            let handed_back = self.lanes.take_handed_back();
            handed_back
                .iter()
                .flat_map(Batch::metrics)
                .for_each(|metric| baseline.restore(&metric.to_metric()));
        }
        let (all, below) = all.of(&self.sieve);
        let metrics = match &self.baseline {
            None => Arc::clone(&all),
            Some(baseline) => baseline.since(&all).into(),
        };
        let snapshot = Snapshot::new(metrics, Arc::clone(&self.resource));
        let batch = Batch::of_metrics(snapshot, Arc::clone(&self.resource));
        let kept = self.sieve.sift(&batch);
        let has_room =
            kept.bytes() <= self.lanes.room(Signal::Metrics) || self.lanes.is_empty(Signal::Metrics);
        if self.baseline.is_some() && !is_last && !has_room {
            return None;
        }
        Some((Share { filtered: (batch.len() - kept.len()) as u64 + below, batch: kept }, all))
    }

    /// It was given all metrics of that moment.
    pub(super) fn commit(&mut self, all: &[Metric], at: Tick) {
        if let Some(baseline) = &mut self.baseline {
            baseline.commit(all);
        }
        self.last_read.fetch_max(at.raw(), Relaxed);
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
        let Evicted { oldest, superseded } = self.lanes.put(parcel);
        superseded.into_iter().for_each(|parcel| parcel.settle(Outcome::Superseded));
        for parcel in oldest {
            let (n, signal) = (parcel.batch.len() as u64, parcel.batch.signal().name());
            match &mut self.baseline {
                // What it said becomes part of the next one.
                Some(baseline) if parcel.is_deltas => {
                    parcel.batch.metrics().for_each(|metric| baseline.restore(&metric.to_metric()));
                    parcel.settle(Outcome::Superseded);
                }
                _ => {
                    parcel.settle(Outcome::Dropped(Reason::QueueFull));
                    let why = "its memory (`exporter_bytes`) is full";
                    self.complaints.say("queue full", n, format_args!("lost {n} {signal}: {why}"));
                }
            }
        }
    }

    /// So many bytes of spans and of events may be collected for its sake, and until when that holds where it is less than
    /// there is.
    pub(super) fn room(&mut self, now: Tick) -> ([usize; 2], Option<Tick>) {
        if self.keeping_up == KeepingUp::No && self.lanes.want_room() {
            self.keeping_up = KeepingUp::Yes;
        }
        let most = RECORDS.map(|signal| self.lanes.max(signal) / 2);
        let is_spared = self.keeping_up != KeepingUp::No;
        let room = [0, 1].map(|i| {
            let (signal, most) = (RECORDS[i], most[i]);
            if !self.wants[signal as usize] {
                return usize::MAX;
            }
            if !is_spared {
                return most;
            }
            // What is collected weighs a little more than its records, and blocks are taken whole.
            // Spans and events share what there is.
            let room = (self.lanes.room(signal) / 8 * 3).min(most);
            if room < BLOCK.max(most / 8).min(most / 4) { 0 } else { room }
        });
        let is_full = room.contains(&0);
        self.keeping_up = match self.keeping_up {
            KeepingUp::Yes if is_full => KeepingUp::Late(now),
            KeepingUp::Late(_) if !is_full => KeepingUp::Yes,
            known => known,
        };
        let KeepingUp::Late(since) = self.keeping_up else { return (room, None) };
        let until = since.plus(self.patience.time);
        if now < until {
            self.lanes.want_room();
            return (room, Some(until));
        }
        self.keeping_up = KeepingUp::No;
        if self.patience.is_wanted {
            let (time, why) =
                (self.patience.time, "from now on it loses its oldest items, until it has caught up");
            self.complaints.say("late", 0, format_args!("has not kept up for {time:?}; {why}"));
        }
        self.room(now)
    }
}

/// All metrics of one moment, by level and without.
pub(super) struct Sums {
    levels: Levels,
    merged: Arc<[Metric]>,
}

impl Sums {
    pub(super) fn new(levels: Levels, own: Vec<Metric>) -> Self {
        let mut merged = levels.merged(|_| true);
        merged.extend(own);
        Self { levels, merged: merged.into() }
    }

    pub(super) fn len(&self) -> usize {
        self.merged.len()
    }

    /// How many series had ended by then.
    pub(super) fn endings(&self) -> u64 {
        self.levels.endings()
    }

    /// When they were read.
    pub(super) fn at(&self) -> Tick {
        self.levels.at()
    }

    /// Those whose level a filter lets pass, and how many it does not.
    fn of(&self, sieve: &Sieve) -> (Arc<[Metric]>, u64) {
        if !sieve.filter().has_levels() {
            return (Arc::clone(&self.merged), 0);
        }
        let kept = self.levels.merged(|level| sieve.filter().takes_level(level));
        let below = self.merged.len().saturating_sub(kept.len()) as u64;
        (kept.into(), below)
    }
}
