//! Data points of series that differ only in level become one.

use tracing_core::Level;

use super::sorted::{compare, compare_metrics, interleave, key};
use crate::clock::Tick;
use crate::metrics::series::{Join, Merge, Points};
use crate::model::{Kind, Metric, MetricValue};

/// The data points of one moment, by level too, sorted by metric.
pub(crate) struct Levels {
    metrics: Vec<Metric>,
    /// Of these the ones that differ from the one before only in level.
    joins: Vec<Join>,
    /// Of these the ones that have names of their own.
    others: Vec<usize>,
    endings: u64,
    at: Tick,
}

impl Levels {
    pub(super) fn new(mut points: Points, endings: u64, at: Tick) -> Self {
        let (metrics, Points { joins, others, .. }) = (points.take_metrics(), points);
        let this = Self { metrics, joins, others: Vec::new(), endings, at };
        if others.is_empty() { this } else { this.with_others(others) }
    }

    /// Those of the levels that are wanted, sorted by metric. What differs only in level is one.
    pub(crate) fn merged(&self, wants: impl Fn(Option<Level>) -> bool) -> Vec<Metric> {
        merged(self.metrics.iter(), &self.joins, |metric| wants(metric.identity.level), Metric::clone)
    }

    /// The same of all levels, and which of them have names of their own, as far as that is known.
    pub(crate) fn into_merged(self) -> (Vec<Metric>, Vec<usize>) {
        if self.joins.is_empty() {
            return (self.metrics, self.others);
        }
        (merged(self.metrics.into_iter(), &self.joins, |_| true, |metric| metric), Vec::new())
    }

    /// The same with some that have no level.
    pub(crate) fn merged_with(&self, more: &[Metric], wants: impl Fn(Option<Level>) -> bool) -> Vec<Metric> {
        let all = self.merged(wants);
        if more.is_empty() {
            return all;
        }
        let mut more = more.to_vec();
        more.sort_by(|a, b| key(&a.identity).cmp(&key(&b.identity)));
        let mut both = Vec::with_capacity(all.len() + more.len());
        let is_before = |a: &Metric, b: &Metric| compare_metrics(&a.identity, &b.identity).is_le();
        interleave(all, more, is_before, |metric, _| both.push(metric));
        both
    }

    /// The same with those that have names of their own in between.
    fn with_others(self, mut others: Vec<(Metric, Merge)>) -> Self {
        // Those of many series come in long runs that are sorted already, which this finds.
        others.sort_by(|(a, _), (b, _)| compare(&a.identity, &b.identity));
        let (others, merges): (Vec<Metric>, Vec<Merge>) = others.into_iter().unzip();
        let mut merges = merges.into_iter();
        let mut all: Vec<Point> = Vec::with_capacity(self.metrics.len() + others.len());
        let (mut known, mut seen) = (self.joins.into_iter().peekable(), 0);
        let is_before = |a: &Metric, b: &Metric| compare_metrics(&a.identity, &b.identity).is_le();
        interleave(self.metrics, others, is_before, |metric, is_other| {
            let join = known.next_if(|join| !is_other && join.at == seen);
            seen += usize::from(!is_other);
            let merge = if is_other { merges.next() } else { None };
            all.push(Point { metric, merge, join });
        });
        let is_of_one =
            |a: &Point, b: &Point| compare_metrics(&a.metric.identity, &b.metric.identity).is_eq();
        for same in all.chunk_by_mut(is_of_one).filter(|same| same.iter().any(|one| one.merge.is_some())) {
            join(same);
        }
        let joins = all.iter().enumerate().filter_map(|(at, one)| Some(Join { at, ..one.join? })).collect();
        let others =
            all.iter().enumerate().filter(|(_, one)| one.merge.is_some()).map(|(at, _)| at).collect();
        let metrics = all.into_iter().map(|one| one.metric).collect();
        Self { metrics, joins, others, ..self }
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

/// A data point between others.
struct Point {
    metric: Metric,
    /// Of those that have names of their own.
    merge: Option<Merge>,
    /// How it becomes one with the one before.
    join: Option<Join>,
}

/// Series and others that belong to one metric: those with the same tags follow each other.
fn join(of_metric: &mut [Point]) {
    of_metric.sort_by(|a, b| compare(&a.metric.identity, &b.metric.identity));
    for at in 0..of_metric.len() {
        let id = &of_metric[at].metric.identity;
        let is_same = at > 0 && key(&of_metric[at - 1].metric.identity) == key(id);
        let of_kind = if id.kind == Kind::Gauge { Merge::Newest } else { Merge::Sum };
        let one = &mut of_metric[at];
        let how = Join { at, merge: one.merge.unwrap_or(of_kind), max_buckets: 0 };
        one.join = is_same.then(|| one.join.unwrap_or(how));
    }
}

/// Makes one of those wanted that differ only in level.
fn merged<T>(
    all: impl ExactSizeIterator<Item = T>,
    joins: &[Join],
    is_wanted: impl Fn(&T) -> bool,
    take: impl Fn(T) -> Metric,
) -> Vec<Metric> {
    let mut out: Vec<Metric> = Vec::with_capacity(all.len());
    let mut joins = joins.iter().peekable();
    // The last one is of the same metric.
    let mut is_open = false;
    for (at, metric) in all.enumerate() {
        let join = joins.next_if(|join| join.at == at);
        is_open &= join.is_some();
        if !is_wanted(&metric) {
            continue;
        }
        match (join, out.last_mut()) {
            (Some(join), Some(last)) if is_open => add(last, take(metric), join),
            _ => out.push(take(metric)),
        }
        is_open = true;
    }
    out
}

fn add(to: &mut Metric, from: Metric, how: &Join) {
    to.life = to.life.min(from.life);
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
        (MetricValue::Number(a), MetricValue::Number(b)) => match how.merge {
            Merge::Sum => *a = a.plus(b),
            Merge::Greatest if b.as_f64() > a.as_f64() => *a = b,
            Merge::Newest if newer => *a = b,
            Merge::Newest | Merge::Greatest => {}
        },
        (MetricValue::Histogram(a), MetricValue::Histogram(b)) => {
            a.merge(&b);
            a.thin(how.max_buckets);
        }
        _ => {}
    }
}
