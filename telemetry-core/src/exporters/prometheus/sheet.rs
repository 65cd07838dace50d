//! What stays the same from one page to the next: which families there are, what stands before their series, and the labels of
//! each series. It is made of a snapshot, and made anew where there are other series; what is known of those that stay is
//! taken over, what belongs to others is let go.
//!
//! It holds no more than a page does.

use std::sync::Arc;

use super::family::Family;
use super::form::{Dialect, Escaping};
use crate::metrics::Snapshot;
use crate::model::{Identity, Metric, MetricValue, Resource};

/// One for each way in which names are written.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) dialect: Dialect,
    pub(super) escaping: Escaping,
    pub(super) has_created: bool,
    /// Of whose snapshot it was made.
    pub(super) resource: Arc<Resource>,
    pub(super) seen: Vec<Arc<Identity>>,
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
