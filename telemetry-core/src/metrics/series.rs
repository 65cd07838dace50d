//! One series of one collector: its identity, its cell, and when it began.

mod epoch;
mod growth;
mod history;
mod long_task;
mod reading;
mod view;
mod width;

pub(crate) use epoch::Epoch;
pub(crate) use growth::Growth;
pub(crate) use history::History;
pub(crate) use long_task::LongTask;
pub(crate) use reading::{Fate, Finding, Fresh, Join, Merge, Moment, Points, Reading, Sink};
pub use view::View;
pub(crate) use view::{Viewed, Views};
pub(crate) use width::Width;

use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use long_task::LongTasks;

use super::cell::{LocalValue, Meter, SharedCell, SharedHistogram, Total};
use super::memory::Held;
use super::site::{Bounds, CellKind};
use crate::clock::Tick;
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Temporality, Text, cut};
use crate::sync::prefetch;

/// A series in a collector's table.
#[derive(Debug)]
// What readings look at comes first, and together.
#[repr(C)]
pub(crate) struct Series {
    pub(crate) kind: CellKind,
    /// It stands for all series beyond the cap.
    pub(crate) is_overflow: bool,
    /// A view wants none of it.
    pub(crate) is_dropped: bool,
    max_buckets: u32,
    pub(crate) identity: Arc<Identity>,
    tasks: OnceLock<Arc<LongTasks>>,
    pub(crate) cell: SharedCell,
    /// Where it stands among all series, or among those that no reading has seen.
    place: AtomicUsize,
    /// The rates of a meter are gauges of their own.
    rates: Vec<Arc<Identity>>,
    /// What its metric was called before a view renamed it.
    pub(crate) declared: Text,
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
}

/// About what it takes to find a series by its name and to keep its history, and what the allocator adds.
const INDEXED: usize = 288;

/// The tag of the series that stands for all beyond the cap.
pub(crate) const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// The series of all metrics beyond the cap for all.
pub(crate) const TOO_MANY: &str = "telemetry.metrics.overflow";

/// What most series hold.
#[derive(Clone, Copy)]
enum Plain {
    Sum(i64),
    Gauge(Number, Tick),
}

impl Series {
    pub(crate) fn new(
        kind: CellKind,
        identity: Identity,
        options: SeriesOptions,
        now: Tick,
        held: Held,
    ) -> Self {
        let rate = |which: &&str| {
            let name = cut::kept_name(format!("{}.{which}", identity.name).into());
            Arc::new(Identity { kind: Kind::Gauge, name, unit: "1/s".into(), ..identity.clone() })
        };
        let rates =
            if kind == CellKind::Meter { Meter::RATES.iter().map(rate).collect() } else { Vec::new() };
        let series = Self {
            kind,
            is_overflow: identity.tags.get(OVERFLOW.0).is_some() || identity.name == TOO_MANY,
            is_dropped: options.is_dropped,
            tasks: OnceLock::new(),
            max_buckets: u32::try_from(options.max_buckets).unwrap_or(u32::MAX),
            cell: SharedCell::new(kind, now, options.bounds),
            rates,
            declared: options.declared,
            identity: identity.into(),
            place: AtomicUsize::new(0),
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
            CellKind::Meter => {
                bytes += size_of::<Meter>();
                identities += Meter::RATES.len();
            }
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

    /// What threads have in cells of their own. Those that no thread holds any more are folded into the shared
    /// cell; `gone` is told their bytes.
    #[inline]
    fn gather_local(&self, history: &mut History, local: &mut LocalValue, mut gone: impl FnMut(usize)) {
        if history.has_no_cells() {
            return;
        }
        history.release(|cell| {
            self.cell.absorb(&cell.read());
            gone(cell.bytes);
        });
        history.cells().for_each(|cell| cell.add_to(local));
    }

    /// It will be read later: what of it is in the memory alone comes nearer.
    #[inline]
    pub(crate) fn come(&self, history: &History) {
        prefetch::to_read_first(self, offset_of!(Self, cell) + SharedCell::LOOKED_AT);
        history.come();
    }

    /// It will be read soon, and what it points to too.
    #[inline]
    pub(crate) fn come_near(&self) {
        prefetch::to_read(&self.identity.tags);
    }

    /// Whether it can have grown since it was made.
    fn grows(&self) -> bool {
        matches!(self.cell, SharedCell::Histogram(_)) || self.tasks.get().is_some()
    }

    /// Where it most likely stands, which who has them looks at.
    pub(crate) fn place(&self) -> usize {
        self.place.load(Relaxed)
    }

    /// It stands there now.
    pub(crate) fn set_place(&self, place: usize) {
        self.place.store(place, Relaxed);
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
    fn read(&self, local: &LocalValue, now: Tick) -> Reading {
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
                local.histogram.iter().for_each(|local| all.merge(local));
                Reading::Histogram(all.into())
            }
        }
    }

    /// Takes a reading, and what is new with it: a life that begins, or a type. Whether it is the one and the other.
    fn look(&self, life: &mut History, reading: &Reading, moment: &Moment<'_>) -> (bool, bool) {
        let mark = self.mark(reading);
        let is_new = mark != life.mark;
        let begins = is_new && life.is_over;
        if begins {
            // Everything came after the reading before.
            life.begin(moment.last);
            if let (SharedCell::Meter(meter), Some(Reading::Meter(count, _))) = (&self.cell, life.before()) {
                meter.restart(count.as_f64(), moment.now);
            }
        }
        if is_new {
            (life.mark, life.changed, life.is_over) = (mark, moment.now, false);
        }
        (begins, !life.is_over && self.note(life, reading, moment))
    }

    /// Notes what is to be exported. Whether that changes the type of the metric.
    fn note(&self, life: &mut History, reading: &Reading, moment: &Moment<'_>) -> bool {
        match reading {
            Reading::Sum(sum) | Reading::Meter(sum, _) => {
                let before = life.before().and_then(Reading::total).unwrap_or_default();
                let sum = sum.minus(before);
                life.growth.read(&self.identity, sum, moment.last.unix_nanos);
                if life.growth.owes(sum) {
                    life.changed = moment.now;
                }
                life.width.note(life.growth.left(sum))
            }
            Reading::Gauge(Some((value, _))) => life.width.note(*value),
            Reading::Gauge(None) | Reading::Histogram(_) => false,
        }
    }

    /// Another one where there was anything in between, also a task.
    fn mark(&self, reading: &Reading) -> u64 {
        reading.mark().wrapping_add(self.tasks.get().map_or(0, |tasks| tasks.changes()))
    }

    /// Whether it is over and nothing of it is left to be read, where nobody has it but the one that asks.
    pub(crate) fn is_over(&self, life: &History, now: Tick) -> bool {
        life.is_over && life.has_no_cells() && self.mark(&self.read(&LocalValue::default(), now)) == life.mark
    }

    /// Puts out the data points of what it holds, cumulative since it began: one, none for a gauge never set, five for a meter,
    /// two more where tasks are watched. `local` is what threads have of it in their pages; `gone` is told the bytes of cells
    /// that threads have let go of.
    pub(crate) fn points(
        &self,
        life: &mut History,
        mut local: LocalValue,
        moment: &Moment<'_>,
        out: &mut impl Sink,
        gone: impl FnMut(usize),
    ) -> Finding {
        self.gather_local(life, &mut local, gone);
        if let Some(plain) = self.plain(life, &local, moment) {
            return self.put_plain(life, plain, moment, out);
        }
        let reading = self.read(&local, moment.now);
        if self.grows() {
            self.weigh();
        }
        let (begins, widens) = self.look(life, &reading, moment);
        let (changed, growth) = (life.changed, &life.growth);
        let found = |fate| Finding { begins, widens, changed, fate };
        if life.is_over {
            return found(Fate::Ended);
        }
        if self.is_dropped {
            let fate = if moment.expiration.is_some() { Fate::Silent(reading.into()) } else { Fate::Stays };
            return found(fate);
        }
        let tasks = self.tasks.get().map(|tasks| (tasks, tasks.read()));
        let runs = tasks.as_ref().is_some_and(|(_, (running, _))| *running > 0);
        let fate = moment.expiration.map_or(Fate::Stays, |expiration| {
            let is_idle = Duration::from_nanos(moment.now.since(changed)) >= expiration;
            self.fate(&reading, life.before(), is_idle && !runs, tasks.is_some())
        });
        let since = life.began_anew().unwrap_or(life.made);
        let (began, start) = (since.reading, Some(growth.began().unwrap_or(since.unix_nanos)));
        let reading = if let Some(before) = life.before() { reading.since(before) } else { reading };
        let point = |identity: &Arc<Identity>, start, at, value| Metric {
            identity: Arc::clone(identity),
            start_time_unix_nano: start,
            time_unix_nano: at,
            temporality: Temporality::Cumulative,
            value,
            life: began,
            taken_off: None,
            is_beyond_int: false,
        };
        let now = moment.unix_nanos;
        let mut put = |start, at, merge, value| {
            let (max_buckets, taken_off) = (self.max_buckets as usize, growth.taken_off());
            let (value, is_beyond_int) = life.width.of(value);
            let point = Fresh { start, at, value, life: began, taken_off, is_beyond_int, merge, max_buckets };
            out.put(&self.identity, point);
        };
        let left = |sum| MetricValue::Number(growth.left(sum));
        match reading {
            Reading::Sum(sum) => put(start, now, Merge::Sum, left(sum)),
            Reading::Histogram(mut h) => {
                h.thin(self.max_buckets as usize);
                put(start, now, Merge::Sum, MetricValue::Histogram(h));
            }
            Reading::Gauge(None) => {}
            Reading::Gauge(Some((value, set))) => {
                put(None, moment.anchors.unix_nanos(set), Merge::Newest, MetricValue::Number(value));
            }
            Reading::Meter(count, rates) => {
                put(start, now, Merge::Sum, left(count));
                for (identity, rate) in self.rates.iter().zip(rates) {
                    let rate = MetricValue::Number(Number::Float(rate));
                    out.put_other(point(identity, None, now, rate), Merge::Sum);
                }
            }
        }
        if let Some((tasks, (running, oldest))) = tasks {
            let longest = oldest.map_or(0.0, |began| moment.now.since(began) as f64 / 1e9);
            let (running, longest) =
                (MetricValue::Number(running.into()), MetricValue::Number(longest.into()));
            out.put_other(point(&tasks.active, start, now, running), Merge::Sum);
            out.put_other(point(&tasks.longest, None, now, longest), Merge::Greatest);
        }
        found(fate)
    }

    /// What a series as most are holds: a last value, or a sum of whole numbers that fit; never over, without anything beside it.
    #[inline]
    fn plain(&self, life: &History, local: &LocalValue, moment: &Moment<'_>) -> Option<Plain> {
        if !life.is_plain() || self.is_dropped || moment.expiration.is_some() || self.tasks.get().is_some() {
            return None;
        }
        match &self.cell {
            SharedCell::Sum(sum) => {
                Some(Plain::Sum(sum.small()?.checked_add(i64::try_from(local.sum).ok()?)?))
            }
            SharedCell::Gauge(gauge) => gauge.read().map(|(value, at)| Plain::Gauge(value, at)),
            SharedCell::Meter(_) | SharedCell::Histogram(_) => None,
        }
    }

    /// Puts out its data point, in fewer steps than that of another one.
    #[inline]
    fn put_plain(
        &self,
        life: &mut History,
        plain: Plain,
        moment: &Moment<'_>,
        out: &mut impl Sink,
    ) -> Finding {
        let made = life.made;
        let (start, at, number, merge, mark) = match plain {
            Plain::Sum(whole) => {
                if self.kind == CellKind::Counter {
                    life.growth.give(whole);
                }
                let sum = Total { whole: whole.into(), floats: None };
                (Some(made.unix_nanos), moment.unix_nanos, Number::Int(whole), Merge::Sum, sum.mark())
            }
            Plain::Gauge(value, set) => {
                (None, moment.anchors.unix_nanos(set), value, Merge::Newest, set.raw() + 1)
            }
        };
        if mark != life.mark {
            (life.mark, life.changed) = (mark, moment.now);
        }
        let widens = life.width.note(number);
        let (value, is_beyond_int) = life.width.of(MetricValue::Number(number));
        let (life_of, max_buckets) = (made.reading, self.max_buckets as usize);
        let point =
            Fresh { start, at, value, life: life_of, taken_off: 0, is_beyond_int, merge, max_buckets };
        out.put(&self.identity, point);
        Finding { begins: false, widens, changed: life.changed, fate: Fate::Stays }
    }

    /// Whether it may end with that reading.
    fn fate(&self, reading: &Reading, before: Option<&Reading>, is_idle: bool, has_tasks: bool) -> Fate {
        if matches!(reading, Reading::Gauge(None)) && !has_tasks {
            return Fate::Silent(reading.clone().into());
        }
        // What an up-down counter stands at has to be kept.
        let stands = || match (reading, before.and_then(Reading::total).unwrap_or_default()) {
            (Reading::Sum(n), before) => n.minus(before).as_f64() != 0.0,
            _ => true,
        };
        let stays = self.is_overflow || self.kind == CellKind::UpDownCounter && stands();
        if is_idle && !stays { Fate::Idle(reading.clone().into()) } else { Fate::Stays }
    }
}
