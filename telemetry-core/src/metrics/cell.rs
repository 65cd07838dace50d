//! Cells: where one series keeps its values. Any number of threads write, snapshots read.

use super::bounds::Bounds;
use super::histogram::Histogram;
use super::meter::Meter;
use super::number::{Gauge, Sum};
use super::own::Own;
use super::site::CellKind;
use crate::clock::Tick;
use crate::model::Number;

#[derive(Debug)]
pub(crate) enum Cell {
    Sum(Sum),
    Gauge(Gauge),
    Histogram(Box<Histogram>),
    Meter(Meter),
}

impl Cell {
    /// For a histogram with these bounds, where somebody chose them.
    pub(crate) fn new(kind: CellKind, now: Tick, bounds: Option<Bounds>) -> Self {
        match kind {
            CellKind::Counter | CellKind::UpDownCounter => Self::Sum(Sum::default()),
            CellKind::Gauge => Self::Gauge(Gauge::default()),
            CellKind::Histogram => Self::Histogram(Histogram::new(bounds).into()),
            CellKind::Meter => Self::Meter(Meter::new(now)),
        }
    }

    /// Takes what a thread that is gone had kept for itself.
    pub(crate) fn absorb(&self, own: &Own) {
        match self {
            Self::Sum(sum) => sum.add(Number::Int(own.sum.cast_signed())),
            Self::Histogram(histogram) => histogram.absorb(&own.histogram),
            Self::Gauge(_) | Self::Meter(_) => {}
        }
    }
}
