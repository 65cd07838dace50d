//! One series of one collector: its identity, its cell, and when it began.

mod lifetime;
mod long_task;
mod reading;
mod view;
mod width;

pub(crate) use lifetime::{Epoch, Growth};
pub(crate) use long_task::LongTask;
pub(crate) use reading::{Merge, Point, Reading};
pub use view::View;
pub(crate) use view::{Viewed, Views};
pub(crate) use width::Width;

use std::sync::{Arc, OnceLock, PoisonError};

use lifetime::Lifetime;
use long_task::LongTasks;

use super::cell::{LocalCell, LocalValue, Meter, SharedCell, SharedHistogram, Total};
use super::memory::Held;
use super::site::{Bounds, CellKind};
use crate::clock::{Anchors, Clock, Tick};
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Temporality, Text, cut};
use crate::sync::{Mutex, lock};

/// A series in a collector's table.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) kind: CellKind,
    pub(crate) identity: Arc<Identity>,
    /// The rates of a meter are gauges of their own.
    rates: Vec<Arc<Identity>>,
    pub(crate) cell: SharedCell,
    max_buckets: usize,
    /// Cells that threads have of it because of its tags.
    local: Mutex<Vec<Arc<LocalCell>>>,
    tasks: OnceLock<Arc<LongTasks>>,
    life: Mutex<Lifetime>,
    width: Arc<Width>,
    /// What its metric was called before a view renamed it.
    pub(crate) declared: Text,
    /// It stands for all series beyond the cap.
    pub(crate) is_overflow: bool,
    /// A view wants none of it.
    pub(crate) is_dropped: bool,
    held: Held,
}

/// What a series is like beside its identity.
#[derive(Debug)]
pub(crate) struct SeriesOptions {
    /// What its metric was called before a view renamed it.
    pub(crate) declared: Text,
    /// Of its buckets, where somebody chose them.
    pub(crate) bounds: Option<Bounds>,
    /// A histogram's exponential buckets are exported so that they span at most so many places.
    pub(crate) max_buckets: usize,
    /// A view wants none of it.
    pub(crate) is_dropped: bool,
    /// Of its metric.
    pub(crate) width: Arc<Width>,
}

/// About what it takes to find a series by its name, and what the allocator adds.
const INDEXED: usize = 256;

/// The tag of the series that stands for all beyond the cap.
pub(crate) const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// The series of all metrics beyond the cap for all.
pub(crate) const TOO_MANY: &str = "telemetry.metrics.overflow";

impl Series {
    pub(crate) fn new(
        kind: CellKind,
        identity: Identity,
        options: SeriesOptions,
        clock: &Clock,
        began: Epoch,
        held: Held,
    ) -> Self {
        let rate = |which: &&str| {
            let name = cut::kept_name(format!("{}.{which}", identity.name).into());
            Arc::new(Identity { kind: Kind::Gauge, name, unit: "1/s".into(), ..identity.clone() })
        };
        let rates =
            if kind == CellKind::Meter { Meter::RATES.iter().map(rate).collect() } else { Vec::new() };
        let now = clock.now();
        let series = Self {
            kind,
            rates,
            cell: SharedCell::new(kind, now, options.bounds),
            max_buckets: options.max_buckets,
            local: Mutex::default(),
            tasks: OnceLock::new(),
            life: Mutex::new(Lifetime {
                began,
                mark: 0,
                changed: now,
                before: None,
                is_over: false,
                growth: Growth::default(),
            }),
            width: options.width,
            is_overflow: identity.tags.get(OVERFLOW.0).is_some() || identity.name == TOO_MANY,
            is_dropped: options.is_dropped,
            declared: options.declared,
            identity: identity.into(),
            held,
        };
        series.weigh();
        series
    }

    /// The least that a series takes, where its name and its tags have so many bytes.
    pub(crate) fn least_bytes(kind: CellKind, texts: usize) -> usize {
        let (mut bytes, mut identities) = (size_of::<Self>() + INDEXED, 1);
        match kind {
            CellKind::Histogram => bytes += SharedHistogram::LEAST_BYTES,
            CellKind::Meter => identities += Meter::RATES.len(),
            CellKind::Counter | CellKind::UpDownCounter | CellKind::Gauge => {}
        }
        bytes + identities * (size_of::<Identity>() + texts)
    }

    /// Says what it takes now.
    pub(crate) fn weigh(&self) {
        let tasks = self.tasks.get().map_or(0, |tasks| tasks.active.bytes() + tasks.longest.bytes());
        let names: usize = self.rates.iter().chain([&self.identity]).map(|identity| identity.bytes()).sum();
        self.held
            .weigh(size_of::<Self>() + INDEXED + self.declared.len() + names + tasks + self.cell.bytes());
    }

    /// Takes a thread's own cell.
    pub(crate) fn add_local(&self, cell: Arc<LocalCell>) {
        lock(&self.local).push(cell);
    }

    /// What threads have in cells of their own. Those that no thread holds any more are folded into the shared
    /// cell; `gone` is told their bytes.
    pub(crate) fn gather_local(&self, mut gone: impl FnMut(usize)) -> LocalValue {
        let mut all = LocalValue::default();
        lock(&self.local).retain_mut(|cell| {
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

    /// Measurements that run; from the first question on they are exported.
    pub(super) fn tasks(&self) -> Arc<LongTasks> {
        Arc::clone(self.tasks.get_or_init(|| LongTasks::new(&self.identity).into()))
    }

    /// Takes a value that its kind accepts.
    #[inline]
    pub(crate) fn record(&self, value: Number, collector: u64, now: impl FnOnce() -> Tick) {
        match &self.cell {
            SharedCell::Sum(sum) => sum.add(value),
            SharedCell::Meter(meter) => meter.count.add(value),
            SharedCell::Histogram(histogram) => histogram.record(value.as_f64(), collector),
            SharedCell::Gauge(gauge) => gauge.set(value, now()),
        }
    }

    /// All that it holds. `local` is what threads keep of it.
    pub(crate) fn read(&self, local: &LocalValue, now: Tick) -> Reading {
        match &self.cell {
            SharedCell::Sum(sum) => {
                let shared = sum.read();
                Reading::Sum(Total { whole: shared.whole + local.sum, ..shared })
            }
            SharedCell::Gauge(gauge) => Reading::Gauge(gauge.read()),
            SharedCell::Meter(meter) => {
                let (count, rates) = meter.read(now);
                Reading::Meter(count, rates)
            }
            SharedCell::Histogram(histogram) => {
                let mut all = histogram.read();
                all.merge(&local.histogram);
                Reading::Histogram(all.into())
            }
        }
    }

    /// Looks whether that reading, the latest, has something new. Says whether it begins a new life, with which
    /// everything came after `last`, the reading before.
    pub(crate) fn look(&self, reading: &Reading, now: Tick, last: Epoch) -> bool {
        let mut life = lock(&self.life);
        let mark = self.mark(reading);
        let is_new = mark != life.mark;
        let begins = is_new && life.is_over;
        if begins {
            (life.began, life.growth) = (last, Growth::default());
            if let (SharedCell::Meter(meter), Some(Reading::Meter(count, _))) = (&self.cell, &life.before) {
                meter.restart(count.as_f64(), now);
            }
        }
        if is_new {
            (life.mark, life.changed, life.is_over) = (mark, now, false);
        }
        if !life.is_over {
            self.note(&mut life, reading, last);
        }
        begins
    }

    /// Notes what is to be exported, before anything is.
    fn note(&self, life: &mut Lifetime, reading: &Reading, last: Epoch) {
        let before = life.before.as_ref().and_then(Reading::total).unwrap_or_default();
        match reading {
            Reading::Sum(sum) | Reading::Meter(sum, _) => {
                let sum = sum.minus(before);
                life.growth.read(&self.identity, sum, last.unix_nanos);
                self.width.note(life.growth.left(sum));
            }
            Reading::Gauge(Some((value, _))) => self.width.note(*value),
            Reading::Gauge(None) | Reading::Histogram(_) => {}
        }
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
        lock(&self.local).iter().for_each(|cell| cell.retire());
    }

    /// Whether nothing of it is left to be read, and nobody holds a cell of it.
    pub(crate) fn is_over(&mut self, now: Tick) -> bool {
        let local = self.local.get_mut().unwrap_or_else(PoisonError::into_inner);
        let life = self.life.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !life.is_over || !local.is_empty() {
            return false;
        }
        let known = life.mark;
        self.mark(&self.read(&LocalValue::default(), now)) == known
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
        let start = Some(life.growth.began.unwrap_or(life.began.unix_nanos));
        let (began, growth) = (life.began.reading, life.growth);
        let reading = reading.since(life.before.as_ref());
        // What an up-down counter stands at has to be kept.
        let stays = runs
            || self.is_overflow
            || (self.kind == CellKind::UpDownCounter
                && !matches!(reading, Reading::Sum(n) if n.as_f64() == 0.0));
        let idle_since = Some(life.changed).filter(|_| !stays);
        drop(life);
        let mut point = |identity: &Arc<Identity>, start, at, merge, value| {
            let mut metric = Metric {
                identity: Arc::clone(identity),
                start_time_unix_nano: start,
                time_unix_nano: anchors.unix_nanos(at),
                temporality: Temporality::Cumulative,
                value,
                life: began,
                taken_off: None,
                is_beyond_int: false,
            };
            if Arc::ptr_eq(identity, &self.identity) {
                metric = metric.with_taken_off(growth.taken_off);
                self.width.put_on(&mut metric);
            }
            let owner = Arc::clone(&self.identity);
            out.push(Point { merge, metric, owner, idle_since, max_buckets: self.max_buckets });
        };
        let left = |sum| MetricValue::Number(growth.left(sum));
        match reading {
            Reading::Sum(sum) => point(&self.identity, start, now, Merge::Sum, left(sum)),
            Reading::Histogram(h) => {
                point(&self.identity, start, now, Merge::Sum, MetricValue::Histogram(h));
            }
            Reading::Gauge(None) => {}
            Reading::Gauge(Some((value, set))) => {
                point(&self.identity, None, set, Merge::Newest, MetricValue::Number(value));
            }
            Reading::Meter(count, rates) => {
                point(&self.identity, start, now, Merge::Sum, left(count));
                for (identity, rate) in self.rates.iter().zip(rates) {
                    point(identity, None, now, Merge::Sum, MetricValue::Number(Number::Float(rate)));
                }
            }
        }
        if let Some((tasks, (running, oldest))) = tasks {
            let longest = oldest.map_or(0.0, |began| now.since(began) as f64 / 1e9);
            point(&tasks.active, start, now, Merge::Sum, MetricValue::Number(running.into()));
            point(&tasks.longest, None, now, Merge::Greatest, MetricValue::Number(longest.into()));
        }
    }
}
