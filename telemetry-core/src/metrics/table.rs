//! All series of one collector.
//!
//! A site without dynamic tags finds its series by its number: two loads. With dynamic tags it is one hash,
//! a full comparison, and no allocation once the series exists.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tracing_core::Level;

use super::cell::Cell;
use super::series::{Point, Series};
use super::site::{CellKind, MAX_NUMBER, Site};
use crate::clock::Clock;
use crate::diagnostics::warn_later;
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Tags, Temporality, Text, valid_tag_key};

const SEGMENT: usize = 256;
const SEGMENTS: usize = MAX_NUMBER as usize / SEGMENT;

type Segment = Box<[OnceLock<Arc<Series>>; SEGMENT]>;
type Callback = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The series of one collector.
pub(crate) struct Table {
    clock: Arc<Clock>,
    /// Measurements at a more verbose level are not taken.
    min_level: Option<Level>,
    /// A metric has at most that many series; the next ones share one.
    max_series: usize,
    by_number: [OnceLock<Segment>; SEGMENTS],
    by_name: RwLock<Named>,
    hasher: RandomState,
    callbacks: Mutex<Vec<(Arc<Identity>, Callback)>>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Named {
    all: Vec<Arc<Series>>,
    by_hash: HashMap<u64, Vec<Arc<Series>>>,
    per_metric: HashMap<(CellKind, Text), usize>,
}

/// What names a series, borrowed. Tags are sorted, each key once.
struct Key<'a> {
    kind: CellKind,
    name: &'a str,
    level: Option<Level>,
    tags: &'a [(&'a str, &'a str)],
}

impl Key<'_> {
    fn is(&self, series: &Series) -> bool {
        let id = &*series.identity;
        series.kind == self.kind
            && id.level == self.level
            && id.name == self.name
            && id.tags.iter().eq(self.tags.iter().copied())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("series", &self.named().all.len()).finish_non_exhaustive()
    }
}

impl Table {
    /// An empty table.
    pub(crate) fn new(clock: Arc<Clock>, min_level: Option<Level>, max_series: usize) -> Self {
        Self {
            clock,
            min_level,
            max_series: max_series.max(1),
            by_number: [const { OnceLock::new() }; SEGMENTS],
            by_name: RwLock::default(),
            hasher: RandomState::new(),
            callbacks: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a value for the series of that site with those tags beside its own.
    #[inline]
    pub(crate) fn record(&self, site: &Site, tags: &[(&str, &str)], value: Number) {
        if !self.takes(site) {
            return;
        }
        let known = if tags.is_empty() { self.slot(site) } else { None };
        if let Some(series) = known.and_then(OnceLock::get) {
            self.record_in(series, value);
        } else {
            self.record_by_name(site, tags, value);
        }
    }

    fn takes(&self, site: &Site) -> bool {
        !matches!((self.min_level, site.level), (Some(min), Some(level)) if level > min)
    }

    /// Measurements that no cell could take.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// A gauge whose value `read` gives at each snapshot, instead of what gave it before.
    pub(crate) fn observe(&self, site: &Site, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let mut tags = Tags::new();
        site.each_tag(|k, v| drop(tags.insert(k.to_owned(), v.to_owned())));
        if !self.takes(site) {
            return;
        }
        let identity = identity(site, Kind::Gauge, tags);
        let mut callbacks = self.callbacks();
        let before = callbacks.iter().position(|(known, _)| **known == identity);
        let replaced = before.map(|at| callbacks.swap_remove(at));
        if callbacks.len() < self.max_series {
            callbacks.push((identity.into(), Arc::new(read)));
        } else {
            warn_later(format_args!(
                "gauge `{}`: there are {} callbacks already",
                site.name, self.max_series
            ));
        }
        drop(callbacks);
        // What it had captured may do anything when it goes, so it goes when nothing is locked.
        drop(replaced);
    }

    /// Lets go of all callbacks, and of what they hold.
    pub(crate) fn forget_callbacks(&self) {
        let callbacks = std::mem::take(&mut *self.callbacks());
        drop(callbacks);
    }

    /// Moves the rates of all meters on.
    pub(crate) fn tick(&self) {
        let now = self.clock.now();
        for series in &self.named().all {
            if let Cell::Meter(meter) = &series.cell {
                meter.tick(now);
            }
        }
    }

    /// All data points now, cumulative, sorted by name and tags. Series that differ only in level are one.
    pub(crate) fn read(&self) -> Vec<Metric> {
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let mut points: Vec<Point> = Vec::new();
        let series = self.named().all.clone();
        series.iter().for_each(|series| series.read(now, &anchors, &mut points));
        let callbacks = self.callbacks().clone();
        for (identity, read) in callbacks {
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read())) {
                Ok(x) if x.is_finite() => points.push(Point {
                    adds_up: false,
                    metric: Metric {
                        identity,
                        start_time_unix_nano: None,
                        time_unix_nano: anchors.unix_nanos(now),
                        temporality: Temporality::Cumulative,
                        value: MetricValue::Number(Number::Float(x)),
                    },
                }),
                Ok(_) => self.refuse(&identity.name, "its callback gave a value that is not finite"),
                Err(_) => self.refuse(&identity.name, "its callback panicked"),
            }
        }
        merged(points)
    }

    fn slot(&self, site: &Site) -> Option<&OnceLock<Arc<Series>>> {
        let number = site.number()?;
        let segment = self.by_number.get(number / SEGMENT)?;
        Some(&segment.get_or_init(|| Box::new([const { OnceLock::new() }; SEGMENT]))[number % SEGMENT])
    }

    #[inline]
    fn record_in(&self, series: &Series, value: Number) {
        if !series.record(value, || self.clock.now()) {
            self.refuse(&series.identity.name, "a value is not finite, or negative for a counter");
        }
    }

    #[cold]
    fn refuse(&self, name: &str, why: &str) {
        self.refused.fetch_add(1, Relaxed);
        warn_later(format_args!("metric `{name}`: {why}; such measurements are refused and counted"));
    }

    fn record_by_name(&self, site: &Site, tags: &[(&str, &str)], value: Number) {
        let mut sorted = [("", ""); Tags::MAX];
        let mut len = 0;
        let mut unfit = None;
        let mut put = |key, tag| {
            if !valid_tag_key(key) {
                unfit = Some(key);
                return;
            }
            match sorted[..len].binary_search_by(|(k, _): &(&str, &str)| (*k).cmp(key)) {
                Ok(at) => sorted[at].1 = tag,
                Err(_) if len == sorted.len() => unfit = Some(key),
                Err(at) => {
                    sorted[at..=len].rotate_right(1);
                    sorted[at] = (key, tag);
                    len += 1;
                }
            }
        };
        site.each_tag(&mut put);
        tags.iter().for_each(|(k, v)| put(k, v));
        if let Some(key) = unfit {
            warn_later(format_args!(
                "metric `{}`: its tag `{key}` is left out: it is no tag key, or one of more than {}",
                site.name,
                Tags::MAX
            ));
        }
        let key = Key { kind: site.kind, name: &site.name, level: site.level, tags: &sorted[..len] };
        let hash = self.hash(&key);
        let known = find(&self.named(), hash, &key);
        let series = known.unwrap_or_else(|| self.create(site, hash, &key));
        if tags.is_empty()
            && let Some(slot) = self.slot(site)
        {
            let _ = slot.set(Arc::clone(&series));
        }
        self.record_in(&series, value);
    }

    #[cold]
    fn create(&self, site: &Site, hash: u64, key: &Key<'_>) -> Arc<Series> {
        const OVERFLOW: [(&str, &str); 1] = [("otel.metric.overflow", "true")];
        let mut named = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = find(&named, hash, key) {
            return series;
        }
        let of_metric = named.per_metric.entry((site.kind, site.name.clone())).or_default();
        let (mut hash, mut tags) = (hash, key.tags);
        if *of_metric >= self.max_series {
            if *of_metric == self.max_series {
                warn_later(format_args!(
                    "metric `{}` has more than {} series; the next ones are summed up in one tagged \
                     otel.metric.overflow=true",
                    site.name, self.max_series
                ));
                *of_metric += 1;
            }
            tags = &OVERFLOW;
            let overflow = Key { tags, ..*key };
            hash = self.hash(&overflow);
            if let Some(series) = find(&named, hash, &overflow) {
                return series;
            }
        } else {
            *of_metric += 1;
        }
        let mut own = Tags::new();
        for (k, v) in tags {
            let _ = own.insert((*k).to_owned(), (*v).to_owned());
        }
        let series = Series::new(site.kind, identity(site, site.kind.kind(), own), &self.clock);
        let series = Arc::new(series);
        named.all.push(Arc::clone(&series));
        named.by_hash.entry(hash).or_default().push(Arc::clone(&series));
        series
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        self.hasher.hash_one((key.kind, key.level, key.name, key.tags))
    }

    fn named(&self) -> std::sync::RwLockReadGuard<'_, Named> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn callbacks(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Identity>, Callback)>> {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(named: &Named, hash: u64, key: &Key<'_>) -> Option<Arc<Series>> {
    named.by_hash.get(&hash)?.iter().find(|series| key.is(series)).cloned()
}

fn identity(site: &Site, kind: Kind, tags: Tags) -> Identity {
    Identity {
        name: site.name.clone(),
        kind,
        unit: site.unit.into(),
        description: site.description.into(),
        tags,
        level: site.level,
    }
}

/// Sorts, and makes one of those that differ only in level.
fn merged(mut points: Vec<Point>) -> Vec<Metric> {
    fn order(m: &Metric) -> (&str, Kind, &Tags) {
        (&m.identity.name, m.identity.kind, &m.identity.tags)
    }
    points.sort_by(|a, b| order(&a.metric).cmp(&order(&b.metric)));
    let mut out: Vec<Metric> = Vec::with_capacity(points.len());
    for point in points {
        match out.last_mut() {
            Some(last) if order(last) == order(&point.metric) => add(last, point),
            _ => out.push(point.metric),
        }
    }
    out
}

fn add(to: &mut Metric, Point { metric: from, adds_up }: Point) {
    let newer = from.time_unix_nano >= to.time_unix_nano;
    to.start_time_unix_nano = to.start_time_unix_nano.min(from.start_time_unix_nano);
    to.time_unix_nano = to.time_unix_nano.max(from.time_unix_nano);
    match (&mut to.value, from.value) {
        (MetricValue::Number(a), MetricValue::Number(b)) if adds_up => *a = a.plus(b),
        (MetricValue::Number(a), MetricValue::Number(b)) if newer => *a = b,
        (MetricValue::Histogram(a), MetricValue::Histogram(b)) => a.merge(&b),
        _ => {}
    }
}
