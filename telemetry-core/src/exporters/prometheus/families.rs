//! Which families a page has, and which metrics stand in them. Metrics come in, in the order in which a page shows them, and are put
//! into families in which all can stand beside each other. A page that Prometheus would refuse is never made of them: what can't
//! stand there is left out, counted, and that is said once.
//!
//! Who has a name keeps it as long as he is there, whoever comes before him later.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Metric Metadata": no two comments of a kind for one
//! name, and the metric whose type is another one is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use super::family::{Class, Family};
use super::form::Dialect;
use super::labels::{Labels, Written};
use super::units::Unit;
use super::{names, target};
use crate::metrics::PointRef;
use crate::model::{Identity, Kind, Text};
use crate::text::Clean;

/// All of them.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) all: Vec<Family>,
    by_name: HashMap<String, Place>,
    pub(super) metrics: Vec<Shown>,
    /// Those of each name, whatever they are called on the page.
    by_metric: HashMap<Text, Vec<usize>>,
}

/// Which family has a name, and which names it has beside.
#[derive(Clone, Copy, Debug)]
struct Place {
    class: Class,
    /// Among all; none of [`target`].
    at: Option<usize>,
}

/// A metric on the page.
#[derive(Debug)]
pub(super) struct Shown {
    /// Of its first series.
    id: Arc<Identity>,
    is_histogram: bool,
    /// None where it can't stand beside the others.
    pub(super) family: Option<usize>,
    /// By which plans labels of its series are written; the last one comes first.
    pub(super) plans: Vec<usize>,
    /// What is not shown of it beside the others, and why.
    pub(super) notice: Option<Box<str>>,
    /// It has series on the page that is written now.
    pub(super) is_there: bool,
}

impl Shown {
    /// Whether a point is of that metric.
    fn has(&self, point: &PointRef<'_>) -> bool {
        let (one, other) = (&*self.id, &**point.identity);
        let kinds = one.kind == other.kind && self.is_histogram == point.is_histogram();
        kinds && one.name == other.name && one.unit == other.unit
    }
}

/// What a metric is called on the page.
struct Named {
    name: String,
    class: Class,
    unit: String,
}

impl Families {
    pub(super) fn new(dialect: Dialect, has_target: bool) -> Self {
        let (all, metrics, by_metric) = Default::default();
        let mut by_name = HashMap::new();
        if has_target {
            let (name, class) = target::family(dialect);
            by_name.insert(name.to_owned(), Place { class, at: None });
        }
        Self { all, by_name, metrics, by_metric }
    }

    /// The metric of a point, most likely that one.
    pub(super) fn metric(&mut self, point: &PointRef<'_>, likely: usize, labels: &Labels) -> Found {
        if self.metrics.get(likely).is_some_and(|shown| shown.has(point)) {
            return Found { at: likely, is_changed: false };
        }
        let known = self.by_metric.get(&point.identity.name).into_iter().flatten();
        if let Some(at) = known.copied().find(|at| self.metrics[*at].has(point)) {
            return Found { at, is_changed: false };
        }
        let (at, is_changed) = (self.metrics.len(), self.add(point, labels));
        Found { at, is_changed }
    }

    /// Takes a metric; whether that changed what stands before a family that was there.
    fn add(&mut self, point: &PointRef<'_>, labels: &Labels) -> bool {
        let (id, mut is_changed, mut notice) = (point.identity, false, None);
        let named = named(point, labels);
        let family = if let Some((other, class)) = self.rival(&named, labels.dialect) {
            notice = Some(format!(
                "the {} `{}` is left out of the page for Prometheus: `{}` is another metric there, of type {}",
                id.kind.name(),
                Clean(&id.name),
                Clean(&other),
                class.name()
            ));
            None
        } else if let Some(Place { at: Some(at), .. }) = self.by_name.get(&named.name) {
            match self.all[*at].join(id, labels.dialect) {
                Ok(changes) => is_changed = changes,
                Err(why) => notice = Some(why),
            }
            Some(*at)
        } else {
            let at = self.all.len();
            self.by_name.insert(named.name.clone(), Place { class: named.class, at: Some(at) });
            self.all.push(Family::new(id, named.name, named.class, named.unit, labels.dialect));
            Some(at)
        };
        family.into_iter().for_each(|at| self.all[at].metrics.push(self.metrics.len()));
        let (is_histogram, plans, notice) = (point.is_histogram(), Vec::new(), notice.map(Into::into));
        self.by_metric.entry(id.name.clone()).or_default().push(self.metrics.len());
        self.metrics.push(Shown { id: Arc::clone(id), is_histogram, family, plans, notice, is_there: false });
        is_changed
    }

    /// What is there already that a family would be taken for, or that would be taken for a part of it.
    fn rival(&self, named: &Named, dialect: Dialect) -> Option<(String, Class)> {
        if let Some(place) = self.by_name.get(&named.name) {
            let is_other = place.class != named.class || place.at.is_none();
            return is_other.then(|| (named.name.clone(), place.class));
        }
        for suffix in ["_bucket", "_count", "_sum", "_created", "_total", "_info"] {
            if let Some(base) = named.name.strip_suffix(suffix)
                && let Some(place) = self.by_name.get(base)
                && place.class.suffixes(dialect).contains(&suffix)
            {
                return Some((base.to_owned(), place.class));
            }
        }
        named.class.suffixes(dialect).iter().find_map(|suffix| {
            let longer = format!("{}{suffix}", named.name);
            let place = self.by_name.get(&longer)?;
            Some((longer, place.class))
        })
    }

    /// Labels of a metric are written by a plan for the first time: from now on its family is looked through for series with the
    /// same labels, if there can be such. Whether that is new.
    pub(super) fn note_plan(
        &mut self,
        metric: usize,
        labels: &Labels,
        Written { plan, .. }: Written,
    ) -> bool {
        let Some(at) = self.metrics[metric].family.filter(|at| !self.all[*at].may_have_twins) else {
            return false;
        };
        let is_known = |other: &usize| {
            let mut plans = self.metrics[*other].plans.iter();
            plans.any(|known| (*known != plan || *other != metric) && labels.may_be_equal(*known, plan))
        };
        let may = labels.is_joined(plan) || self.all[at].metrics.iter().any(is_known);
        self.all[at].may_have_twins = may;
        may
    }

    /// A page begins.
    pub(super) fn begin(&mut self, are_plans_gone: bool) {
        for shown in &mut self.metrics {
            shown.is_there = false;
            if are_plans_gone {
                shown.plans.clear();
            }
        }
        self.all.iter_mut().for_each(Family::begin);
    }

    /// A page is written: metrics that are not on it are forgotten. Whether others can have their names now, or have lost what they
    /// had of them.
    pub(super) fn end(&mut self) -> bool {
        if self.metrics.iter().all(|shown| shown.is_there) {
            return false;
        }
        let mut stays: Vec<bool> = vec![false; self.all.len()];
        for shown in &self.metrics {
            let owned = shown.family.filter(|at| self.all[*at].is_owner(&shown.id));
            owned.into_iter().for_each(|at| stays[at] |= shown.is_there);
        }
        let mut next = 0;
        let moved: Vec<Option<usize>> = stays
            .iter()
            .map(|stays| {
                next += usize::from(*stays);
                stays.then(|| next - 1)
            })
            .collect();
        let mut at = 0;
        self.all.retain(|_| {
            at += 1;
            stays[at - 1]
        });
        let mut is_other = false;
        self.metrics.retain_mut(|shown| {
            let family = shown.family.and_then(|at| moved[at]);
            let keep = shown.is_there && family.is_some();
            is_other |= shown.is_there && !keep;
            shown.family = family;
            keep
        });
        self.by_name.retain(|_, place| match &mut place.at {
            None => true,
            Some(at) => moved[*at].inspect(|new| *at = *new).is_some(),
        });
        self.by_metric.clear();
        self.all.iter_mut().for_each(|family| family.metrics.clear());
        for (at, shown) in self.metrics.iter().enumerate() {
            self.by_metric.entry(shown.id.name.clone()).or_default().push(at);
            shown.family.into_iter().for_each(|family| self.all[family].metrics.push(at));
        }
        is_other
    }
}

/// Where a metric stands among all, and whether what stands before a family is another text now.
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) is_changed: bool,
}

fn named(point: &PointRef<'_>, labels: &Labels) -> Named {
    let id = point.identity;
    let kind = match (id.kind, point.is_histogram()) {
        // One value of a distribution, made by hand, can't be added up.
        (Kind::Histogram, false) => Kind::Gauge,
        (_, true) => Kind::Histogram,
        (kind, false) => kind,
    };
    let unit = Unit::of(&id.unit);
    let Labels { translation, escaping, dialect, .. } = *labels;
    let mut name = names::metric(translation, escaping, &id.name, &unit, kind);
    let class = match kind {
        Kind::Counter if dialect != Dialect::OpenMetrics => Class::Counter,
        Kind::Counter if name.ends_with("_total") && name.len() > "_total".len() => {
            name.truncate(name.len() - "_total".len());
            Class::Counter
        }
        Kind::Counter => Class::Unknown,
        Kind::UpDownCounter | Kind::Gauge => Class::Gauge,
        Kind::Histogram => Class::Histogram,
    };
    Named { name, class, unit: unit.word(kind).to_owned() }
}
