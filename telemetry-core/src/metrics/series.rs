//! One series of one collector: its identity and its cell.

use std::sync::Arc;

use super::cell::Cell;
use super::meter::Meter;
use super::site::CellKind;
use crate::clock::{Anchors, Tick};
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Temporality};

/// A series in a collector's table.
#[derive(Debug)]
pub struct Series {
    pub(crate) kind: CellKind,
    pub(crate) identity: Arc<Identity>,
    /// The rates of a meter are gauges of their own.
    rates: Vec<Arc<Identity>>,
    pub(crate) began: Tick,
    pub(crate) cell: Cell,
}

impl Series {
    pub(crate) fn new(kind: CellKind, identity: Identity, now: Tick) -> Self {
        let rate = |which: &&str| {
            let name = format!("{}.{which}", identity.name).into();
            Arc::new(Identity { kind: Kind::Gauge, name, unit: "1/s".into(), ..identity.clone() })
        };
        let rates =
            if kind == CellKind::Meter { Meter::RATES.iter().map(rate).collect() } else { Vec::new() };
        Self { kind, identity: identity.into(), rates, began: now, cell: Cell::new(kind, now) }
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

    /// Its data points now, cumulative: one, none for a gauge never set, five for a meter.
    pub(crate) fn read(&self, now: Tick, anchors: &Anchors, out: &mut Vec<Metric>) {
        let start = Some(anchors.unix_nanos(self.began));
        let mut point = |identity: &Arc<Identity>, start, at, value| {
            out.push(Metric {
                identity: Arc::clone(identity),
                start_time_unix_nano: start,
                time_unix_nano: anchors.unix_nanos(at),
                temporality: Temporality::Cumulative,
                value,
            });
        };
        match &self.cell {
            Cell::Sum(sum) => point(&self.identity, start, now, MetricValue::Number(sum.read())),
            Cell::Histogram(h) => point(&self.identity, start, now, MetricValue::Histogram(h.read().into())),
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
