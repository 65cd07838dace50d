//! What one thread keeps of a series for itself, because its tags are known only when a value comes.

use super::local_histogram::LocalHistogram;
use crate::metrics::site::Bounds;
use crate::model::HistogramValue;
use crate::sync::atomic::{
    AtomicBool, AtomicI64,
    Ordering::{Acquire, Relaxed, Release},
};

/// What a thread needs of its own to count a series.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LocalKind {
    Sum,
    /// With its bounds, where somebody chose them.
    Histogram(Option<Bounds>),
}

/// A cell that one thread writes to, and the snapshots of its series read.
#[derive(Debug)]
pub(crate) struct LocalCell {
    sum: AtomicI64,
    histogram: Option<Box<LocalHistogram>>,
    /// What it is counted as.
    pub(crate) bytes: usize,
    /// Its series is over: the thread should let go of it.
    is_retired: AtomicBool,
}

impl LocalCell {
    pub(crate) fn new(collector: u64, kind: LocalKind, bytes: usize) -> Self {
        let histogram = match kind {
            LocalKind::Sum => None,
            LocalKind::Histogram(bounds) => {
                let histogram: Box<LocalHistogram> = Box::default();
                histogram.prepare(collector, bounds);
                Some(histogram)
            }
        };
        Self { sum: AtomicI64::new(0), histogram, bytes, is_retired: AtomicBool::new(false) }
    }

    /// False if it would not fit: then the shared cell is to be used.
    #[inline]
    pub(crate) fn add(&self, n: i64) -> bool {
        let sum = self.sum.load(Relaxed).checked_add(n);
        sum.into_iter().for_each(|sum| self.sum.store(sum, Relaxed));
        sum.is_some()
    }

    #[inline]
    pub(crate) fn record(&self, x: f64) -> bool {
        self.histogram.as_ref().is_some_and(|histogram| histogram.record(x))
    }

    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Release);
    }

    /// Whether its thread should let go of it.
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Acquire)
    }

    /// Adds what it holds.
    #[inline]
    pub(crate) fn add_to(&self, local: &mut LocalValue) {
        if self.histogram.is_some() {
            return local.add(self.read());
        }
        local.sum += i128::from(self.sum.load(Relaxed));
    }

    pub(crate) fn read(&self) -> LocalValue {
        let histogram = self.histogram.as_ref().map(|histogram| histogram.read().into());
        LocalValue { sum: self.sum.load(Relaxed).into(), histogram }
    }
}

/// What threads keep of a series for themselves.
#[derive(Debug, Default)]
pub(crate) struct LocalValue {
    pub(crate) sum: i128,
    /// None where nothing was recorded.
    pub(crate) histogram: Option<Box<HistogramValue>>,
}

impl LocalValue {
    pub(crate) fn of_sum(sum: i64) -> Self {
        Self { sum: sum.into(), histogram: None }
    }

    pub(crate) fn add(&mut self, other: LocalValue) {
        self.sum += other.sum;
        match (&mut self.histogram, other.histogram) {
            (Some(histogram), Some(other)) => histogram.merge(&other),
            (histogram @ None, other) => *histogram = other,
            (Some(_), None) => {}
        }
    }
}
