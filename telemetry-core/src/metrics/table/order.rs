//! The order in which snapshots show series: by name and kind of their metric, and those of one metric as they were made. It is kept
//! from one reading to the next, and of what is new only the metrics are compared.
//!
//! Where series of a metric may differ only in level, they are in the order of their tags: such series follow each other then.
//!
//! What comes in are series that were made since the last reading; what goes out is which one comes after which, and
//! which of them differ only in level. It reads no values.

use std::ops::Range;
use std::sync::Arc;

use super::sorted::{compare, compare_metrics, interleave, key};
use crate::metrics::series::{History, Series};

/// All series that readings have seen.
#[derive(Default)]
pub(super) struct Order {
    places: Vec<Place>,
    metrics: Vec<Group>,
}

/// Where a series stands.
pub(super) struct Place {
    pub(super) series: Arc<Series>,
    pub(super) history: History,
    /// It differs from the one before only in level.
    pub(super) joins: bool,
    /// It is where its tags belong, if its metric is mixed.
    is_sorted: bool,
}

/// The series of one metric.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) places: Range<usize>,
    /// Some of them may differ only in level.
    pub(super) is_mixed: bool,
}

impl Order {
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn places_mut(&mut self) -> &mut [Place] {
        &mut self.places
    }

    /// All series, by metric.
    #[cfg(feature = "prometheus")]
    pub(super) fn by_metric(&mut self) -> (&mut [Place], &[Group]) {
        (&mut self.places, &self.metrics)
    }

    /// Takes new ones, which know where they stand among themselves.
    pub(super) fn extend(&mut self, mut new: Vec<Place>) {
        if new.is_empty() {
            return;
        }
        let are_sorted = new.is_sorted_by(|a, b| by_metric(a, b).is_le());
        if !are_sorted {
            new.sort_by(by_metric);
        }
        let mut known = std::mem::take(&mut self.places);
        // From there on they stand elsewhere than they know.
        let mut from = 0;
        if known.is_empty() {
            new.shrink_to_fit();
            self.places = new;
            from = if are_sorted { self.places.len() } else { 0 };
        } else if by_metric(&known[known.len() - 1], &new[0]).is_le() {
            from = known.len();
            known.reserve_exact(new.len());
            known.append(&mut new);
            self.places = known;
        } else {
            self.places.reserve_exact(known.len() + new.len());
            let is_before = |a: &Place, b: &Place| by_metric(a, b).is_le();
            interleave(known, new, is_before, |place, _| self.places.push(place));
        }
        self.group();
        self.number(from);
        let is_mixed = |group: &&Group| group.is_mixed;
        for Group { places, .. } in self.metrics.iter().filter(is_mixed) {
            let of_metric = &mut self.places[places.clone()];
            if of_metric.iter().all(|place| place.is_sorted) {
                continue;
            }
            of_metric.sort_by(|a, b| compare(&a.series.identity, &b.series.identity));
            for at in 0..of_metric.len() {
                of_metric[at].joins = at > 0 && is_same(&of_metric[at - 1], &of_metric[at]);
                of_metric[at].is_sorted = true;
                of_metric[at].series.set_place(places.start + at);
            }
        }
    }

    /// Lets go of those for which `is_left` holds.
    pub(super) fn release(&mut self, is_left: impl Fn(&Place) -> bool) {
        let known = self.places.len();
        let mut is_headless = false;
        self.places.retain_mut(|place| {
            is_headless &= place.joins;
            let keep = !is_left(place);
            if keep {
                place.joins &= !std::mem::take(&mut is_headless);
            } else {
                is_headless |= !place.joins;
            }
            keep
        });
        if self.places.len() < known {
            self.group();
            self.number(0);
        }
    }

    /// Finds out which of them are of one metric.
    fn group(&mut self) {
        self.metrics.clear();
        let mut from = 0;
        for same in self.places.chunk_by(|a, b| by_metric(a, b).is_eq()) {
            let first = &same[0].history;
            // Of two kinds of cells both may have the same tags.
            let is_mixed = same.len() > 1
                && (first.has_levels() || same.iter().any(|one| !one.history.is_of_metric(first)));
            self.metrics.push(Group { places: from..from + same.len(), is_mixed });
            from += same.len();
        }
    }

    /// Tells those from there on where they stand.
    fn number(&self, from: usize) {
        self.places.iter().enumerate().skip(from).for_each(|(at, place)| place.series.set_place(at));
    }
}

impl Place {
    /// Of a series that no reading has seen.
    pub(super) fn new(series: Arc<Series>, history: History) -> Self {
        Self { series, history, joins: false, is_sorted: false }
    }

    /// Which one is that of a series, if it is among these.
    pub(super) fn find(series: &Arc<Series>, places: &[Self]) -> Option<usize> {
        let at = series.place();
        places.get(at).is_some_and(|place| Arc::ptr_eq(&place.series, series)).then_some(at)
    }
}

#[inline]
fn by_metric(a: &Place, b: &Place) -> std::cmp::Ordering {
    if a.history.is_of_metric(&b.history) {
        return std::cmp::Ordering::Equal;
    }
    compare_metrics(&a.series.identity, &b.series.identity)
}

fn is_same(a: &Place, b: &Place) -> bool {
    key(&a.series.identity) == key(&b.series.identity)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;
    use tracing_core::Level;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::metrics::{CellKind, Settings, Site, Table};
    #[cfg(feature = "prometheus")]
    use crate::model::{Identity, Metric, MetricValue, Resource};
    use crate::model::{Kind, Number, Tags};

    fn table() -> (ManualClock, Table) {
        let hands = ManualClock::new(1_000_000);
        let settings = Settings {
            min_level: None,
            max_series: 10_000,
            max_bytes: 1 << 30,
            max_text: 1 << 13,
            expiration: Some(Duration::from_secs(10)),
            callback_timeout: Duration::from_secs(5),
        };
        let table = Table::new(Arc::new(Clock::manual(&hands)), settings, Vec::new());
        (hands, table)
    }

    /// Short ones with ends that are hard to tell apart, and long ones of which only the end differs.
    fn text() -> impl Strategy<Value = String> {
        let end = prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', '\u{ff}']), 0..4);
        (prop::sample::select(vec![0, 1, 13, 14, 15, 16, 29, 30, 31]), end)
            .prop_map(|(len, end)| "a".repeat(len) + &end.into_iter().collect::<String>())
    }

    #[cfg(feature = "prometheus")]
    type Point = (Arc<Identity>, Option<u64>, MetricValue);

    /// What somebody sees who looks at data points where they are read.
    #[cfg(feature = "prometheus")]
    #[derive(Default)]
    struct Seen(Vec<Point>);

    #[cfg(feature = "prometheus")]
    impl crate::metrics::Visit for Seen {
        fn begin(&mut self, _resource: &Arc<Resource>, _points: usize) {
            self.0.clear();
        }

        fn metric(&mut self) {}

        fn visit(&mut self, point: &crate::metrics::PointRef<'_>) {
            self.0.push((Arc::clone(point.identity), point.start_time_unix_nano, point.value.clone()));
        }

        fn end(&mut self) -> bool {
            true
        }
    }

    /// What is recorded, and whether a reading comes after it, one that ends series or one that does not.
    type Step = ((usize, usize), Vec<(usize, String)>, usize, Option<bool>);

    fn step() -> impl Strategy<Value = Step> {
        let tags = prop::collection::vec((0..4_usize, text()), 0..3);
        ((0..3_usize, 0..3_usize), tags, 0..4_usize, prop::option::weighted(0.1, any::<bool>()))
    }

    proptest! {
        #[test]
        fn metrics_are_sorted_and_levels_are_one_however_series_come_and_go(steps in prop::collection::vec(step(), 1..80)) {
            const NAMES: [&str; 3] = ["m", "m-", "m.mean_rate"];
            const KEYS: [&str; 4] = ["k", "k1", "k.2", "l"];
            const LEVELS: [Option<Level>; 4] = [None, Some(Level::ERROR), Some(Level::INFO), Some(Level::TRACE)];
            const KINDS: [CellKind; 3] = [CellKind::Counter, CellKind::UpDownCounter, CellKind::Meter];
            let (hands, table) = table();
            let mut counted: BTreeMap<(String, Kind, Tags), f64> = BTreeMap::new();
            table.observe(&Site::new(CellKind::Counter, "m", &[("k", "a")]), || Number::Int(7));
            let of_callback = ("m".to_owned(), Kind::Counter, Tags::parse("k: a").unwrap());
            counted.insert(of_callback.clone(), 7.0);
            for ((name, kind), tags, level, reading) in steps {
                let mut site = Site::new(KINDS[kind], NAMES[name], &[]).unnumbered();
                site.level = LEVELS[level];
                let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (KEYS[*key], &**value)).collect();
                table.record(&site, &tags, Number::Int(1));
                let mut all = Tags::new();
                tags.iter().for_each(|(key, value)| all.insert((*key).to_owned(), (*value).to_owned()).unwrap());
                *counted.entry((NAMES[name].into(), KINDS[kind].kind(), all)).or_default() += 1.0;
                match reading {
                    None => {}
                    Some(false) => drop(table.read()),
                    Some(true) => {
                        table.read();
                        hands.advance(Duration::from_secs(20));
                        let reading = || table.read_levels(table.ask_callbacks(), true).merged(|_| true);
                        // The last one before they are over.
                        reading();
                        // A sum that may shrink stays, unless it is 0, and so does what a callback gives.
                        counted.retain(|key, _| key.1 == Kind::UpDownCounter || *key == of_callback);
                        let left = reading().iter().filter(|metric| metric.identity.kind != Kind::Gauge).count();
                        prop_assert_eq!(left, counted.len());
                    }
                }
            }
            let read = table.read();
            prop_assert!(read.is_sorted_by(|a, b| compare_metrics(&a.identity, &b.identity).is_le()), "{read:?}");
            #[cfg(feature = "prometheus")]
            {
                let points = |metric: &Metric| (metric.identity.clone(), metric.start_time_unix_nano, metric.value.clone());
                let is_summed = |point: &Point| point.0.kind != Kind::Gauge;
                let all: Vec<Point> = read.iter().map(points).filter(is_summed).collect();
                let mut seen = Seen::default();
                table.visit(&Arc::new(Resource::new(Tags::new(), "x").unwrap()), &mut seen);
                prop_assert!(seen.0.is_sorted_by(|a, b| compare_metrics(&a.0, &b.0).is_le()), "{:?}", seen.0);
                // Those of one metric that have come together from several origins may stand in another order.
                let sorted = |mut of: Vec<Point>| {
                    of.retain(is_summed);
                    of.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
                    of
                };
                let of = |points: &[Point]| points.iter().map(|(id, start, value)| (id.name.clone(), id.kind, id.tags.clone(), *start, value.clone())).collect::<Vec<_>>();
                prop_assert_eq!(of(&sorted(seen.0)), of(&sorted(all)));
            }
            let summed = read.iter().filter(|metric| metric.identity.kind != Kind::Gauge);
            let summed = summed.map(|m| ((m.identity.name.to_string(), m.identity.kind, m.identity.tags.clone()), m.number().as_f64()));
            prop_assert_eq!(summed.collect::<BTreeMap<_, _>>(), counted);
        }
    }
}
