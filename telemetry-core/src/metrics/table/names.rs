//! Which series a name, a level and tags stand for: made where it is missing, within the cardinality limits (of each
//! metric, and of all).

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::panic::Location;
use std::sync::Arc;

use tracing_core::Level;

use crate::clock::Clock;
use crate::diagnostics::{say_late, warn_once};
use crate::metrics::series::{Epoch, OVERFLOW, Series, SeriesOptions, TOO_MANY, View, Viewed, Views, Width};
use crate::metrics::site::{Bounds, CellKind, Site};
use crate::model::{Identity, Tags, Text, valid_tag_key};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, read, write};

/// All series of one collector by their names, made where they are missing.
pub(super) struct Names {
    clock: Arc<Clock>,
    pub(super) views: Views,
    max_series: usize,
    index: RwLock<Index>,
    hasher: RandomState,
}

#[derive(Default)]
pub(super) struct Index {
    /// The only ones that own series, beside sites with a number and threads that have cells of them.
    pub(super) by_hash: HashMap<u64, Vec<Arc<Series>>>,
    pub(super) all: usize,
    /// Series that are over and not forgotten yet.
    pub(super) over: usize,
    /// Nobody reads what begins from now on.
    pub(super) is_closed: bool,
    pub(super) per_metric: HashMap<(CellKind, Text), PerMetric>,
    /// The site that was the first to name a metric.
    pub(super) declared: HashMap<Text, Site>,
}

#[derive(Default)]
pub(super) struct PerMetric {
    /// Its series that are not over.
    pub(super) live: usize,
    /// Somebody was told that it has too many.
    pub(super) is_said: bool,
    /// Of which type its values are.
    pub(super) width: Arc<Width>,
}

impl Index {
    /// Forgets series that nobody else has, of those for which `is_over` holds, and what was known of their metrics.
    pub(super) fn forget(&mut self, is_over: impl Fn(&mut Series) -> bool) {
        let mut gone = 0;
        self.by_hash.retain(|_, series| {
            // Nobody else has it, and nobody can get it now.
            series.retain_mut(|series| {
                let keep = Arc::get_mut(series).is_none_or(|series| !is_over(series));
                gone += usize::from(!keep);
                keep
            });
            !series.is_empty()
        });
        if gone == 0 {
            return;
        }
        self.all -= gone;
        self.over = self.over.saturating_sub(gone);
        let left: HashSet<Text> =
            self.iter().flat_map(|s| [s.declared.clone(), s.identity.name.clone()]).collect();
        self.declared.retain(|name, _| left.contains(name));
        self.per_metric.retain(|(_, name), of_metric| of_metric.live > 0 || left.contains(name));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_hash.values().flatten()
    }

    pub(super) fn live(&mut self, series: &Series) -> &mut usize {
        &mut self.per_metric.entry((series.kind, series.identity.name.clone())).or_default().live
    }
}

/// What names a series, borrowed. Tags are sorted, each key once.
pub(super) struct Key<'a> {
    pub(super) kind: CellKind,
    pub(super) name: &'a str,
    pub(super) level: Option<Level>,
    pub(super) tags: &'a [(&'a str, &'a str)],
}

impl Key<'_> {
    pub(super) fn is(&self, series: &Series) -> bool {
        let id = &*series.identity;
        series.kind == self.kind
            && id.level == self.level
            && id.name == self.name
            && id.tags.iter().eq(self.tags.iter().copied())
    }
}

impl Names {
    /// None yet; a metric has at most `max_series` of them.
    pub(super) fn new(clock: Arc<Clock>, views: Vec<View>, max_series: usize) -> Self {
        let (index, hasher) = (RwLock::default(), RandomState::new());
        Self { clock, views: Views::new(views), max_series, index, hasher }
    }

    /// The series of a site and more tags, made where it is missing; it then began at `began`.
    pub(super) fn series(&self, site: &Site, tags: &[(&str, &str)], began: Epoch) -> Arc<Series> {
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
            warn_once(format_args!(
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
        let index = self.read();
        let known = find(&index, hash, &key);
        index.declared.get(&site.name).into_iter().for_each(|first| compare(first, site));
        drop(index);
        known.unwrap_or_else(|| self.create(site, &viewed, hash, &key, began))
    }

    /// A metric of that name whose values callbacks give, and of which type they are.
    pub(super) fn declare(&self, site: &Site, name: &Text) -> Arc<Width> {
        let mut index = self.write();
        match index.declared.get(&site.name) {
            Some(first) => compare(first, site),
            None => drop(index.declared.insert(site.name.clone(), site.copy())),
        }
        Arc::clone(&index.per_metric.entry((site.kind, name.clone())).or_default().width)
    }

    /// A finished point, made at that place, which passes by the series. Instruments may have its name.
    pub(super) fn compare_point(&self, point: &Identity, place: &Location<'_>) {
        let index = self.read();
        let Some(first) = index.declared.get(&point.name) else { return };
        let place = format!("{}:{}", place.file(), place.line());
        if first.kind.kind() != point.kind {
            say_differs(first, "kind", first.kind.kind().name(), point.kind.name(), &place);
        }
        if *first.unit != *point.unit && !point.unit.is_empty() {
            say_differs(first, "unit", first.unit, &point.unit, &place);
        }
    }

    #[cold]
    fn create(
        &self,
        site: &Site,
        viewed: &Viewed<'_>,
        hash: u64,
        key: &Key<'_>,
        began: Epoch,
    ) -> Arc<Series> {
        let mut index = self.write();
        if let Some(series) = find(&index, hash, key) {
            return series;
        }
        if !valid_tag_key(&site.name) {
            warn_once(format_args!(
                "`{}` is no metric name (letters, digits and `. - _ /` only); backends may refuse it",
                site.name
            ));
        }
        if index.all >= MOST && site.name != TOO_MANY {
            warn_once(format_args!(
                "there are {MOST} series; those of further metrics are summed up in `{TOO_MANY}`"
            ));
            drop(index);
            let rest = Site::new(site.kind, TOO_MANY, &[]).unnumbered();
            return self.series(&rest, &[], began);
        }
        if !index.declared.contains_key(&site.name) {
            index.declared.insert(site.name.clone(), site.copy());
        }
        let first = index.declared.get(&site.name).filter(|_| !site.is_function());
        let bounds = first.map_or(site.bounds, |first| first.bounds);
        let of_metric = index.per_metric.entry((site.kind, key.name.to_owned().into())).or_default();
        let width = Arc::clone(&of_metric.width);
        let (mut hash, mut tags) = (hash, key.tags);
        if of_metric.live >= self.max_series {
            if !std::mem::replace(&mut of_metric.is_said, true) {
                warn_once(format_args!(
                    "metric `{}`, recorded at {}, has more than {} series; the next ones are summed up in one \
                     tagged otel.metric.overflow=true",
                    site.name,
                    site.place(),
                    self.max_series
                ));
            }
            tags = &[OVERFLOW];
            let overflow = Key { tags, ..*key };
            hash = self.hash(&overflow);
            if let Some(series) = find(&index, hash, &overflow) {
                return series;
            }
        } else {
            of_metric.live += 1;
        }
        let mut own = Tags::new();
        for (k, v) in tags {
            let _ = own.insert((*k).to_owned(), (*v).to_owned());
        }
        let options = SeriesOptions {
            bounds: bounds_of(site, viewed.buckets().unwrap_or(bounds)),
            max_buckets: viewed.max_buckets(),
            is_dropped: viewed.is_dropped(),
            declared: site.name.clone(),
            width,
        };
        let series =
            Arc::new(Series::new(site.kind, identity(site, viewed, own), options, &self.clock, began));
        index.by_hash.entry(hash).or_default().push(Arc::clone(&series));
        index.all += 1;
        let is_late = index.is_closed;
        drop(index);
        if is_late {
            say_late();
        }
        series
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        self.hasher.hash_one((key.kind, key.level, key.name, key.tags))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Index> {
        read(&self.index)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        write(&self.index)
    }
}

/// More series than that are not made, whatever their metrics: names too may be made up without end.
const MOST: usize = 100_000;

/// Says, once, that two places declare one metric differently. What the first one said counts, and both are
/// recorded.
fn compare(first: &Site, site: &Site) {
    let differs = |what, one: &str, other: &str| say_differs(first, what, one, other, &site.place());
    if first.kind != site.kind {
        differs("kind", first.kind.kind().name(), site.kind.kind().name());
    }
    if first.unit != site.unit && !site.unit.is_empty() {
        differs("unit", first.unit, site.unit);
    }
    if first.bounds != site.bounds && !site.bounds.is_empty() && !site.is_function() {
        differs("buckets", &format!("{:?}", first.bounds), &format!("{:?}", site.bounds));
    }
    if first.description != site.description && !site.description.is_empty() {
        differs("description", first.description, site.description);
    }
}

fn say_differs(first: &Site, what: &str, one: &str, other: &str, place: &dyn std::fmt::Display) {
    warn_once(format_args!(
        "metric `{}`: its {what} is `{one}` at {} and `{other}` at {place}; the first counts",
        first.name,
        first.place()
    ));
}

/// The bounds that a histogram's declaration or a view chose; none where they are wrong.
fn bounds_of(site: &Site, list: &[f64]) -> Option<Bounds> {
    let bounds = Bounds::new(if site.kind == CellKind::Histogram { list } else { &[] });
    bounds.unwrap_or_else(|e| {
        warn_once(format_args!(
            "metric `{}`: its buckets {list:?} at {} are refused: {e}; it has exponential ones",
            site.name,
            site.place()
        ));
        None
    })
}

fn find(index: &Index, hash: u64, key: &Key<'_>) -> Option<Arc<Series>> {
    index.by_hash.get(&hash)?.iter().find(|series| key.is(series)).cloned()
}

pub(super) fn identity(site: &Site, viewed: &Viewed<'_>, tags: Tags) -> Identity {
    Identity {
        name: viewed.name().unwrap_or(&site.name).clone(),
        kind: site.kind.kind(),
        unit: site.unit.into(),
        description: viewed.description().cloned().unwrap_or_else(|| site.description.into()),
        tags,
        level: site.level,
    }
}
