//! Which series a name, a level and tags stand for: made where it is missing, within the cardinality limits (of each
//! metric, and of all).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::index::{Index, Key};
use super::unread::Unread;
use crate::clock::Clock;
use crate::diagnostics::{say_late, warn_once};
use crate::metrics::memory::{For, Held, Memory};
use crate::metrics::series::{
    Epoch, History, OVERFLOW, Series, SeriesOptions, TOO_MANY, View, Viewed, Views, Width,
};
use crate::metrics::site::{Bounds, CellKind, Site};
use crate::model::{Identity, Tags, Text, cut, valid_tag_key};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, read, write};

/// All series of one collector by their names, made where they are missing.
pub(super) struct Names {
    clock: Arc<Clock>,
    pub(super) views: Views,
    /// A metric has at most so many of them.
    max_series: usize,
    /// Longer descriptions are cut.
    max_text: usize,
    memory: Arc<Memory>,
    index: RwLock<Index>,
    pub(super) unread: Unread,
    hasher: RandomState,
    /// How often there was no memory for a series.
    summed_up: AtomicU64,
}

/// Where a series has its place.
enum Place<'k> {
    /// It is one that is there.
    Known(Arc<Series>),
    /// Hash and tags of one to be made.
    New(u64, &'k [(&'k str, &'k str)], Held),
    /// That of all metrics beyond the limits.
    Rest,
}

impl Names {
    /// None yet, of at most `max_series` for each metric, with descriptions of at most `max_text` bytes; they will be kept in
    /// that memory.
    pub(super) fn new(
        clock: Arc<Clock>,
        views: Vec<View>,
        [max_series, max_text]: [usize; 2],
        memory: Arc<Memory>,
    ) -> Self {
        let (views, index, unread) = (Views::new(views), RwLock::default(), Unread::default());
        let (hasher, summed_up) = (RandomState::new(), AtomicU64::new(0));
        Self { clock, views, max_series, max_text, memory, index, unread, hasher, summed_up }
    }

    pub(super) fn summed_up(&self) -> u64 {
        self.summed_up.load(Relaxed)
    }

    /// The series of a site and more tags, made where it is missing; it then began at `began`.
    pub(super) fn series(&self, site: &Site, tags: &[(&str, &str)], began: Epoch) -> Arc<Series> {
        let viewed = self.views.of(&site.name);
        let mut sorted = [("", ""); Tags::MAX];
        let mut len = 0;
        let (mut unfit, mut long) = (None, None);
        let mut put = |key, tag| {
            if !viewed.takes_tag(key) {
                return;
            }
            if !are_short(&[(key, tag)]) {
                long = Some(key);
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
        if long.is_some() && !are_short(tags) {
            return self.series_of_long(site, tags, began);
        }
        // A tag that a static has can't be cut.
        if let Some(key) = unfit.or(long) {
            warn_once(format_args!(
                "metric `{}`: its tag `{key}` is left out: it is no tag key, too long, or one of more than {}",
                site.name,
                Tags::MAX
            ));
        }
        // One series is enough for what nobody wants.
        let tags = if viewed.is_dropped() { &[] } else { &sorted[..len] };
        let name = cut::name(viewed.name().unwrap_or(&site.name));
        let key = Key { kind: site.kind, name: &name, level: site.level, tags };
        let hash = self.hash(&key);
        let index = self.read();
        let known = index.find(hash, &key);
        let first = index.declared.get(&cut::name(&site.name));
        first.into_iter().for_each(|first| compare(first, site));
        drop(index);
        known.unwrap_or_else(|| self.create(site, &viewed, hash, &key, began))
    }

    /// A metric of that name whose values callbacks give, and of which type they are.
    pub(super) fn declare(&self, site: &Site, name: &Text) -> Arc<Width> {
        let mut index = self.write();
        let declared = cut::kept_name(site.name.clone());
        match index.declared.get(&declared) {
            Some(first) => compare(first, site),
            None => drop(index.declared.insert(declared.clone(), site.declaration(declared))),
        }
        Arc::clone(&index.per_metric.entry((site.kind, name.clone())).or_default().width)
    }

    /// A finished point, made at that place, which passes by the series. Instruments may have its name.
    pub(super) fn compare_point(&self, point: &Identity, place: &Location<'_>) {
        let index = self.read();
        let Some(first) = index.declared.get(&point.name) else { return };
        let place = format!("{}:{}", place.file(), place.line());
        if first.kind.kind() != point.kind {
            return say_differs(first, KIND, first.kind.kind().name(), point.kind.name(), &place);
        }
        if *first.unit != *point.unit && !point.unit.is_empty() {
            say_differs(first, UNIT, first.unit, &point.unit, &place);
        }
    }

    /// The same with tags that are too long.
    #[cold]
    fn series_of_long(&self, site: &Site, tags: &[(&str, &str)], began: Epoch) -> Arc<Series> {
        let cut: Vec<_> = tags.iter().map(|(key, value)| (cut::name(key), cut::name(value))).collect();
        let cut: Vec<(&str, &str)> = cut.iter().map(|(key, value)| (&**key, &**value)).collect();
        self.series(site, &cut, began)
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
        if let Some(series) = index.find(hash, key) {
            return series;
        }
        if !valid_tag_key(&site.name) {
            warn_once(format_args!(
                "`{}` is no metric name (letters, digits and `. - _ /` only); backends may refuse it",
                site.name
            ));
        }
        let (hash, tags, held) = match self.place(&index, site, hash, key) {
            Place::Known(series) => return series,
            Place::Rest => {
                drop(index);
                return self.series(&Site::new(site.kind, TOO_MANY, &[]).unnumbered(), &[], began);
            }
            Place::New(hash, tags, held) => (hash, tags, held),
        };
        let declared = cut::kept_name(site.name.clone());
        if declared != TOO_MANY && !index.declared.contains_key(&declared) {
            index.declared.insert(declared.clone(), site.declaration(declared.clone()));
        }
        let first = index.declared.get(&declared).filter(|_| !site.is_function());
        let first = first.filter(|first| first.kind == site.kind);
        let bounds = first.map_or(site.bounds, |first| first.bounds);
        let declares = |of: fn(&Site) -> &'static str| {
            first.map(of).filter(|text| !text.is_empty()).unwrap_or_else(|| of(site))
        };
        let (unit, description) = (declares(|site| site.unit), declares(|site| site.description));
        let of_metric = index.per_metric.entry((site.kind, key.name.to_owned().into())).or_default();
        let width = Arc::clone(&of_metric.width);
        width.note_level(site.level);
        of_metric.note_unit(unit);
        let is_many = of_metric.live >= self.max_series;
        of_metric.live += usize::from(tags != [OVERFLOW]);
        if is_many && !std::mem::replace(&mut of_metric.is_said, true) {
            warn_once(format_args!(
                "metric `{}`, recorded at {}, has more than {} series; the next ones are summed up in one \
                 tagged otel.metric.overflow=true",
                site.name,
                site.place(),
                self.max_series
            ));
        }
        let mut own = Tags::new();
        for (k, v) in tags {
            let _ = own.insert((*k).to_owned(), (*v).to_owned());
        }
        let options = SeriesOptions {
            bounds: bounds_of(site, viewed.buckets().unwrap_or(bounds)),
            max_buckets: viewed.max_buckets(),
            is_dropped: viewed.is_dropped(),
            declared,
        };
        let mut identity = identity(site, viewed, own);
        identity.unit = unit.into();
        if viewed.description().is_none() {
            identity.description = description.into();
        }
        let identity = identity.shortened(self.max_text);
        let now = self.clock.now();
        let series = Arc::new(Series::new(site.kind, identity, options, now, held));
        index.add(hash, Arc::clone(&series));
        self.unread.add(Arc::clone(&series), History::new(width, began, now));
        let is_late = index.is_closed;
        drop(index);
        if is_late {
            say_late();
        }
        series
    }

    /// Where a series has its place that is not there yet: its own, else in that of all of its metric beyond the limits, else
    /// in that of all metrics.
    fn place<'k>(&self, index: &Index, site: &Site, hash: u64, key: &Key<'k>) -> Place<'k> {
        let is_rest = site.name == TOO_MANY && key.tags.is_empty();
        if index.all >= MOST && !is_rest {
            warn_once(format_args!(
                "there are {MOST} series; those of further metrics are summed up in `{TOO_MANY}`"
            ));
            return Place::Rest;
        }
        let of_metric = index.per_metric.get(&(site.kind, Text::Owned(key.name.to_owned())));
        if of_metric.is_none_or(|of_metric| of_metric.live < self.max_series) {
            let what = if is_rest { For::Rest } else { For::Series };
            if let Some(held) = self.memory.hold(least_bytes(key), what) {
                return Place::New(hash, key.tags, held);
            }
            self.say_full();
        }
        let overflow = Key { tags: &[OVERFLOW], ..*key };
        let hash = self.hash(&overflow);
        if let Some(series) = index.find(hash, &overflow) {
            return Place::Known(series);
        }
        // A metric without a series gets none for all of them.
        if of_metric.is_none() {
            return Place::Rest;
        }
        self.memory.hold(least_bytes(&overflow), For::Overflow).map_or_else(
            || {
                self.say_full();
                Place::Rest
            },
            |held| Place::New(hash, overflow.tags, held),
        )
    }

    fn say_full(&self) {
        if self.summed_up.fetch_add(1, Relaxed) == 0 {
            warn_once(format_args!(
                "metric series take `metrics_bytes` ({}); further ones are summed up, in one of their metric tagged \
                 otel.metric.overflow=true or in `{TOO_MANY}`",
                self.memory.max()
            ));
        }
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

/// Whether none of these texts has to be cut.
pub(super) fn are_short(tags: &[(&str, &str)]) -> bool {
    tags.iter().all(|(key, value)| key.len().max(value.len()) <= cut::MAX_NAME)
}

/// The least that a series of that name takes.
fn least_bytes(key: &Key<'_>) -> usize {
    let tags = key.tags.iter().map(|(key, value)| key.len() + value.len() + size_of::<(Text, Text)>());
    Series::least_bytes(key.kind, 2 * key.name.len() + tags.sum::<usize>())
}

/// More series than that are not made, whatever their metrics: names too may be made up without end.
const MOST: usize = 100_000;

/// Says, once, that two places declare one metric differently. What the first one said counts, and both are
/// recorded; of two kinds both are exported.
fn compare(first: &Site, site: &Site) {
    let differs = |what, one: &str, other: &str| say_differs(first, what, one, other, &site.place());
    if first.kind != site.kind {
        // What else it says counts for those of its kind.
        return differs(KIND, first.kind.kind().name(), site.kind.kind().name());
    }
    if first.unit != site.unit && !site.unit.is_empty() {
        differs(UNIT, first.unit, site.unit);
    }
    if first.bounds != site.bounds && !site.bounds.is_empty() && !site.is_function() {
        differs("buckets are", &format!("{:?}", first.bounds), &format!("{:?}", site.bounds));
    }
    if first.description != site.description && !site.description.is_empty() {
        differs("description is", first.description, site.description);
    }
}

const KIND: &str = "kind is";
const UNIT: &str = "unit is";

fn say_differs(first: &Site, what: &str, one: &str, other: &str, place: &dyn std::fmt::Display) {
    warn_once(format_args!(
        "metric `{}`: its {what} `{one}` at {} and `{other}` at {place}; {}",
        first.name,
        first.place(),
        if what == KIND { "both are exported" } else { "the first counts" }
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
