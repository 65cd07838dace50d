//! What a series holds at one moment, and the data points that are made of it.

use std::sync::Arc;

use crate::clock::Tick;
use crate::metrics::cell::Total;
use crate::model::{HistogramValue, Identity, Metric, Number};

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
    pub(super) fn since(self, before: Option<&Self>) -> Self {
        match (self, before) {
            (Self::Sum(n), Some(Self::Sum(b))) => Self::Sum(n.minus(*b)),
            (Self::Meter(n, rates), Some(Self::Meter(b, _))) => Self::Meter(n.minus(*b), rates),
            (Self::Histogram(h), Some(Self::Histogram(b))) => Self::Histogram(h.since(b).into()),
            (all, _) => all,
        }
    }
}

/// A data point before those of different levels are made one.
#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) merge: Merge,
    pub(crate) metric: Metric,
    /// The metric that it belongs to: rates and tasks have names of their own.
    pub(crate) owner: Arc<Identity>,
    /// Since when its series has nothing new; none for one that must not end.
    pub(crate) idle_since: Option<Tick>,
    /// Of a histogram's exponential buckets.
    pub(crate) max_buckets: usize,
}

/// What becomes of two points that differ only in level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    Sum,
    Newest,
    Greatest,
}
