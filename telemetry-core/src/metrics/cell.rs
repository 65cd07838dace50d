//! Cells: where one series keeps its values. One that is shared takes those of all threads; one that is local belongs to
//! a thread, which alone writes to it (thread-local aggregation). Snapshots read both, and nothing here ever waits for
//! a reader.

mod buckets;
mod exemplar;
mod local;
mod local_histogram;
mod meter;
mod number;
mod shared_histogram;

pub(crate) use local::{LocalCell, LocalKind, LocalValue};
pub(crate) use local_histogram::LocalHistogram;
pub(crate) use meter::Meter;
pub(crate) use number::Total;
pub(crate) use shared_histogram::SharedHistogram;

use number::{Gauge, Sum};

use super::site::{Bounds, CellKind};
use crate::clock::Tick;

/// What all threads share of one series.
#[derive(Debug)]
pub(crate) enum SharedCell {
    Sum(Sum),
    Gauge(Gauge),
    Histogram(Box<SharedHistogram>),
    Meter(Box<Meter>),
}

impl SharedCell {
    /// So many of its first bytes readings look at, where it stands for itself.
    pub(crate) const LOOKED_AT: usize = 40;

    /// For a histogram with these bounds, where somebody chose them.
    pub(crate) fn new(kind: CellKind, now: Tick, bounds: Option<Bounds>) -> Self {
        match kind {
            CellKind::Counter | CellKind::UpDownCounter => Self::Sum(Sum::default()),
            CellKind::Gauge => Self::Gauge(Gauge::default()),
            CellKind::Histogram => Self::Histogram(SharedHistogram::new(bounds).into()),
            CellKind::Meter => Self::Meter(Meter::new(now).into()),
        }
    }

    /// What cell a thread may have of its own beside it; none for those that all threads share.
    pub(crate) fn local_kind(&self) -> Option<LocalKind> {
        match self {
            Self::Sum(_) => Some(LocalKind::Sum),
            Self::Histogram(histogram) => Some(LocalKind::Histogram(histogram.bounds())),
            Self::Gauge(_) | Self::Meter(_) => None,
        }
    }

    /// About how much memory it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Sum(_) | Self::Gauge(_) => 0,
            Self::Histogram(histogram) => histogram.bytes(),
            Self::Meter(_) => size_of::<Meter>(),
        }
    }

    /// Takes what a thread that is gone had kept for itself.
    pub(crate) fn absorb(&self, local: &LocalValue) {
        match self {
            Self::Sum(sum) => sum.add_many(local.sum),
            Self::Histogram(histogram) => local.histogram.iter().for_each(|local| histogram.absorb(local)),
            Self::Gauge(_) | Self::Meter(_) => {}
        }
    }
}
