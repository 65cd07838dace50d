//! All series of one collector.
//!
//! A site without dynamic tags finds its series by its number: two loads. With dynamic tags it is one hash,
//! a full comparison, and no allocation once the series exists.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tracing_core::Level;

use super::bounds::Bounds;
use super::callback::{Callbacks, Observed};
use super::cell::Cell;
use super::page::Pages;
use super::series::{Join, OVERFLOW, Own, Point, Reading, Series, Shape, TOO_MANY};
use super::site::{CellKind, MAX_NUMBER, Site};
use super::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use super::tagged::Need;
use super::task::Task;
use super::view::{View, Viewed, Views};
use crate::clock::{Anchors, Clock, Tick};
use crate::diagnostics::warn_later;
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Tags, Temporality, Text, valid_tag_key};

const SEGMENT: usize = 256;
const SEGMENTS: usize = MAX_NUMBER as usize / SEGMENT;

type Segment = Box<[OnceLock<Arc<Series>>; SEGMENT]>;

/// The series of one collector.
pub(crate) struct Table {
    clock: Arc<Clock>,
    settings: Settings,
    views: Views,
    /// When it began, in nanoseconds since the Unix epoch.
    began: u64,
    pages: Pages,
    /// Snapshots are taken one at a time: each folds in what ended threads left.
    reading: Mutex<()>,
    by_number: [OnceLock<Segment>; SEGMENTS],
    by_name: RwLock<Named>,
    hasher: RandomState,
    callbacks: Callbacks,
    /// When each of those who ask for snapshots last did, in ticks.
    sources: Mutex<Vec<Weak<AtomicU64>>>,
    refused: AtomicU64,
}

/// What a table is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Measurements at a more verbose level are not taken.
    pub(crate) min_level: Option<Level>,
    /// A metric has at most that many series; the next ones share one.
    pub(crate) max_series: usize,
    /// For cells that threads have of their own.
    pub(crate) max_bytes: usize,
    /// A series without a new value for so long ends.
    pub(crate) expiration: Option<Duration>,
    /// A snapshot waits that long for each callback.
    pub(crate) callback_timeout: Duration,
}

#[derive(Default)]
struct Named {
    /// The only ones that own series, beside sites with a number and threads that have cells of them.
    by_hash: HashMap<u64, Vec<Arc<Series>>>,
    all: usize,
    per_metric: HashMap<(CellKind, Text), PerMetric>,
    /// The site that was the first to name a metric.
    declared: HashMap<Text, Site>,
}

#[derive(Default)]
struct PerMetric {
    /// Its series that are not over.
    live: usize,
    /// Somebody was told that it has too many.
    is_said: bool,
}

impl Named {
    fn iter(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_hash.values().flatten()
    }

    fn live(&mut self, series: &Series) -> &mut usize {
        &mut self.per_metric.entry((series.kind, series.identity.name.clone())).or_default().live
    }
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
        f.debug_struct("Table").field("series", &self.named().all).finish_non_exhaustive()
    }
}

impl Table {
    /// An empty table.
    pub(crate) fn new(clock: Arc<Clock>, settings: Settings, views: Vec<View>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            began: clock.unix_nanos(),
            pages: Pages::new(NEXT.fetch_add(1, Relaxed), clock.is_system(), settings.max_bytes),
            reading: Mutex::default(),
            clock,
            settings,
            views: Views::new(views),
            by_number: [const { OnceLock::new() }; SEGMENTS],
            by_name: RwLock::default(),
            hasher: RandomState::new(),
            callbacks: Callbacks::default(),
            sources: Mutex::default(),
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
        !matches!((self.settings.min_level, site.level), (Some(min), Some(level)) if level > min)
    }

    /// Measurements that no cell could take.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// An instrument whose value `read` gives at each snapshot, instead of what gave it before: of a sum, the sum.
    pub(crate) fn observe(&self, site: &Site, read: impl Fn() -> Number + Send + Sync + 'static) {
        let viewed = self.views.of(&site.name);
        if !self.takes(site) || viewed.is_dropped() {
            return;
        }
        let mut tags = Tags::new();
        site.each_tag(|k, v| {
            if viewed.takes_tag(k) {
                let _ = tags.insert(k.to_owned(), v.to_owned());
            }
        });
        let (identity, most) = (identity(site, &viewed, tags), self.settings.max_series);
        if !self.callbacks.set(identity, read, self.clock.unix_nanos(), most) {
            warn_later(format_args!("metric `{}`: there are {most} callbacks already", site.name));
        }
    }

    /// Lets go of all callbacks, and of what they hold.
    pub(crate) fn forget_callbacks(&self) {
        self.callbacks.forget();
    }

    /// A measurement begins that is seen while it runs.
    pub(crate) fn begin_task(&self, site: &Site, tags: &[(&str, &str)]) -> Option<Task> {
        self.takes(site).then(|| {
            let now = self.clock.now();
            Task::begin(self.series_by_name(site, tags, self.clock.unix_nanos()), now)
        })
    }

    /// Moves the rates of all meters on.
    pub(crate) fn tick(&self) {
        let now = self.clock.now();
        for series in self.named().iter() {
            if let Cell::Meter(meter) = &series.cell {
                meter.tick(now);
            }
        }
    }

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
        let late = |callback: &super::callback::Callback| {
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

    /// The series of a site that has cells in pages; none if it is below the least level.
    fn series_of(&self, site: &Site, number: usize) -> Option<Arc<Series>> {
        if !self.takes(site) {
            return None;
        }
        let slot = self.slot(number)?;
        if slot.get().is_none() {
            // Not inside of the slot, where it would wait for a lock.
            let _ = slot.set(self.series_by_name(site, &[], self.began));
        }
        slot.get().cloned()
    }

    /// The current collector's cells of this thread, from now on, and that of the site itself, without more tags.
    pub(crate) fn attach(&self, site: &Site, is_tagged: bool) {
        // It has a number from now on, unless all are taken.
        let number = site.number();
        let has_histogram = site.kind == CellKind::Histogram && !is_tagged;
        let series = number.filter(|_| has_histogram).and_then(|number| self.series_of(site, number));
        self.pages.attach(site, series.and_then(|series| series.need()).unwrap_or(Need::Sum));
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
        if !series.is_overflow
            && let Some(need) = series.need()
            && let Some(cell) = self.pages.keep_tagged(site, tags, need)
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
        let viewed = self.views.of(&site.name);
        let mut sorted = [("", ""); Tags::MAX];
        let mut len = 0;
        let mut unfit = None;
        let mut put = |key, tag| {
            if !viewed.takes_tag(key) {
                return;
            }
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
        // One series is enough for what nobody wants.
        let tags = if viewed.is_dropped() { &[] } else { &sorted[..len] };
        let name = viewed.name().unwrap_or(&site.name);
        let key = Key { kind: site.kind, name, level: site.level, tags };
        let hash = self.hash(&key);
        let named = self.named();
        let known = find(&named, hash, &key);
        named.declared.get(&site.name).into_iter().for_each(|first| compare(first, site));
        drop(named);
        known.unwrap_or_else(|| self.create(site, &viewed, hash, &key, began))
    }

    #[cold]
    fn create(&self, site: &Site, viewed: &Viewed<'_>, hash: u64, key: &Key<'_>, began: u64) -> Arc<Series> {
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
        if named.all >= MOST && site.name != TOO_MANY {
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
        let bounds = named.declared.get(&site.name).map_or(site.bounds, |first| first.bounds);
        let of_metric = named.per_metric.entry((site.kind, key.name.to_owned().into())).or_default();
        let (mut hash, mut tags) = (hash, key.tags);
        if of_metric.live >= self.settings.max_series {
            if !std::mem::replace(&mut of_metric.is_said, true) {
                warn_later(format_args!(
                    "metric `{}`, recorded at {}, has more than {} series; the next ones are summed up in one \
                     tagged otel.metric.overflow=true",
                    site.name,
                    site.place(),
                    self.settings.max_series
                ));
            }
            tags = &[OVERFLOW];
            let overflow = Key { tags, ..*key };
            hash = self.hash(&overflow);
            if let Some(series) = find(&named, hash, &overflow) {
                return series;
            }
        } else {
            of_metric.live += 1;
        }
        let mut own = Tags::new();
        for (k, v) in tags {
            let _ = own.insert((*k).to_owned(), (*v).to_owned());
        }
        let shape = Shape {
            bounds: bounds_of(site, viewed.buckets().unwrap_or(bounds)),
            max_buckets: viewed.max_buckets(),
            is_dropped: viewed.is_dropped(),
        };
        let series = Arc::new(Series::new(site.kind, identity(site, viewed, own), shape, &self.clock, began));
        named.by_hash.entry(hash).or_default().push(Arc::clone(&series));
        named.all += 1;
        series
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        self.hasher.hash_one((key.kind, key.level, key.name, key.tags))
    }

    fn named(&self) -> RwLockReadGuard<'_, Named> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    if first.bounds != site.bounds && !site.bounds.is_empty() {
        differs("buckets", &format!("{:?}", first.bounds), &format!("{:?}", site.bounds));
    }
    if first.description != site.description && !site.description.is_empty() {
        differs("description", first.description, site.description);
    }
}

/// The bounds that a histogram's declaration or a view chose; none where they are wrong.
fn bounds_of(site: &Site, list: &[f64]) -> Option<Bounds> {
    let bounds = Bounds::new(if site.kind == CellKind::Histogram { list } else { &[] });
    bounds.unwrap_or_else(|e| {
        warn_later(format_args!(
            "metric `{}`: its buckets {list:?} at {} are refused: {e}; it has exponential ones",
            site.name,
            site.place()
        ));
        None
    })
}

fn find(named: &Named, hash: u64, key: &Key<'_>) -> Option<Arc<Series>> {
    named.by_hash.get(&hash)?.iter().find(|series| key.is(series)).cloned()
}

fn identity(site: &Site, viewed: &Viewed<'_>, tags: Tags) -> Identity {
    Identity {
        name: viewed.name().unwrap_or(&site.name).clone(),
        kind: site.kind.kind(),
        unit: site.unit.into(),
        description: viewed.description().cloned().unwrap_or_else(|| site.description.into()),
        tags,
        level: site.level,
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
