//! Snapshots: all cells of a table read at one moment, and series that end with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Table;
use super::callback::{Observations, Observed, Said};
use super::merge::{Levels, MetricKey, key};
use crate::clock::{Anchors, Tick};
use crate::metrics::cell::LocalValue;
use crate::metrics::series::{Epoch, Merge, Point, Reading, Series};
use crate::metrics::site::Site;
use crate::model::{Kind, Metric, MetricValue, Number, Temporality};
use crate::sync::lock;

impl Table {
    /// Somebody who will ask for snapshots, and is to see how a series ends. It sets what is returned to the tick at
    /// which it last did.
    pub(crate) fn add_source(&self) -> Arc<AtomicU64> {
        let last_read = Arc::new(AtomicU64::new(self.clock.now().raw()));
        lock(&self.sources).push(Arc::downgrade(&last_read));
        last_read
    }

    /// Sees to what ended threads left, where nobody asks for snapshots.
    pub(crate) fn tidy(&self) {
        if self.pages.any_left() {
            let last = lock(&self.last_reading);
            self.gather(*last);
        }
    }

    /// All data points now, cumulative, sorted by name and tags. Series that differ only in level are one.
    pub(crate) fn read(&self) -> Vec<Metric> {
        self.read_levels(self.ask_callbacks(), false).merged(|_| true)
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
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let mut points: Vec<Point> = Vec::new();
        self.read_callbacks(observations, now, &anchors, &mut points);
        let mut last = lock(&self.last_reading);
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let mut readings: Vec<(Arc<Series>, Reading)> = Vec::new();
        let mut begun: Vec<Arc<Series>> = Vec::new();
        let paged = self.gather(*last);
        let all: Vec<Arc<Series>> = self.names.read().iter().cloned().collect();
        for series in all {
            let mut local = series.gather_local(|bytes| self.pages.give_back(bytes));
            paged.get(&Arc::as_ptr(&series)).into_iter().for_each(|paged| local.add(paged));
            let reading = series.read(&local, now);
            series.weigh();
            if series.look(&reading, now, *last) {
                begun.push(Arc::clone(&series));
            }
            readings.push((series, reading));
        }
        let ends = ends && self.ends_series();
        // Only now is known of which type the values of a metric are.
        for (series, reading) in &mut readings {
            let reading = if ends { reading.clone() } else { std::mem::take(reading) };
            series.points(reading, now, &anchors, &mut points);
        }
        self.count_begun(&begun);
        drop(begun);
        if let Some(expiration) = self.settings.expiration.filter(|_| ends) {
            let is_idle = |since: Tick| Duration::from_nanos(now.since(since)) >= expiration;
            let is_over = |point: &Point| point.idle_since.is_some_and(is_idle);
            let (over, others): (Vec<&Point>, Vec<&Point>) = points.iter().partition(|point| is_over(point));
            let mut over: HashSet<MetricKey<'_>> = over.iter().map(|point| key(&point.owner)).collect();
            // What belongs to one metric ends together.
            for point in others {
                over.remove(&key(&point.owner));
            }
            self.end(&over, readings, now);
        }
        *last = Epoch { unix_nanos: anchors.unix_nanos(now), reading: last.reading + 1 };
        self.readings.store(last.reading, Relaxed);
        drop(last);
        Levels::new(points, self.endings.load(Relaxed), now)
    }

    /// Series that were over have new values, and count again.
    fn count_begun(&self, begun: &[Arc<Series>]) {
        if begun.is_empty() {
            return;
        }
        let mut named = self.names.write();
        begun.iter().for_each(|series| *named.live(series) += 1);
        named.over = named.over.saturating_sub(begun.len());
    }

    /// Ends all series, of whatever level, that make up these metrics, if all sources have seen them, and forgets those
    /// that nobody holds any more.
    fn end(&self, over: &HashSet<MetricKey<'_>>, readings: Vec<(Arc<Series>, Reading)>, now: Tick) {
        let read = lock(&self.sources).iter().filter_map(|last| Some(last.upgrade()?.load(Relaxed))).min();
        let is_seen = |series: &Series| read.is_none_or(|read| series.changed().raw() <= read);
        let unseen = readings.iter().filter(|(series, _)| !is_seen(series));
        let unseen: HashSet<MetricKey<'_>> = unseen.map(|(series, _)| key(&series.identity)).collect();
        let ends = |series: &Series| {
            let key = key(&series.identity);
            over.contains(&key) && !unseen.contains(&key) && !series.is_ended()
        };
        let ends: Vec<bool> = readings.iter().map(|(series, _)| ends(series)).collect();
        self.endings.fetch_add(ends.iter().filter(|ends| **ends).count() as u64, Relaxed);
        let mut ended = Vec::new();
        for (series, reading) in
            readings.into_iter().zip(ends).filter_map(|(read, ends)| ends.then_some(read))
        {
            series.end(reading);
            ended.push(series);
        }
        if !ended.is_empty() {
            self.pages.retire();
        }
        let mut named = self.names.write();
        for series in &ended {
            let live = named.live(series);
            *live = live.saturating_sub(1);
        }
        named.over += ended.len();
        drop(ended);
        if named.over > 0 {
            named.forget(|series| series.is_over(now));
        }
    }

    fn read_callbacks(
        &self,
        observations: Observations,
        now: Tick,
        anchors: &Anchors,
        points: &mut Vec<Point>,
    ) {
        let mut said_now = Vec::with_capacity(observations.0.len());
        let now = anchors.unix_nanos(now);
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
            let owner = Arc::clone(&instrument.identity);
            points.push(Point { merge, metric, owner, idle_since: None, max_buckets: 0 });
        }
    }

    /// What the threads have in their pages, by series. Pages of threads that are gone are folded into the shared
    /// cells.
    fn gather(&self, last_reading: Epoch) -> HashMap<*const Series, LocalValue> {
        let mut all: HashMap<*const Series, LocalValue> = HashMap::new();
        self.pages.each(|page, last| {
            let mut put = |number: usize, local: LocalValue| {
                let Some(series) =
                    Site::numbered(number).and_then(|site| self.series_of(site, number, last_reading))
                else {
                    return;
                };
                if last {
                    series.cell.absorb(&local);
                } else {
                    all.entry(Arc::as_ptr(&series)).or_default().add(&local);
                }
            };
            page.sums().for_each(|(number, sum)| {
                put(number, LocalValue { sum: sum.into(), ..LocalValue::default() });
            });
            for (number, histogram) in page.histograms() {
                let histogram = histogram.read();
                if histogram.count > 0 {
                    put(number, LocalValue { histogram, sum: 0 });
                }
            }
        });
        all
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
