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
use super::page::Pages;
use super::series::{OVERFLOW, Own, Point, Series, TOO_MANY};
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
    /// When it began, in nanoseconds since the Unix epoch.
    began: u64,
    pages: Pages,
    /// Snapshots are taken one at a time: each folds in what ended threads left.
    reading: Mutex<()>,
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
    /// The site that was the first to name a metric.
    declared: HashMap<Text, Site>,
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
    pub(crate) fn new(
        clock: Arc<Clock>,
        min_level: Option<Level>,
        max_series: usize,
        max_bytes: usize,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            began: clock.unix_nanos(),
            pages: Pages::new(NEXT.fetch_add(1, Relaxed), clock.is_system(), max_bytes),
            reading: Mutex::default(),
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
        if !self.takes(site) || self.refuses(site, value) {
            return;
        }
        let known = if tags.is_empty() { site.number().and_then(|number| self.slot(number)) } else { None };
        if let Some(series) = known.and_then(OnceLock::get) {
            self.record_in(series, value);
        } else {
            let series = self.series_by_name(site, tags, self.clock.unix_nanos());
            if let Some(slot) = known {
                let _ = slot.set(Arc::clone(&series));
            }
            self.record_in(&series, value);
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
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.gather();
        let series = self.named().all.clone();
        for series in &series {
            let mut own_of = series.gather_own(|bytes| self.pages.give_back(bytes));
            own.get(&Arc::as_ptr(series)).into_iter().for_each(|paged| own_of.add(paged));
            series.read(&own_of, now, &anchors, &mut points);
        }
        drop(reading);
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

    /// The series of a site that has cells in pages; none if it is below the least level.
    fn series_of(&self, site: &Site, number: usize) -> Option<Arc<Series>> {
        if !self.takes(site) {
            return None;
        }
        let slot = self.slot(number)?;
        Some(Arc::clone(slot.get_or_init(|| self.series_by_name(site, &[], self.began))))
    }

    /// The current collector's cells of this thread, from now on, and of that site.
    pub(crate) fn attach(&self, site: &Site) {
        // It has a number from now on, unless all are taken.
        let _ = site.number();
        self.pages.attach(site, site.kind == CellKind::Histogram);
    }

    /// Takes a value with tags known only now, and sees to it that the next one finds a cell of this thread's own.
    #[cold]
    pub(crate) fn record_tagged(&self, site: &Site, tags: &[(&str, &str)], value: Number) {
        if !self.takes(site) || self.refuses(site, value) {
            return;
        }
        let series = self.series_by_name(site, tags, self.clock.unix_nanos());
        self.record_in(&series, value);
        // A series that stands for many would be kept for each of them.
        let is_histogram = site.kind == CellKind::Histogram;
        let counts = is_histogram || matches!(site.kind, CellKind::Counter | CellKind::UpDownCounter);
        if counts
            && !series.is_overflow
            && let Some(cell) = self.pages.keep_tagged(site, tags, is_histogram)
        {
            series.add_own(cell);
        }
    }

    /// Tells collectors apart.
    pub(crate) fn collector(&self) -> u64 {
        self.pages.collector()
    }

    fn slot(&self, number: usize) -> Option<&OnceLock<Arc<Series>>> {
        let segment = self.by_number.get(number / SEGMENT)?;
        Some(&segment.get_or_init(|| Box::new([const { OnceLock::new() }; SEGMENT]))[number % SEGMENT])
    }

    #[inline]
    fn record_in(&self, series: &Series, value: Number) {
        series.record(value, || self.clock.now());
    }

    /// A value that a series of that kind does not take makes none, and is counted.
    fn refuses(&self, site: &Site, value: Number) -> bool {
        let refusal = site.kind.refusal(value);
        refusal.into_iter().for_each(|why| self.refuse(&site.name, why));
        refusal.is_some()
    }

    #[cold]
    fn refuse(&self, name: &str, why: &str) {
        self.refused.fetch_add(1, Relaxed);
        warn_later(format_args!("metric `{name}`: {why}; such measurements are refused and counted"));
    }

    /// The series of a site and more tags, made where it is missing; it then began at `began`.
    fn series_by_name(&self, site: &Site, tags: &[(&str, &str)], began: u64) -> Arc<Series> {
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
        let named = self.named();
        let known = find(&named, hash, &key);
        named.declared.get(&site.name).into_iter().for_each(|first| compare(first, site));
        drop(named);
        known.unwrap_or_else(|| self.create(site, hash, &key, began))
    }

    #[cold]
    fn create(&self, site: &Site, hash: u64, key: &Key<'_>, began: u64) -> Arc<Series> {
        let mut named = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = find(&named, hash, key) {
            return series;
        }
        if !valid_tag_key(&site.name) {
            warn_later(format_args!(
                "`{}` is no metric name (letters, digits and `. - _ /` only); backends may refuse it",
                site.name
            ));
        }
        if named.all.len() >= MOST && site.name != TOO_MANY {
            warn_later(format_args!(
                "there are {MOST} series; those of further metrics are summed up in `{TOO_MANY}`"
            ));
            drop(named);
            let rest = Site::new(site.kind, TOO_MANY, &[]).passing();
            return self.series_by_name(&rest, &[], began);
        }
        if !named.declared.contains_key(&site.name) {
            named.declared.insert(site.name.clone(), site.copy());
        }
        let of_metric = named.per_metric.entry((site.kind, site.name.clone())).or_default();
        let (mut hash, mut tags) = (hash, key.tags);
        if *of_metric >= self.max_series {
            if *of_metric == self.max_series {
                warn_later(format_args!(
                    "metric `{}`, recorded at {}, has more than {} series; the next ones are summed up in one \
                     tagged otel.metric.overflow=true",
                    site.name,
                    site.place(),
                    self.max_series
                ));
                *of_metric += 1;
            }
            tags = &[OVERFLOW];
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
        let series = Series::new(site.kind, identity(site, site.kind.kind(), own), &self.clock, began);
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

/// More series than that are not made, whatever their metrics: names too may be made up without end.
const MOST: usize = 100_000;

/// Says, once, that two places declare one metric differently. What the first one said counts, and both are
/// recorded.
fn compare(first: &Site, site: &Site) {
    let differs = |what, one: &str, other: &str| {
        warn_later(format_args!(
            "metric `{}`: its {what} is `{one}` at {} and `{other}` at {}; the first counts",
            site.name,
            first.place(),
            site.place()
        ));
    };
    if first.kind != site.kind {
        differs("kind", first.kind.kind().name(), site.kind.kind().name());
    }
    if first.unit != site.unit && !site.unit.is_empty() {
        differs("unit", first.unit, site.unit);
    }
    if first.description != site.description && !site.description.is_empty() {
        differs("description", first.description, site.description);
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
