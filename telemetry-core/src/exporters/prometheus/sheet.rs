//! What stays the same from one page to the next: which families there are, what stands before their series, and the labels of
//! each series. It is made of a snapshot, and made anew where there are other series; what is known of those that stay is
//! taken over, what belongs to others is let go.
//!
//! It holds no more than a page does.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::draft::Draft;
use super::family::Family;
use super::form::{Dialect, Escaping};
use super::labels::{Common, Labels};
use super::notices::Notices;
use super::settings::Settings;
use super::target;
use crate::metrics::Snapshot;
use crate::model::{Identity, Metric, MetricValue, Resource};

/// One for each way in which names are written.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) dialect: Dialect,
    pub(super) escaping: Escaping,
    pub(super) has_created: bool,
    /// Of whose snapshot it was made.
    resource: Arc<Resource>,
    seen: Vec<Arc<Identity>>,
    /// The metric whose labels are the attributes of the resource, whole.
    pub(super) target: Vec<u8>,
    pub(super) families: Vec<Family>,
    /// By family, and in each of them by name and tags.
    pub(super) rows: Vec<Row>,
    /// The labels of all rows.
    pub(super) labels: Vec<u8>,
    /// How many series can't stand beside the others.
    pub(super) left_out: u64,
}

/// A series on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its place in the snapshot.
    pub(super) at: u32,
    pub(super) shape: Shape,
    /// Where its labels stand.
    pub(super) from: u32,
    pub(super) to: u32,
    /// A name of its labels is another one than its tag has.
    pub(super) is_translated: bool,
}

/// What is written of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Number,
    /// By which of the family's bounds.
    Histogram(u16),
}

impl Row {
    pub(super) fn labels<'a>(&self, of: &'a [u8]) -> &'a [u8] {
        &of[self.from as usize..self.to as usize]
    }
}

impl Sheet {
    /// For what a snapshot has, with what can be taken over from an earlier one.
    pub(super) fn new(
        settings: &Settings,
        (dialect, escaping): (Dialect, Escaping),
        snapshot: &Snapshot,
        before: Option<&Self>,
        notices: &mut Notices,
    ) -> Self {
        let metrics = snapshot.metrics();
        let resource = snapshot.resource();
        let mut names = Labels::new(settings.translation, escaping, dialect);
        let target = if settings.has_target_info { target::info(&mut names, resource) } else { Vec::new() };
        settings.common(resource).for_each(|common: Common| names.add_common(common));
        let known = Known::new(before.filter(|before| before.resource == *resource), metrics);
        let mut draft = Draft::new(names, known, settings.max_bytes, notices);
        draft.add(metrics, settings.has_target_info);
        let (families, rows, labels, left_out) = draft.finish(metrics);
        let seen = metrics.iter().map(|metric| Arc::clone(&metric.identity)).collect();
        let resource = Arc::clone(resource);
        let has_created = settings.has_created;
        Self { dialect, escaping, has_created, resource, seen, target, families, rows, labels, left_out }
    }

    /// Whether it is what a snapshot needs.
    pub(super) fn fits(&mut self, snapshot: &Snapshot) -> bool {
        let metrics = snapshot.metrics();
        let resource = snapshot.resource();
        if self.seen.len() != metrics.len()
            || !(Arc::ptr_eq(&self.resource, resource) || self.resource == *resource)
        {
            return false;
        }
        let is_same = self.seen.iter_mut().zip(metrics.iter()).all(|(seen, metric)| {
            if Arc::ptr_eq(seen, &metric.identity) {
                return true;
            }
            let is_equal = *seen == metric.identity;
            if is_equal {
                *seen = Arc::clone(&metric.identity);
            }
            is_equal
        });
        is_same && self.families.iter().all(|family| self.suits(family, metrics))
    }

    fn suits(&self, family: &Family, metrics: &[Metric]) -> bool {
        self.rows[family.rows.clone()].iter().all(|row| match (row.shape, &metrics[row.at as usize].value) {
            (Shape::Number, MetricValue::Number(_)) => true,
            (Shape::Histogram(ladder), MetricValue::Histogram(histogram)) => {
                family.ladders[usize::from(ladder)].suits(histogram)
            }
            _ => false,
        })
    }
}

/// What an earlier sheet knows of the series of a snapshot.
pub(super) struct Known<'a> {
    before: Option<&'a Sheet>,
    /// The row that each series had, by its place in the snapshot.
    rows: Vec<Option<&'a Row>>,
    /// Of what each family was made.
    owners: HashMap<&'a str, &'a Identity>,
}

impl<'a> Known<'a> {
    fn new(before: Option<&'a Sheet>, metrics: &[Metric]) -> Self {
        let Some(sheet) = before else { return Self { before, rows: Vec::new(), owners: HashMap::new() } };
        let owners = sheet.families.iter().map(|family| (&*family.name, &*family.owner)).collect();
        let mut by_place = vec![None; sheet.seen.len()];
        sheet.rows.iter().for_each(|row| by_place[row.at as usize] = Some(row));
        let key = |id: &'a Identity| (&*id.name, id.kind, &id.tags);
        let mut at = 0;
        let rows = metrics.iter().map(|metric| {
            // Both are sorted in the same way.
            while let Some(seen) = sheet.seen.get(at)
                && !Arc::ptr_eq(seen, &metric.identity)
                && key(seen) < (&*metric.identity.name, metric.identity.kind, &metric.identity.tags)
            {
                at += 1;
            }
            let is_same = sheet.seen.get(at).is_some_and(|seen| Arc::ptr_eq(seen, &metric.identity));
            if is_same { by_place[at] } else { None }
        });
        Self { before, rows: rows.collect(), owners }
    }

    /// The labels that were written of the series in that place.
    pub(super) fn labels(&self, at: usize, is_histogram: bool) -> Option<(&'a [u8], bool)> {
        let row = (*self.rows.get(at)?)?;
        let was_histogram = row.shape != Shape::Number;
        (was_histogram == is_histogram).then_some(())?;
        Some((row.labels(&self.before?.labels), row.is_translated))
    }

    /// Whether a family of that name was made of that metric.
    pub(super) fn is_owner(&self, name: &str, of: &Identity) -> bool {
        let owner = self.owners.get(name);
        owner.is_some_and(|owner| (&owner.name, owner.kind) == (&of.name, of.kind))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_none()
    }
}

/// The series in these places of a snapshot.
pub(super) type Run = Range<usize>;
