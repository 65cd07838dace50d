//! Series by their names, and what is known of metrics. It makes none.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tracing_core::Level;

use crate::metrics::series::{Series, Width};
use crate::metrics::site::{CellKind, Site};
use crate::model::Text;

#[derive(Default)]
pub(super) struct Index {
    /// Beside it series are owned by sites with a number, and by readings: in their order, or where they have not seen them yet.
    by_hash: HashMap<u64, OfHash>,
    pub(super) all: usize,
    /// Series that are over and not forgotten yet.
    pub(super) over: usize,
    /// Nobody reads what begins from now on.
    pub(super) is_closed: bool,
    pub(super) per_metric: HashMap<(CellKind, Text), PerMetric>,
    /// The site that was the first to name a metric.
    pub(super) declared: HashMap<Text, Site>,
}

/// Series whose names have one hash.
enum OfHash {
    One(Arc<Series>),
    /// Hardly ever, so that this takes no room beside.
    Many(Box<[Arc<Series>]>),
}

const _: () = assert!(size_of::<OfHash>() == 2 * size_of::<usize>(), "there are as many as series");

impl OfHash {
    fn all(&self) -> &[Arc<Series>] {
        match self {
            Self::One(series) => std::slice::from_ref(series),
            Self::Many(all) => all,
        }
    }

    fn add(&mut self, another: Arc<Series>) {
        let all = self.all().iter().cloned().chain([another]);
        *self = Self::Many(all.collect());
    }

    /// Lets go of those that nobody else has, and nobody can get now; how many these are, and whether others are left.
    fn forget(&mut self) -> (usize, bool) {
        match self {
            Self::One(series) => {
                let is_gone = Arc::get_mut(series).is_some();
                (usize::from(is_gone), !is_gone)
            }
            Self::Many(all) => {
                let many = all.len();
                let mut left = std::mem::take(all).into_vec();
                left.retain_mut(|series| Arc::get_mut(series).is_none());
                *all = left.into();
                (many - all.len(), !all.is_empty())
            }
        }
    }
}

#[derive(Default)]
pub(super) struct PerMetric {
    /// Its series that are not over.
    pub(super) live: usize,
    /// Somebody was told that it has too many.
    pub(super) is_said: bool,
    /// Of which type its values are.
    pub(super) width: Arc<Width>,
    /// That of its first series.
    unit: Option<&'static str>,
}

impl PerMetric {
    /// A series of it has that unit.
    pub(super) fn note_unit(&mut self, unit: &'static str) {
        if *self.unit.get_or_insert(unit) != unit {
            self.width.note_units();
        }
    }
}

impl Index {
    /// Forgets series that nobody else has, and what was known of their metrics.
    pub(super) fn forget(&mut self) {
        let mut gone = 0;
        self.by_hash.retain(|_, series| {
            let (many, are_left) = series.forget();
            gone += many;
            are_left
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

    /// The series of that name.
    pub(super) fn find(&self, hash: u64, key: &Key<'_>) -> Option<Arc<Series>> {
        self.by_hash.get(&hash)?.all().iter().find(|series| key.is(series)).cloned()
    }

    /// Takes one that is not there.
    pub(super) fn add(&mut self, hash: u64, series: Arc<Series>) {
        match self.by_hash.entry(hash) {
            Entry::Occupied(mut others) => others.get_mut().add(series),
            Entry::Vacant(place) => drop(place.insert(OfHash::One(series))),
        }
        self.all += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_hash.values().flat_map(OfHash::all)
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
    fn is(&self, series: &Series) -> bool {
        let id = &*series.identity;
        series.kind == self.kind
            && id.level == self.level
            && id.name == self.name
            && id.tags.iter().eq(self.tags.iter().copied())
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::metrics::{Settings, Table};

    #[test]
    fn names_with_one_hash_are_told_apart_and_forgotten_one_by_one() {
        let settings = Settings {
            min_level: None,
            max_series: 10,
            max_bytes: 1 << 20,
            max_text: 1 << 13,
            expiration: None,
            callback_timeout: Duration::from_secs(5),
        };
        let table = Table::new(Arc::new(Clock::manual(&ManualClock::new(1))), settings, Vec::new());
        let site = Site::new(CellKind::Counter, "m", &[]).unnumbered();
        let mut all =
            ["a", "b", "c"].map(|value| Some(table.names.series(&site, &[("k", value)], table.now())));
        // Nobody else has them then.
        drop(table);
        let mut index = Index::default();
        all.iter().flatten().for_each(|series| index.add(7, Arc::clone(series)));
        let find = |index: &Index, value: &str| {
            index.find(7, &Key { kind: CellKind::Counter, name: "m", level: None, tags: &[("k", value)] })
        };
        for gone in 0..=all.len() {
            all.iter_mut().take(gone).for_each(|series| *series = None);
            index.forget();
            for (at, value) in ["a", "b", "c", "d"].into_iter().enumerate() {
                let found = find(&index, value).map(|series| series.identity.tags.to_string());
                let is_there = gone <= at && at < all.len();
                assert_eq!(found, is_there.then(|| format!("k: {value}")), "{gone} are gone");
            }
            assert_eq!((index.all, index.iter().count()), (all.len() - gone, all.len() - gone));
        }
    }
}
