//! A sheet while it is made: runs of series that belong to one metric come in, and are put into families in which all can stand
//! beside each other. A page that Prometheus would refuse is never made of them: what can't stand there is left out, counted,
//! and that is said once.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Metric Metadata": no two comments of a kind for one
//! name, and the metric whose type is another one is dropped.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::Arc;

use super::family::{About, Class, Family, Starts, head};
use super::form::Dialect;
use super::known::Known;
use super::labels::Labels;
use super::ladder::Ladder;
use super::notices::Notices;
use super::sheet::{Row, Shape};
use super::units::{Powers, Unit};
use super::{names, target};
use crate::model::{Buckets, Identity, Kind, Metric, MetricValue, Temporality};
use crate::text::Clean;

/// The series in these places of a snapshot.
type Run = Range<usize>;

/// A sheet while it is made.
pub(super) struct Draft<'a> {
    labels: Labels,
    known: Known<'a>,
    notices: &'a mut Notices,
    max_bytes: usize,
    families: Vec<Open>,
    by_name: HashMap<String, Place>,
    left_out: u64,
}

/// Which family has a name, and which names it has beside.
#[derive(Clone, Copy)]
struct Place {
    class: Class,
    /// Among all; none of [`target`].
    at: Option<usize>,
}

/// A family whose series are not written yet.
struct Open {
    owner: Arc<Identity>,
    name: String,
    class: Class,
    unit: String,
    description: String,
    runs: Vec<Run>,
    /// It is made of several metrics, whose series may have the same labels.
    is_mixed: bool,
}

/// Series that follow each other and are of one metric.
struct Named {
    run: Run,
    name: String,
    class: Class,
    unit: String,
}

impl<'a> Draft<'a> {
    pub(super) fn new(labels: Labels, known: Known<'a>, max_bytes: usize, notices: &'a mut Notices) -> Self {
        let (families, by_name) = Default::default();
        Self { labels, known, notices, max_bytes, families, by_name, left_out: 0 }
    }

    /// Puts the series of a snapshot into families.
    pub(super) fn add(&mut self, metrics: &[Metric], has_target: bool) {
        if has_target {
            let (name, class) = target::family(self.labels.dialect);
            self.by_name.insert(name.to_owned(), Place { class, at: None });
        }
        let mut all: Vec<Named> = runs(metrics).map(|run| self.named(run, metrics)).collect();
        if !self.known.is_empty() {
            // Who has a name keeps it, whoever comes before him now.
            all.sort_by_cached_key(|named| {
                !self.known.is_owner(&named.name, &metrics[named.run.start].identity)
            });
        }
        all.into_iter().for_each(|named| self.place(named, metrics));
        self.families.iter_mut().for_each(|family| family.runs.sort_by_key(|run| run.start));
        self.families.sort_by_key(|family| family.runs[0].start);
    }

    fn named(&self, run: Run, metrics: &[Metric]) -> Named {
        let metric = &metrics[run.start];
        let id = &metric.identity;
        let kind = match (id.kind, metric.histogram()) {
            // One value of a distribution, made by hand, can't be added up.
            (Kind::Histogram, None) => Kind::Gauge,
            (_, Some(_)) => Kind::Histogram,
            (kind, None) => kind,
        };
        let unit = Unit::of(&id.unit);
        let Labels { translation, escaping, dialect, .. } = self.labels;
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
        Named { run, name, class, unit: unit.word(kind).to_owned() }
    }

    fn place(&mut self, named: Named, metrics: &[Metric]) {
        let id = &metrics[named.run.start].identity;
        if let Some(other) = self.rival(&named) {
            self.notices.say(format_args!(
                "the {} `{}` is left out of the page for Prometheus: `{}` is another metric there, of type {}",
                id.kind.name(),
                Clean(&id.name),
                Clean(&other.0),
                other.1.name()
            ));
            self.left_out += named.run.len() as u64;
            return;
        }
        if let Some(Place { at: Some(at), .. }) = self.by_name.get(&named.name) {
            return self.families[*at].join(named, id, self.notices);
        }
        let at = Some(self.families.len());
        self.by_name.insert(named.name.clone(), Place { class: named.class, at });
        self.families.push(Open {
            owner: Arc::clone(id),
            name: named.name,
            class: named.class,
            unit: named.unit,
            description: id.description.clone().into_owned(),
            runs: vec![named.run],
            is_mixed: false,
        });
    }

    /// What is there already that a family would be taken for, or that would be taken for a part of it.
    fn rival(&self, named: &Named) -> Option<(String, Class)> {
        let dialect = self.labels.dialect;
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

    /// Families, their series, the labels of these, and how many were left out.
    pub(super) fn finish(mut self, metrics: &[Metric]) -> (Vec<Family>, Vec<Row>, Vec<u8>, u64) {
        let mut done = Done { rows: Vec::with_capacity(metrics.len()), labels: Vec::new(), left_out: 0 };
        let mut families = Vec::with_capacity(self.families.len());
        for open in std::mem::take(&mut self.families) {
            let from = done.rows.len();
            let ladders = self.write(&open, metrics, &mut done);
            let dialect = self.labels.dialect;
            let about = About { description: &open.description, unit: &open.unit };
            if done.rows.len() > from {
                families.push(Family {
                    head: head(open.class, &open.name, &about, dialect),
                    starts: Starts::new(open.class, &open.name, dialect),
                    owner: open.owner,
                    name: open.name,
                    class: open.class,
                    rows: from..done.rows.len(),
                    ladders,
                });
            }
        }
        (families, done.rows, done.labels, self.left_out + done.left_out)
    }

    /// The series of a family.
    fn write(&mut self, open: &Open, metrics: &[Metric], done: &mut Done) -> Vec<Ladder> {
        let mut ladders: Vec<Ladder> = Vec::new();
        let mut twins = Twins { first: done.rows.len(), known: None };
        let (mut plan, mut may_be_twins) = (None, open.is_mixed);
        let mut has_translated = false;
        for at in open.runs.iter().cloned().flatten() {
            let metric = &metrics[at];
            let Some(shape) = shape(metric, open, &mut ladders) else {
                done.leave_out(metric, "its values can't be shown there", self.notices);
                continue;
            };
            let from = done.labels.len();
            let is_histogram = open.class == Class::Histogram;
            let known = self.known.labels(at, is_histogram);
            let (is_translated, is_new_plan) = if let Some((labels, is_translated)) = known {
                done.labels.extend_from_slice(labels);
                (is_translated, true)
            } else {
                let tags = metric.identity.tags.iter();
                let is_translated = self.labels.put(&mut done.labels, tags, is_histogram);
                let plans = self.labels.plans();
                (is_translated, plan.replace(plans).is_some_and(|before| before != plans))
            };
            has_translated |= is_translated;
            // Of the same keys only the same values make the same labels, and these are one series.
            may_be_twins |= has_translated && is_new_plan;
            let to = done.labels.len();
            let why = if to > self.max_bytes {
                "it would become too large"
            } else if may_be_twins && twins.is_twin(done, from..to) {
                "another series has the same name and labels there"
            } else {
                let (at, from, to) = (at as u32, from as u32, to as u32);
                done.rows.push(Row { at, shape, from, to, is_translated });
                continue;
            };
            done.labels.truncate(from);
            done.leave_out(metric, why, self.notices);
        }
        ladders
    }
}

impl Open {
    /// Takes the series of another metric.
    fn join(&mut self, named: Named, id: &Arc<Identity>, notices: &mut Notices) {
        self.is_mixed |= self.owner.name != id.name || self.owner.kind != id.kind;
        if self.description.is_empty() {
            self.description = id.description.clone().into_owned();
        } else if !id.description.is_empty() && self.description != id.description {
            notices.say(format_args!(
                "on the page for Prometheus `{}` has one description of two: that of `{}` is not shown",
                Clean(&self.name),
                Clean(&id.name)
            ));
        }
        self.runs.push(named.run);
    }
}

/// What is written so far.
struct Done {
    rows: Vec<Row>,
    labels: Vec<u8>,
    left_out: u64,
}

impl Done {
    fn leave_out(&mut self, metric: &Metric, why: &str, notices: &mut Notices) {
        self.left_out += 1;
        notices.say(format_args!(
            "a series of `{}` is left out of the page for Prometheus: {why}",
            Clean(&metric.identity.name)
        ));
    }
}

/// Finds series of a family that have the same labels. It looks from the first one on whose labels are not its tags.
struct Twins {
    /// The family's first row.
    first: usize,
    known: Option<(RandomState, HashMap<u64, usize>)>,
}

impl Twins {
    /// Whether a row has these labels, which are about to be another one's.
    fn is_twin(&mut self, done: &Done, labels: Run) -> bool {
        if self.known.is_none() {
            self.known = Some(Default::default());
            for row in self.first..done.rows.len() {
                self.find(done, done.rows[row].labels(&done.labels), row);
            }
        }
        self.find(done, &done.labels[labels], done.rows.len()).is_some()
    }

    /// The row that has them; if none has, this one has them from now on.
    fn find(&mut self, done: &Done, labels: &[u8], row: usize) -> Option<usize> {
        let (state, known) = self.known.as_mut()?;
        let mut hash = state.hash_one(labels);
        loop {
            match known.get(&hash) {
                None => {
                    known.insert(hash, row);
                    return None;
                }
                Some(other) if done.rows[*other].labels(&done.labels) == labels => return Some(*other),
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }
}

/// Neighbours that are of one metric.
fn runs(metrics: &[Metric]) -> impl Iterator<Item = Run> {
    let is_same = |a: &Metric, b: &Metric| {
        let (one, other) = (&a.identity, &b.identity);
        let kinds = one.kind == other.kind && a.histogram().is_some() == b.histogram().is_some();
        kinds && is_equal(&one.name, &other.name) && is_equal(&one.unit, &other.unit)
    };
    let mut from = 0;
    metrics.chunk_by(is_same).map(move |run| {
        let run = from..from + run.len();
        from = run.end;
        run
    })
}

/// Names of series of one metric are mostly one static text, at which nobody has to look.
fn is_equal(a: &str, b: &str) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// What is written of a series; none where it can't be.
fn shape(metric: &Metric, open: &Open, ladders: &mut Vec<Ladder>) -> Option<Shape> {
    let MetricValue::Histogram(histogram) = &metric.value else {
        let is_delta = metric.temporality == Temporality::Delta && open.class != Class::Gauge;
        return (!is_delta).then_some(Shape::Number);
    };
    if metric.temporality == Temporality::Delta {
        return None;
    }
    if let Some(at) = ladders.iter().position(|ladder| ladder.suits(histogram)) {
        return Some(Shape::Histogram(at as u16));
    }
    let ladder = match &histogram.buckets {
        // Of one family all have the same bounds.
        Buckets::Exponential { .. } => Ladder::of_powers(Powers::of(&open.owner.unit)),
        Buckets::Explicit { bounds, .. } => Ladder::of_bounds(bounds)?,
    };
    let at = u16::try_from(ladders.len()).ok()?;
    ladders.push(ladder);
    Some(Shape::Histogram(at))
}
