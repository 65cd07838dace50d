//! Data points of series that differ only in level become one.

use tracing_core::Level;

use crate::clock::Tick;
use crate::metrics::series::{Merge, Point};
use crate::model::{Identity, Kind, Metric, MetricValue, Tags};

/// The data points of one moment, by level too.
pub(crate) struct Levels {
    points: Vec<Point>,
    endings: u64,
    at: Tick,
}

impl Levels {
    pub(super) fn new(points: Vec<Point>, endings: u64, at: Tick) -> Self {
        Self { points, endings, at }
    }

    /// Those of the levels that are wanted, sorted by name and tags. What differs only in level is one.
    pub(crate) fn merged(&self, wants: impl Fn(Option<Level>) -> bool) -> Vec<Metric> {
        let wanted = self.points.iter().filter(|point| wants(point.metric.identity.level));
        merged(wanted.cloned().collect()).into_iter().map(|point| point.metric).collect()
    }

    /// The same with some that have no level.
    pub(crate) fn merged_with(&self, more: &[Metric], wants: impl Fn(Option<Level>) -> bool) -> Vec<Metric> {
        let mut all = self.merged(wants);
        if !more.is_empty() {
            all.extend_from_slice(more);
            all.sort_by(|a, b| key(&a.identity).cmp(&key(&b.identity)));
        }
        all
    }

    /// How many series had ended by then.
    pub(crate) fn endings(&self) -> u64 {
        self.endings
    }

    /// When they were read.
    pub(crate) fn at(&self) -> Tick {
        self.at
    }
}

/// Names a metric whatever its levels are.
pub(super) type MetricKey<'a> = (&'a str, Kind, &'a Tags);

pub(super) fn key(id: &Identity) -> MetricKey<'_> {
    (&id.name, id.kind, &id.tags)
}

/// Sorts, and makes one of those that differ only in level.
fn merged(mut points: Vec<Point>) -> Vec<Point> {
    // The most severe level comes first, whatever order they came in.
    points.sort_by(|a, b| {
        let levels = || b.metric.identity.level.cmp(&a.metric.identity.level);
        key(&a.metric.identity).cmp(&key(&b.metric.identity)).then_with(levels)
    });
    let mut out: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        match out.last_mut() {
            Some(last) if key(&last.metric.identity) == key(&point.metric.identity) => add(last, point),
            _ => out.push(point),
        }
    }
    for point in &mut out {
        if let MetricValue::Histogram(histogram) = &mut point.metric.value {
            **histogram = std::mem::take(&mut **histogram).thinned(point.max_buckets);
        }
    }
    out
}

fn add(to: &mut Point, from: Point) {
    to.idle_since = to.idle_since.zip(from.idle_since).map(|(a, b)| a.max(b));
    to.metric.life = to.metric.life.min(from.metric.life);
    let (to, from, merge) = (&mut to.metric, from.metric, from.merge);
    let newer = from.time_unix_nano >= to.time_unix_nano;
    // One that has begun anew because it was too large makes the sum fall.
    let has_fallen = to.taken_off.is_some() || from.taken_off.is_some();
    let pick = if has_fallen { Ord::max } else { Ord::min };
    to.start_time_unix_nano = pick(to.start_time_unix_nano, from.start_time_unix_nano);
    if has_fallen {
        to.taken_off = Some((to.taken_off() + from.taken_off()).into());
    }
    to.is_beyond_int |= from.is_beyond_int;
    to.time_unix_nano = to.time_unix_nano.max(from.time_unix_nano);
    match (&mut to.value, from.value) {
        (MetricValue::Number(a), MetricValue::Number(b)) => match merge {
            Merge::Sum => *a = a.plus(b),
            Merge::Greatest if b.as_f64() > a.as_f64() => *a = b,
            Merge::Newest if newer => *a = b,
            Merge::Newest | Merge::Greatest => {}
        },
        (MetricValue::Histogram(a), MetricValue::Histogram(b)) => a.merge(&b),
        _ => {}
    }
}
