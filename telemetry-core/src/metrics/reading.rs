//! Snapshots: all cells of a table read at one moment, and series that end with it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::callback::{Callback, Observed};
use super::series::{Join, Own, Point, Reading, Series};
use super::site::Site;
use super::table::{Table, lock};
use crate::clock::{Anchors, Tick};
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Tags, Temporality};

impl Table {
    /// Somebody who will ask for snapshots, and is to see how a series ends. It sets what is returned to the tick at
    /// which it last did.
    pub(crate) fn add_source(&self) -> Arc<AtomicU64> {
        let last_read = Arc::new(AtomicU64::new(self.clock.now().raw()));
        lock(&self.sources).push(Arc::downgrade(&last_read));
        last_read
    }

    /// Whether series that are idle for long end.
    pub(crate) fn ends_series(&self) -> bool {
        self.settings.expiration.is_some()
    }

    /// Sees to what ended threads left, where nobody asks for snapshots.
    pub(crate) fn tidy(&self) {
        if self.pages.any_left() {
            let _reading = lock(&self.reading);
            self.gather();
        }
    }

    /// All data points now, cumulative, sorted by name and tags. Series that differ only in level are one.
    pub(crate) fn read(&self) -> Vec<Metric> {
        self.read_points(None)
    }

    /// The same. Series that had no new value for long, and whose last one all have seen, end with it: they are not
    /// among the next ones.
    pub(crate) fn read_and_end(&self, all_have_seen: &dyn Fn(&Metric) -> bool) -> Vec<Metric> {
        self.read_points(Some(all_have_seen))
    }

    fn read_points(&self, all_have_seen: Option<&dyn Fn(&Metric) -> bool>) -> Vec<Metric> {
        let reading = lock(&self.reading);
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let mut points: Vec<Point> = Vec::new();
        let mut readings: Vec<(Arc<Series>, Reading)> = Vec::new();
        let mut begun: Vec<Arc<Series>> = Vec::new();
        let own = self.gather();
        let all: Vec<Arc<Series>> = self.named().iter().cloned().collect();
        for series in all {
            let mut own_of = series.gather_own(|bytes| self.pages.give_back(bytes));
            own.get(&Arc::as_ptr(&series)).into_iter().for_each(|paged| own_of.add(paged));
            let reading = series.read(&own_of, now);
            if series.look(&reading, now, anchors.unix_nanos(now)) {
                begun.push(Arc::clone(&series));
            }
            series.points(reading.clone(), now, &anchors, &mut points);
            if all_have_seen.is_some() && self.ends_series() {
                readings.push((series, reading));
            }
        }
        self.count_begun(&begun);
        drop(begun);
        let points = merged(points);
        if let (Some(all_have_seen), Some(expiration)) = (all_have_seen, self.settings.expiration) {
            let is_idle = |since: Tick| Duration::from_nanos(now.since(since)) >= expiration;
            let over = points
                .iter()
                .filter(|point| point.idle_since.is_some_and(is_idle) && all_have_seen(&point.metric));
            self.end(over.map(|point| &*point.metric.identity).collect(), readings, now);
        }
        drop(reading);
        let mut metrics: Vec<Metric> = points.into_iter().map(|point| point.metric).collect();
        self.read_callbacks(now, &anchors, &mut metrics);
        metrics
    }

    /// Series that were over have new values, and count again.
    fn count_begun(&self, begun: &[Arc<Series>]) {
        if begun.is_empty() {
            return;
        }
        let mut named = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        begun.iter().for_each(|series| *named.live(series) += 1);
    }

    /// Ends all series, of whatever level, that make up these metrics, and forgets those that nobody holds any more.
    fn end(&self, over: Vec<&Identity>, readings: Vec<(Arc<Series>, Reading)>, now: Tick) {
        let read = lock(&self.sources).iter().filter_map(|last| Some(last.upgrade()?.load(Relaxed))).min();
        let names = |id: &'_ Identity| (id.name.clone(), id.kind, id.tags.clone());
        let over: HashSet<_> = over.into_iter().map(names).collect();
        let mut ended = Vec::new();
        for (series, reading) in readings {
            let is_seen = read.is_none_or(|read| series.changed().raw() <= read);
            if is_seen && !series.is_ended() && over.contains(&names(&series.identity)) {
                series.end(reading);
                ended.push(series);
            }
        }
        if !ended.is_empty() {
            self.pages.retire();
        }
        let mut named = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        for series in &ended {
            let live = named.live(series);
            *live = live.saturating_sub(1);
        }
        drop(ended);
        let mut gone = 0;
        named.by_hash.retain(|_, series| {
            // Nobody else has it, and nobody can get it now.
            series.retain_mut(|series| {
                let keep = Arc::get_mut(series).is_none_or(|series| !series.is_over(now));
                gone += usize::from(!keep);
                keep
            });
            !series.is_empty()
        });
        named.all -= gone;
    }

    fn read_callbacks(&self, now: Tick, anchors: &Anchors, metrics: &mut Vec<Metric>) {
        let late = |callback: &Callback| {
            let limit = self.settings.callback_timeout;
            self.refuse(
                &callback.identity.name,
                &format!("its callback takes longer than {limit:?}, and is left out until it returns"),
            );
        };
        let time = anchors.unix_nanos(now);
        let mut any = false;
        let take = |Observed { callback, value }: Observed| {
            let identity = &callback.identity;
            let Some(value) = value else { return self.refuse(&identity.name, "its callback panicked") };
            if let Some(why) = callback_refusal(identity.kind, value) {
                return self.refuse(&identity.name, why);
            }
            any = true;
            metrics.push(Metric {
                start_time_unix_nano: callback.start(value, time),
                identity: Arc::clone(identity),
                time_unix_nano: time,
                temporality: Temporality::Cumulative,
                value: MetricValue::Number(value),
            });
        };
        self.callbacks.read(self.settings.callback_timeout, take, late);
        if any {
            metrics.sort_by(|a, b| order(a).cmp(&order(b)));
        }
    }

    /// What the threads have in their pages, by series. Pages of threads that are gone are folded into the shared
    /// cells.
    fn gather(&self) -> HashMap<*const Series, Own> {
        let mut all: HashMap<*const Series, Own> = HashMap::new();
        self.pages.each(|page, last| {
            let mut put = |number: usize, own: Own| {
                let Some(series) = Site::numbered(number).and_then(|site| self.series_of(site, number))
                else {
                    return;
                };
                if last {
                    own.fold_into(&series.cell);
                } else {
                    all.entry(Arc::as_ptr(&series)).or_default().add(&own);
                }
            };
            page.sums().for_each(|(number, sum)| put(number, Own { sum, ..Own::default() }));
            for (number, histogram) in page.histograms() {
                let histogram = histogram.read();
                if histogram.count > 0 {
                    put(number, Own { histogram, sum: 0 });
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

fn order(m: &Metric) -> (&str, Kind, &Tags) {
    (&m.identity.name, m.identity.kind, &m.identity.tags)
}

/// Sorts, and makes one of those that differ only in level.
fn merged(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| order(&a.metric).cmp(&order(&b.metric)));
    let mut out: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        match out.last_mut() {
            Some(last) if order(&last.metric) == order(&point.metric) => add(last, point),
            _ => out.push(point),
        }
    }
    out
}

fn add(to: &mut Point, from: Point) {
    to.idle_since = to.idle_since.zip(from.idle_since).map(|(a, b)| a.max(b));
    let (to, from, join) = (&mut to.metric, from.metric, from.join);
    let newer = from.time_unix_nano >= to.time_unix_nano;
    to.start_time_unix_nano = to.start_time_unix_nano.min(from.start_time_unix_nano);
    to.time_unix_nano = to.time_unix_nano.max(from.time_unix_nano);
    match (&mut to.value, from.value) {
        (MetricValue::Number(a), MetricValue::Number(b)) => match join {
            Join::Sum => *a = a.plus(b),
            Join::Greatest if b.as_f64() > a.as_f64() => *a = b,
            Join::Newest if newer => *a = b,
            Join::Newest | Join::Greatest => {}
        },
        (MetricValue::Histogram(a), MetricValue::Histogram(b)) => a.merge(&b),
        _ => {}
    }
}
