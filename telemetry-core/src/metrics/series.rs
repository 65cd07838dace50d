//! One series of one collector: its identity and its cell.

use std::sync::{Arc, Mutex, PoisonError};

use super::cell::Cell;
use super::meter::Meter;
use super::site::CellKind;
use super::tagged::OwnCell;
use crate::clock::{Anchors, Clock, Tick};
use crate::model::{HistogramValue, Identity, Kind, Metric, MetricValue, Number, Temporality};

/// A series in a collector's table.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) kind: CellKind,
    pub(crate) identity: Arc<Identity>,
    /// The rates of a meter are gauges of their own.
    rates: Vec<Arc<Identity>>,
    /// When it was made, in nanoseconds since the Unix epoch.
    began: u64,
    pub(crate) cell: Cell,
    /// Cells that threads have of it because of its tags.
    own: Mutex<Vec<Arc<OwnCell>>>,
    /// It stands for all series beyond the cap.
    pub(crate) is_overflow: bool,
}

/// The tag of the series that stands for all beyond the cap.
pub(crate) const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// The series of all metrics beyond the cap for all.
pub(crate) const TOO_MANY: &str = "telemetry.metrics.overflow";

/// What threads keep of a series for themselves.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) sum: u64,
    pub(crate) histogram: HistogramValue,
}

impl Own {
    /// Moves it into the shared cell.
    pub(crate) fn fold_into(&self, cell: &Cell) {
        match cell {
            Cell::Sum(sum) => sum.add(Number::Int(self.sum.cast_signed())),
            Cell::Histogram(histogram) => histogram.absorb(&self.histogram),
            Cell::Gauge(_) | Cell::Meter(_) => {}
        }
    }

    pub(crate) fn add(&mut self, other: &Own) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.histogram.merge(&other.histogram);
    }
}

/// A data point before those of different levels are made one.
pub(crate) struct Point {
    /// Whether two of them are summed up; otherwise the newer one counts.
    pub(crate) adds_up: bool,
    pub(crate) metric: Metric,
}

impl Series {
    pub(crate) fn new(kind: CellKind, identity: Identity, clock: &Clock, began: u64) -> Self {
        let rate = |which: &&str| {
            let name = format!("{}.{which}", identity.name).into();
            Arc::new(Identity { kind: Kind::Gauge, name, unit: "1/s".into(), ..identity.clone() })
        };
        let rates =
            if kind == CellKind::Meter { Meter::RATES.iter().map(rate).collect() } else { Vec::new() };
        let cell = Cell::new(kind, clock.now());
        let is_overflow = identity.tags.get(OVERFLOW.0).is_some() || identity.name == TOO_MANY;
        Self { kind, identity: identity.into(), rates, began, cell, own: Mutex::default(), is_overflow }
    }

    /// Takes a thread's own cell.
    pub(crate) fn add_own(&self, cell: Arc<OwnCell>) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
    }

    /// What threads have in cells of their own. Those that no thread holds any more are folded into the shared
    /// cell; `gone` is told their bytes.
    pub(crate) fn gather_own(&self, mut gone: impl FnMut(usize)) -> Own {
        let mut all = Own::default();
        self.own.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|cell| {
            if let Some(cell) = Arc::get_mut(cell) {
                cell.read().fold_into(&self.cell);
                gone(cell.bytes);
                return false;
            }
            all.add(&cell.read());
            true
        });
        all
    }

    /// Takes a value that its kind accepts.
    #[inline]
    pub(crate) fn record(&self, value: Number, now: impl FnOnce() -> Tick) {
        match &self.cell {
            Cell::Sum(sum) => sum.add(value),
            Cell::Meter(meter) => meter.count.add(value),
            Cell::Histogram(histogram) => histogram.record(value.as_f64()),
            Cell::Gauge(gauge) => gauge.set(value, now()),
        }
    }

    /// Its data points now, cumulative: one, none for a gauge never set, five for a meter. `own` is what threads
    /// keep of it in their pages.
    pub(crate) fn read(&self, own: &Own, now: Tick, anchors: &Anchors, out: &mut Vec<Point>) {
        let start = Some(self.began);
        let mut point = |identity: &Arc<Identity>, start, at, value| {
            let metric = Metric {
                identity: Arc::clone(identity),
                start_time_unix_nano: start,
                time_unix_nano: anchors.unix_nanos(at),
                temporality: Temporality::Cumulative,
                value,
            };
            // Only a gauge that was set does not add up; the rates of meters do.
            out.push(Point { adds_up: self.kind != CellKind::Gauge, metric });
        };
        match &self.cell {
            Cell::Sum(sum) => {
                let own = Number::Int(own.sum.cast_signed());
                point(&self.identity, start, now, MetricValue::Number(sum.read().plus(own)));
            }
            Cell::Histogram(h) => {
                let mut all = h.read();
                all.merge(&own.histogram);
                point(&self.identity, start, now, MetricValue::Histogram(all.into()));
            }
            Cell::Gauge(gauge) => {
                if let Some((value, set)) = gauge.read() {
                    point(&self.identity, None, set, MetricValue::Number(value));
                }
            }
            Cell::Meter(meter) => {
                let (count, rates) = meter.read(now);
                point(&self.identity, start, now, MetricValue::Number(count));
                for (identity, rate) in self.rates.iter().zip(rates) {
                    point(identity, None, now, MetricValue::Number(Number::Float(rate)));
                }
            }
        }
    }
}
