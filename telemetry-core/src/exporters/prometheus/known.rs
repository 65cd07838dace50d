//! What an earlier sheet knows of the series of a snapshot: labels that are written need not be written again, and a family
//! stays with whom it was made of.

use std::collections::HashMap;
use std::sync::Arc;

use super::sheet::{Row, Shape, Sheet};
use crate::model::{Identity, Metric};

/// What an earlier sheet knows of the series of a snapshot.
pub(super) struct Known<'a> {
    before: Option<&'a Sheet>,
    /// The row that each series had, by its place in the snapshot.
    rows: Vec<Option<&'a Row>>,
    /// Of what each family was made.
    owners: HashMap<&'a str, &'a Identity>,
}

impl<'a> Known<'a> {
    /// Nothing, where there is none.
    pub(super) fn new(before: Option<&'a Sheet>, metrics: &[Metric]) -> Self {
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
