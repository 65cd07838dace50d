//! What a series holds at one moment, and the data points that are made of it.

use std::sync::Arc;
use std::time::Duration;

use super::epoch::Epoch;
use crate::clock::{Anchors, Tick};
use crate::metrics::cell::Total;
use crate::model::{HistogramValue, Identity, Metric, MetricValue, Number, Temporality};

/// All that a series holds at one moment, since it was made.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    Sum(Total),
    Gauge(Option<(Number, Tick)>),
    Histogram(Box<HistogramValue>),
    Meter(Total, [f64; 4]),
}

impl Default for Reading {
    /// Of a gauge that was never set.
    fn default() -> Self {
        Self::Gauge(None)
    }
}

impl Reading {
    /// Another one where values came in between.
    pub(super) fn mark(&self) -> u64 {
        match self {
            Self::Sum(n) | Self::Meter(n, _) => n.mark(),
            Self::Gauge(set) => set.map_or(0, |(_, at)| at.raw() + 1),
            Self::Histogram(h) => h.count,
        }
    }

    /// The sum, if it is one.
    pub(super) fn total(&self) -> Option<Total> {
        match self {
            Self::Sum(n) | Self::Meter(n, _) => Some(*n),
            Self::Gauge(_) | Self::Histogram(_) => None,
        }
    }

    /// What came since an earlier one.
    pub(super) fn since(self, before: &Self) -> Self {
        match (self, before) {
            (Self::Sum(n), Self::Sum(b)) => Self::Sum(n.minus(*b)),
            (Self::Meter(n, rates), Self::Meter(b, _)) => Self::Meter(n.minus(*b), rates),
            (Self::Histogram(h), Self::Histogram(b)) => Self::Histogram(h.since(b).into()),
            (all, _) => all,
        }
    }
}

/// When a reading is made.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Tick,
    /// The same in nanoseconds since the Unix epoch.
    pub(crate) unix_nanos: u64,
    pub(crate) anchors: &'a Anchors,
    /// The reading before.
    pub(crate) last: Epoch,
    /// A series without a new value for so long may end with this one; none where none may.
    pub(crate) expiration: Option<Duration>,
}

impl<'a> Moment<'a> {
    pub(crate) fn new(now: Tick, anchors: &'a Anchors, last: Epoch, expiration: Option<Duration>) -> Self {
        Self { now, unix_nanos: anchors.unix_nanos(now), anchors, last, expiration }
    }
}

/// What a reading finds out of a series beside its data points.
pub(crate) struct Finding {
    /// It was over, and has new values.
    pub(crate) begins: bool,
    /// Data points of its metric that were made before may be of another type from now on.
    pub(crate) widens: bool,
    /// When a reading last found something new.
    pub(crate) changed: Tick,
    pub(crate) fate: Fate,
}

/// Whether a series ends with a reading.
pub(crate) enum Fate {
    /// It stays.
    Stays,
    /// It may end with what it holds: it has been idle for long.
    Idle(Box<Reading>),
    /// It ends where others of its metric do: it has no data point.
    Silent(Box<Reading>),
    /// It has ended before.
    Ended,
}

/// The data points of one moment, before those that differ only in level are made one.
#[derive(Default)]
pub(crate) struct Points {
    /// In the order of series. Those of an earlier moment are written over: most often they are of the same series.
    metrics: Vec<Metric>,
    len: usize,
    /// Of these the ones that differ from the one before only in level.
    pub(crate) joins: Vec<Join>,
    /// Those that have names of their own, in no order: of callbacks, rates and tasks.
    pub(crate) others: Vec<(Metric, Merge)>,
    /// The next one differs from the last one only in level.
    joins_last: bool,
}

/// A data point that differs from the one before only in level.
#[derive(Clone, Copy)]
pub(crate) struct Join {
    pub(crate) at: usize,
    pub(crate) merge: Merge,
    /// Of a histogram's exponential buckets.
    pub(crate) max_buckets: usize,
}

impl Points {
    /// None yet of so many series. Those of an earlier moment are of no use any more.
    pub(crate) fn over(earlier: Vec<Metric>) -> Self {
        Self { metrics: earlier, ..Self::default() }
    }

    pub(crate) fn reserve(&mut self, series: usize) {
        self.metrics.reserve_exact(series.saturating_sub(self.metrics.len()));
    }

    /// Those in the order of series.
    pub(crate) fn metrics_mut(&mut self) -> &mut [Metric] {
        &mut self.metrics[..self.len]
    }

    /// The same at the end.
    pub(crate) fn take_metrics(&mut self) -> Vec<Metric> {
        self.metrics.truncate(self.len);
        self.len = 0;
        std::mem::take(&mut self.metrics)
    }
}

/// Takes data points where they are made.
pub(crate) trait Sink {
    /// The next series comes. Whether it differs from the one before only in level.
    fn begin(&mut self, joins: bool);

    /// A data point of it.
    fn put(&mut self, identity: &Arc<Identity>, point: Fresh);

    /// A data point that has a name of its own.
    fn put_other(&mut self, metric: Metric, merge: Merge);
}

/// A data point of a series, cumulative.
pub(crate) struct Fresh {
    pub(crate) start: Option<u64>,
    pub(crate) at: u64,
    pub(crate) value: MetricValue,
    pub(crate) life: u64,
    pub(crate) taken_off: i128,
    pub(crate) is_beyond_int: bool,
    pub(crate) merge: Merge,
    /// Of a histogram's exponential buckets.
    pub(crate) max_buckets: usize,
}

impl Sink for Points {
    fn begin(&mut self, joins: bool) {
        self.joins_last &= joins;
    }

    #[inline]
    fn put(&mut self, identity: &Arc<Identity>, point: Fresh) {
        let at = self.len;
        if self.joins_last {
            self.joins.push(Join { at, merge: point.merge, max_buckets: point.max_buckets });
        }
        self.joins_last = true;
        self.len += 1;
        match self.metrics.get(at) {
            Some(known) if Arc::ptr_eq(&known.identity, identity) => {}
            Some(_) => self.metrics[at].identity = Arc::clone(identity),
            None => self.metrics.push(Metric::of(Arc::clone(identity))),
        }
        let metric = &mut self.metrics[at];
        (metric.start_time_unix_nano, metric.time_unix_nano) = (point.start, point.at);
        (metric.temporality, metric.value, metric.life) = (Temporality::Cumulative, point.value, point.life);
        metric.set_taken_off(point.taken_off);
        metric.is_beyond_int = point.is_beyond_int;
    }

    fn put_other(&mut self, metric: Metric, merge: Merge) {
        self.others.push((metric, merge));
    }
}

/// What becomes of two points that differ only in level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    Sum,
    Newest,
    Greatest,
}
