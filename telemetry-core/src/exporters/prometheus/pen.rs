//! What a series is written with, and what became of it.

use super::labels::{Labels, Written};
use super::line::Line;
use crate::metrics::PointRef;

/// What a series is written with.
pub(super) struct Pen<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Where what is short is put together.
    pub(super) line: &'a mut Line,
    pub(super) labels: &'a mut Labels,
    /// The plans that its metric has for its labels.
    pub(super) plans: &'a mut Vec<usize>,
    pub(super) counts: &'a mut Vec<u64>,
    pub(super) has_created: bool,
}

impl Pen<'_> {
    /// Writes the labels. Where they are on the page.
    #[inline]
    pub(super) fn put_labels(&mut self, point: &PointRef<'_>) -> Labelled {
        let from = self.out.len();
        let tags = point.identity.tags.in_bytes();
        let by = self.labels.put(self.out, self.line, &tags, point.is_histogram(), self.plans);
        Labelled { from, to: self.out.len(), by }
    }
}

/// The labels of a series on the page.
#[derive(Clone, Copy)]
pub(super) struct Labelled {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) by: Written,
}

/// What became of a series.
pub(super) enum Put {
    Done(Labelled),
    /// That form has no way to write its value.
    NotThere,
    /// No form has.
    NoWay,
}
