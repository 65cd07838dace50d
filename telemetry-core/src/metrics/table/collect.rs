//! Snapshots: all cells of a table read at one moment, and series that end with it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::callback::{Observations, Observed, Said};
use super::merge::Levels;
use super::order::{Order, Place};
use super::paged::{InOrder, Paged};
use super::shown::Shown;
use super::sorted::{MetricKey, key};
use super::{Readings, Table};
use crate::clock::Tick;
use crate::metrics::cell::LocalValue;
use crate::metrics::series::{Epoch, Fate, Finding, Merge, Moment, Points, Reading, Series, Sink};
use crate::metrics::site::Site;
use crate::model::{Kind, Metric, MetricValue, Number, Temporality};
use crate::sync::{MutexGuard, lock};

impl Table {
    /// Somebody who will ask for snapshots, and is to see how a series ends. It sets what is returned to the tick at
    /// which it last did.
    pub(crate) fn add_source(&self) -> Arc<AtomicU64> {
        let last_read = Arc::new(AtomicU64::new(self.clock.now().raw()));
        let mut sources = lock(&self.sources);
        sources.retain(|source| source.strong_count() > 0);
        sources.push(Arc::downgrade(&last_read));
        last_read
    }

    /// Sees to what ended threads left, where nobody asks for snapshots.
    pub(crate) fn tidy(&self) {
        if self.pages.any_left() {
            let readings = lock(&self.readings);
            self.gather(readings.last);
        }
    }

    /// All data points now, cumulative, sorted by metric. Series that differ only in level are one.
    pub(crate) fn read(&self) -> Arc<Vec<Metric>> {
        let earlier = lock(&self.shown).take().map(Shown::into_points).unwrap_or_default();
        let (metrics, others) = self.read_over(earlier, self.ask_callbacks(), false).into_merged();
        let metrics = Arc::new(metrics);
        *lock(&self.shown) = Some(Shown::new(Arc::clone(&metrics), others));
        metrics
    }

    /// Whether there are callbacks, which [`Self::ask_callbacks`] would have to wait for.
    pub(crate) fn has_callbacks(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// What the callbacks say now; all together have [`Settings::callback_timeout`](super::table::Settings).
    pub(crate) fn ask_callbacks(&self) -> Observations {
        self.callbacks.observe(self.settings.callback_timeout)
    }

    /// All data points now, cumulative, by level too. With `ends`, series that had no new value for long, and whose last one
    /// all sources have seen, are over with it: they are not among the next ones.
    pub(crate) fn read_levels(&self, observations: Observations, ends: bool) -> Levels {
        self.read_over(Vec::new(), observations, ends)
    }

    /// The same in the place of those of an earlier moment.
    fn read_over(&self, earlier: Vec<Metric>, observations: Observations, ends: bool) -> Levels {
        let mut points = Points::over(earlier);
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        self.read_callbacks(observations, anchors.unix_nanos(now), &mut points);
        let mut readings = lock(&self.readings);
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let paged = self.begin_reading(&mut readings);
        let expiration = self.settings.expiration.filter(|_| ends);
        let moment = Moment::new(now, &anchors, readings.last, expiration);
        let over = self.read_series(&mut readings.order, paged, &moment, &mut points);
        if moment.expiration.is_some() {
            self.end(&mut readings.order, over, now);
        }
        self.end_reading(readings, &moment);
        Levels::new(points, self.endings.load(Relaxed), now)
    }

    /// What threads have in their pages, once all series have their place.
    pub(super) fn begin_reading(&self, readings: &mut Readings) -> Paged {
        let paged = self.gather(readings.last);
        self.take_new(&mut readings.order);
        paged
    }

    pub(super) fn end_reading(&self, mut readings: MutexGuard<'_, Readings>, moment: &Moment<'_>) {
        let last = Epoch { unix_nanos: moment.unix_nanos, reading: readings.last.reading + 1 };
        readings.last = last;
        self.number_of_readings.store(last.reading, Relaxed);
    }

    /// Series and cells that came since the last reading.
    fn take_new(&self, order: &mut Order) {
        let new = self.names.unread.take();
        order.extend(new.series);
        for (series, cell) in new.cells {
            if let Some(at) = Place::find(&series, order.places()) {
                order.places_mut()[at].history.add_local(cell);
            }
        }
    }

    /// All series in their order. Which of them end with it, and what they hold.
    fn read_series(&self, order: &mut Order, paged: Paged, moment: &Moment<'_>, points: &mut Points) -> Over {
        let of_callbacks = points.others.len();
        let mut paged = paged.in_order(order.places());
        let mut over = Over::new(moment.expiration.and_then(|_| self.last_seen()));
        points.reserve(order.places().len());
        let mut walk = Walk { paged: &mut paged, moment, begun: Vec::new(), widens: false };
        let places = order.places_mut();
        let all = 0..places.len();
        self.walk(&mut walk, places, all, points, |at, joins, found| {
            if moment.expiration.is_some() {
                over.add(at, joins, found.fate, found.changed);
            }
        });
        let Walk { begun, widens, .. } = walk;
        over.close();
        if widens {
            put_types_on(order, points.metrics_mut());
        }
        self.count_begun(&begun);
        // What belongs to one metric ends together, and callbacks never do.
        if !over.all.is_empty() && of_callbacks > 0 {
            let callbacks = points.others.iter().take(of_callbacks);
            let callbacks: HashSet<MetricKey<'_>> =
                callbacks.map(|(metric, _)| key(&metric.identity)).collect();
            over.all.retain(|(at, _)| !callbacks.contains(&key(&order.places()[*at].series.identity)));
        }
        over
    }

    /// Reads some of the series, those in these places.
    pub(super) fn walk(
        &self,
        walk: &mut Walk<'_>,
        places: &mut [Place],
        range: Range<usize>,
        out: &mut impl Sink,
        mut each: impl FnMut(usize, bool, Finding),
    ) {
        for at in range {
            // They lie all over the memory, which brings many at a time if it is asked for them.
            places.get(at + 3 * AHEAD).into_iter().for_each(|later| later.series.come(&later.history));
            places.get(at + 2 * AHEAD).into_iter().for_each(|soon| soon.series.come_near());
            places.get(at + AHEAD).into_iter().for_each(|next| next.series.identity.tags.prefetch());
            let Place { series, history, joins, .. } = &mut places[at];
            let mut local = LocalValue::default();
            walk.paged.add_to(&mut local, at);
            out.begin(*joins);
            let found = series.points(history, local, walk.moment, out, |bytes| self.pages.give_back(bytes));
            if found.begins {
                walk.begun.push(Arc::clone(series));
            }
            walk.widens |= found.widens;
            each(at, *joins, found);
        }
    }

    /// When that of the sources read last whose last reading is the oldest; none where there are no sources.
    fn last_seen(&self) -> Option<u64> {
        lock(&self.sources).iter().filter_map(|last| Some(last.upgrade()?.load(Relaxed))).min()
    }

    /// Series that were over have new values, and count again.
    pub(super) fn count_begun(&self, begun: &[Arc<Series>]) {
        if begun.is_empty() {
            return;
        }
        let mut named = self.names.write();
        begun.iter().for_each(|series| *named.live(series) += 1);
        named.over = named.over.saturating_sub(begun.len());
    }

    /// Ends series, and forgets those that nobody holds any more.
    fn end(&self, order: &mut Order, over: Over, now: Tick) {
        let ended = over.all.len();
        if ended == 0 && self.names.read().over == 0 {
            return;
        }
        self.endings.fetch_add(ended as u64, Relaxed);
        if ended > 0 {
            let mut named = self.names.write();
            for (at, reading) in over.all {
                let Place { series, history, .. } = &mut order.places_mut()[at];
                history.end(*reading);
                let live = named.live(series);
                *live = live.saturating_sub(1);
            }
            named.over += ended;
            drop(named);
            self.pages.retire();
        }
        let mut named = self.names.write();
        // Two have it: the order and the names. Nobody gets it from these now.
        let is_over = |place: &Place| place.series.is_over(&place.history, now);
        order.release(|place| Arc::strong_count(&place.series) == 2 && is_over(place));
        named.forget();
    }

    pub(super) fn read_callbacks(&self, observations: Observations, now: u64, points: &mut Points) {
        let mut said_now = Vec::with_capacity(observations.0.len());
        for Observed { instrument, said } in observations.0 {
            let name = &instrument.identity.name;
            let (value, refusal) = match said {
                Said::Value(value) => (Some(value), callback_refusal(instrument.identity.kind, value)),
                Said::Panicked => (None, Some("its callback panicked")),
                Said::Late => (None, Some("its callback takes too long, and is left out until it returns")),
                Said::NothingYet => (None, None),
            };
            refusal.into_iter().for_each(|why| self.refuse(name, why));
            let value = value.filter(|_| refusal.is_none());
            let (value, since) = match instrument.identity.kind {
                Kind::Gauge => (value, None),
                _ => instrument.sum(value, now).map(|since| (since.value, since)).unzip(),
            };
            // An earlier reading says what this one does not.
            if instrument.has_gone(value.is_some()) {
                self.endings.fetch_add(1, Relaxed);
            }
            if let Some(value) = value {
                instrument.width.note(value);
                said_now.push((instrument, value, since));
            }
        }
        for (instrument, value, since) in said_now {
            let metric = Metric {
                start_time_unix_nano: since.map(|since| since.began),
                identity: Arc::clone(&instrument.identity),
                time_unix_nano: now,
                temporality: Temporality::Cumulative,
                value: MetricValue::Number(value),
                life: 0,
                taken_off: None,
                is_beyond_int: false,
            };
            let mut metric = metric.with_taken_off(since.map_or(0, |since| since.taken_off));
            instrument.width.put_on(&mut metric);
            let merge = if since.is_none() { Merge::Newest } else { Merge::Sum };
            points.others.push((metric, merge));
        }
    }

    /// What the threads have in their pages. Pages of threads that are gone are folded into the shared cells.
    fn gather(&self, last_reading: Epoch) -> Paged {
        let mut all = Paged::default();
        self.pages.each(|page, last| {
            let series =
                |number| Site::numbered(number).and_then(|site| self.series_of(site, number, last_reading));
            let mut put = |number: usize, local: LocalValue| {
                if last {
                    series(number).into_iter().for_each(|series| series.cell.absorb(&local));
                } else {
                    all.put(number, local, || series(number));
                }
            };
            page.sums().for_each(|(number, sum)| put(number, LocalValue::of_sum(sum)));
            for (number, histogram) in page.histograms() {
                let histogram = histogram.read();
                if histogram.count > 0 {
                    put(number, LocalValue { histogram: Some(histogram.into()), sum: 0 });
                }
            }
        });
        all
    }
}

/// Series while they are read.
pub(super) struct Walk<'a> {
    pub(super) paged: &'a mut InOrder,
    pub(super) moment: &'a Moment<'a>,
    /// They were over, and have new values.
    pub(super) begun: Vec<Arc<Series>>,
    /// Data points that were made before may be of another type now.
    pub(super) widens: bool,
}

/// So many series are asked for ahead of what they point to.
const AHEAD: usize = 4;

/// Series that end with a reading, in their order: where they stand, and what they hold.
struct Over {
    all: Vec<(usize, Box<Reading>)>,
    /// What changed later was not seen by all sources.
    seen: Option<u64>,
    /// Of the metric that is looked at now: its first one, whether one is idle, whether one stays.
    first: usize,
    is_idle: bool,
    stays: bool,
}

impl Over {
    fn new(seen: Option<u64>) -> Self {
        Self { all: Vec::new(), seen, first: 0, is_idle: false, stays: false }
    }

    /// The next series, and whether it differs from the one before only in level.
    fn add(&mut self, at: usize, joins: bool, fate: Fate, changed: Tick) {
        if !joins {
            self.close();
        }
        self.stays |= self.seen.is_some_and(|seen| changed.raw() > seen);
        match fate {
            Fate::Stays => self.stays = true,
            Fate::Idle(reading) => {
                self.is_idle = true;
                self.all.push((at, reading));
            }
            Fate::Silent(reading) => self.all.push((at, reading)),
            Fate::Ended => {}
        }
    }

    /// What belongs to one metric ends together, or stays.
    fn close(&mut self) {
        if self.stays || !self.is_idle {
            self.all.truncate(self.first);
        }
        (self.first, self.is_idle, self.stays) = (self.all.len(), false, false);
    }
}

/// Some of these data points, which are in the order of series, were made before the type of their metric changed.
fn put_types_on(order: &Order, metrics: &mut [Metric]) {
    let mut metrics = metrics.iter_mut().peekable();
    for Place { series, history, .. } in order.places() {
        let own = metrics.next_if(|metric| Arc::ptr_eq(&metric.identity, &series.identity));
        own.into_iter().for_each(|metric| history.put_type_on(metric));
    }
}

/// A callback's value that is none of that kind.
fn callback_refusal(kind: Kind, value: Number) -> Option<&'static str> {
    match value {
        Number::Float(x) if !x.is_finite() => Some("its callback gave a value that is not finite"),
        value if kind == Kind::Counter && value.as_f64() < 0.0 => Some("its callback gave a negative sum"),
        _ => None,
    }
}
