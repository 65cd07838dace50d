//! One series of one collector: its identity, its cell, and when it began.

use std::sync::{Arc, OnceLock, PoisonError};

use super::bounds::Bounds;
use super::cell::Cell;
use super::meter::Meter;
use super::own::{Need, Own, OwnCell};
use super::site::CellKind;
use super::task::Tasks;
use crate::clock::{Anchors, Clock, Tick};
use crate::model::{HistogramValue, Identity, Kind, Metric, MetricValue, Number, Temporality, Text};
use crate::sync::{Mutex, lock};

/// A series in a collector's table.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) kind: CellKind,
    pub(crate) identity: Arc<Identity>,
    /// The rates of a meter are gauges of their own.
    rates: Vec<Arc<Identity>>,
    pub(crate) cell: Cell,
    max_buckets: usize,
    /// Cells that threads have of it because of its tags.
    own: Mutex<Vec<Arc<OwnCell>>>,
    tasks: OnceLock<Arc<Tasks>>,
    life: Mutex<Life>,
    /// What its metric was called before a view renamed it.
    pub(crate) declared: Text,
    /// It stands for all series beyond the cap.
    pub(crate) is_overflow: bool,
    /// A view wants none of it.
    pub(crate) is_dropped: bool,
}

/// What a series is like beside its identity.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What its metric was called before a view renamed it.
    pub(crate) declared: Text,
    /// Of its buckets, where somebody chose them.
    pub(crate) bounds: Option<Bounds>,
    /// A histogram's exponential buckets are exported so that they span at most so many places.
    pub(crate) max_buckets: usize,
    /// A view wants none of it.
    pub(crate) is_dropped: bool,
}

/// A series that is idle for long ends, and begins anew with its next value.
#[derive(Debug)]
struct Life {
    began: Began,
    /// What the last reading found.
    mark: u64,
    /// When a reading last found something new.
    changed: Tick,
    /// What it held when it last ended; what is exported came after.
    before: Option<Reading>,
    is_over: bool,
}

/// When a series began: by the wall clock, and as the number of the reading that came before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Began {
    pub(crate) unix_nanos: u64,
    pub(crate) reading: u64,
}

/// The tag of the series that stands for all beyond the cap.
pub(crate) const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// The series of all metrics beyond the cap for all.
pub(crate) const TOO_MANY: &str = "telemetry.metrics.overflow";

/// All that a series holds at one moment, since it was made.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    Sum(Number),
    Gauge(Option<(Number, Tick)>),
    Histogram(Box<HistogramValue>),
    Meter(Number, [f64; 4]),
}

impl Reading {
    /// Another one where values came in between.
    fn mark(&self) -> u64 {
        match self {
            Self::Sum(Number::Int(n)) | Self::Meter(Number::Int(n), _) => n.cast_unsigned(),
            Self::Sum(Number::Float(x)) | Self::Meter(Number::Float(x), _) => x.to_bits(),
            Self::Gauge(set) => set.map_or(0, |(_, at)| at.raw() + 1),
            Self::Histogram(h) => h.count,
        }
    }

    /// What came since an earlier one.
    fn since(self, before: Option<&Self>) -> Self {
        match (self, before) {
            (Self::Sum(n), Some(Self::Sum(b))) => Self::Sum(n.minus(*b)),
            (Self::Meter(n, rates), Some(Self::Meter(b, _))) => Self::Meter(n.minus(*b), rates),
            (Self::Histogram(h), Some(Self::Histogram(b))) => Self::Histogram(h.since(b).into()),
            (all, _) => all,
        }
    }
}

/// A data point before those of different levels are made one.
pub(crate) struct Point {
    pub(crate) join: Join,
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
pub(crate) enum Join {
    Sum,
    Newest,
    Greatest,
}

impl Series {
    pub(crate) fn new(kind: CellKind, identity: Identity, shape: Shape, clock: &Clock, began: Began) -> Self {
        let rate = |which: &&str| {
            let name = format!("{}.{which}", identity.name).into();
            Arc::new(Identity { kind: Kind::Gauge, name, unit: "1/s".into(), ..identity.clone() })
        };
        let rates =
            if kind == CellKind::Meter { Meter::RATES.iter().map(rate).collect() } else { Vec::new() };
        let now = clock.now();
        Self {
            kind,
            rates,
            cell: Cell::new(kind, now, shape.bounds),
            max_buckets: shape.max_buckets,
            own: Mutex::default(),
            tasks: OnceLock::new(),
            life: Mutex::new(Life { began, mark: 0, changed: now, before: None, is_over: false }),
            is_overflow: identity.tags.get(OVERFLOW.0).is_some() || identity.name == TOO_MANY,
            is_dropped: shape.is_dropped,
            declared: shape.declared,
            identity: identity.into(),
        }
    }

    /// Takes a thread's own cell.
    pub(crate) fn add_own(&self, cell: Arc<OwnCell>) {
        lock(&self.own).push(cell);
    }

    /// What threads have in cells of their own. Those that no thread holds any more are folded into the shared
    /// cell; `gone` is told their bytes.
    pub(crate) fn gather_own(&self, mut gone: impl FnMut(usize)) -> Own {
        let mut all = Own::default();
        lock(&self.own).retain_mut(|cell| {
            if let Some(cell) = Arc::get_mut(cell) {
                self.cell.absorb(&cell.read());
                gone(cell.bytes);
                return false;
            }
            all.add(&cell.read());
            true
        });
        all
    }

    /// What cell a thread may have of it; none for those that all threads share.
    pub(crate) fn need(&self) -> Option<Need> {
        match &self.cell {
            Cell::Sum(_) => Some(Need::Sum),
            Cell::Histogram(histogram) => Some(Need::Histogram(histogram.bounds())),
            Cell::Gauge(_) | Cell::Meter(_) => None,
        }
    }

    /// Measurements that run; from the first question on they are exported.
    pub(super) fn tasks(&self) -> Arc<Tasks> {
        Arc::clone(self.tasks.get_or_init(|| Tasks::new(&self.identity).into()))
    }

    /// Takes a value that its kind accepts.
    #[inline]
    pub(crate) fn record(&self, value: Number, collector: u64, now: impl FnOnce() -> Tick) {
        match &self.cell {
            Cell::Sum(sum) => sum.add(value),
            Cell::Meter(meter) => meter.count.add(value),
            Cell::Histogram(histogram) => histogram.record(value.as_f64(), Some(collector)),
            Cell::Gauge(gauge) => gauge.set(value, now()),
        }
    }

    /// All that it holds. `own` is what threads keep of it.
    pub(crate) fn read(&self, own: &Own, now: Tick) -> Reading {
        match &self.cell {
            Cell::Sum(sum) => Reading::Sum(sum.read().plus(Number::Int(own.sum.cast_signed()))),
            Cell::Gauge(gauge) => Reading::Gauge(gauge.read()),
            Cell::Meter(meter) => {
                let (count, rates) = meter.read(now);
                Reading::Meter(count, rates)
            }
            Cell::Histogram(histogram) => {
                let mut all = histogram.read();
                all.merge(&own.histogram);
                Reading::Histogram(all.into())
            }
        }
    }

    /// Looks whether that reading, the latest, has something new. Says whether it begins a new life, with which
    /// everything came after `last`, the reading before.
    pub(crate) fn look(&self, reading: &Reading, now: Tick, last: Began) -> bool {
        let mut life = lock(&self.life);
        let mark = self.mark(reading);
        let is_new = mark != life.mark;
        let begins = is_new && life.is_over;
        if begins {
            life.began = last;
            if let (Cell::Meter(meter), Some(Reading::Meter(count, _))) = (&self.cell, &life.before) {
                meter.restart(count.as_f64(), now);
            }
        }
        if is_new {
            (life.mark, life.changed, life.is_over) = (mark, now, false);
        }
        begins
    }

    /// Another one where there was anything in between, also a task.
    fn mark(&self, reading: &Reading) -> u64 {
        reading.mark().wrapping_add(self.tasks.get().map_or(0, |tasks| tasks.changes()))
    }

    /// When a reading last found something new.
    pub(crate) fn changed(&self) -> Tick {
        lock(&self.life).changed
    }

    pub(crate) fn is_ended(&self) -> bool {
        lock(&self.life).is_over
    }

    /// Ends its life with its latest reading, which every reader has seen.
    pub(crate) fn end(&self, reading: Reading) {
        let mut life = lock(&self.life);
        (life.before, life.is_over) = (Some(reading), true);
        lock(&self.own).iter().for_each(|cell| cell.retire());
    }

    /// Whether nothing of it is left to be read, and nobody holds a cell of it.
    pub(crate) fn is_over(&mut self, now: Tick) -> bool {
        let own = self.own.get_mut().unwrap_or_else(PoisonError::into_inner);
        let life = self.life.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !life.is_over || !own.is_empty() {
            return false;
        }
        let known = life.mark;
        self.mark(&self.read(&Own::default(), now)) == known
    }

    /// The data points of its latest reading, cumulative since it began: one, none for a gauge never set, five for
    /// a meter, two more where tasks are watched.
    pub(crate) fn points(&self, reading: Reading, now: Tick, anchors: &Anchors, out: &mut Vec<Point>) {
        let life = lock(&self.life);
        let tasks = self.tasks.get().map(|tasks| (tasks, tasks.read()));
        let runs = tasks.as_ref().is_some_and(|(_, (running, _))| *running > 0);
        if self.is_dropped || life.is_over {
            return;
        }
        let (start, began) = (Some(life.began.unix_nanos), life.began.reading);
        let reading = reading.since(life.before.as_ref());
        // What an up-down counter stands at has to be kept.
        let stays = runs
            || self.is_overflow
            || (self.kind == CellKind::UpDownCounter
                && !matches!(reading, Reading::Sum(n) if n.as_f64() == 0.0));
        let idle_since = Some(life.changed).filter(|_| !stays);
        drop(life);
        let mut point = |identity: &Arc<Identity>, start, at, join, value| {
            let metric = Metric {
                identity: Arc::clone(identity),
                start_time_unix_nano: start,
                time_unix_nano: anchors.unix_nanos(at),
                temporality: Temporality::Cumulative,
                value,
                life: began,
            };
            let owner = Arc::clone(&self.identity);
            out.push(Point { join, metric, owner, idle_since, max_buckets: self.max_buckets });
        };
        match reading {
            Reading::Sum(n) => point(&self.identity, start, now, Join::Sum, MetricValue::Number(n)),
            Reading::Histogram(h) => {
                point(&self.identity, start, now, Join::Sum, MetricValue::Histogram(h));
            }
            Reading::Gauge(None) => {}
            Reading::Gauge(Some((value, set))) => {
                point(&self.identity, None, set, Join::Newest, MetricValue::Number(value));
            }
            Reading::Meter(count, rates) => {
                point(&self.identity, start, now, Join::Sum, MetricValue::Number(count));
                for (identity, rate) in self.rates.iter().zip(rates) {
                    point(identity, None, now, Join::Sum, MetricValue::Number(Number::Float(rate)));
                }
            }
        }
        if let Some((tasks, (running, oldest))) = tasks {
            let longest = oldest.map_or(0.0, |began| now.since(began) as f64 / 1e9);
            point(&tasks.active, start, now, Join::Sum, MetricValue::Number(running.into()));
            point(&tasks.longest, None, now, Join::Greatest, MetricValue::Number(longest.into()));
        }
    }
}
