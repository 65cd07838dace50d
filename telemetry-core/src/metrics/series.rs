//! One series of one collector: its identity and its cell.

use std::sync::Arc;

use super::cell::Cell;
use super::meter::Meter;
use super::site::CellKind;
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
}

/// What threads keep of a series in their pages.
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
        Self { kind, identity: identity.into(), rates, began, cell }
    }

    /// Takes a value, as its kind takes it. False where that kind refuses it: what is not finite, and less
    /// than nothing for sums that only grow.
    #[inline]
    pub(crate) fn record(&self, value: Number, now: impl FnOnce() -> Tick) -> bool {
        if matches!(value, Number::Float(x) if !x.is_finite()) {
            return false;
        }
        let grows_only = self.kind.kind() == Kind::Counter;
        if grows_only && value.as_f64() < 0.0 {
            return false;
        }
        match &self.cell {
            Cell::Sum(sum) => sum.add(value),
            Cell::Meter(meter) => meter.count.add(value),
            Cell::Histogram(histogram) => histogram.record(value.as_f64()),
            Cell::Gauge(gauge) => gauge.set(value, now()),
        }
        true
    }

    /// Its data points now, cumulative: one, none for a gauge never set, five for a meter. `own` is what threads
    /// keep of it in their pages.
    pub(crate) fn read(&self, own: Option<&Own>, now: Tick, anchors: &Anchors, out: &mut Vec<Point>) {
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
                let own = own.map_or(0, |own| own.sum.cast_signed());
                point(&self.identity, start, now, MetricValue::Number(sum.read().plus(Number::Int(own))));
            }
            Cell::Histogram(h) => {
                let mut all = h.read();
                own.into_iter().for_each(|own| all.merge(&own.histogram));
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
