//! Snapshots write over the data points of the one before, which saves most of what it takes to make one.

use std::sync::Arc;

use crate::model::Metric;

/// What the last snapshot was given: the next one takes its place, unless somebody still has it.
pub(super) struct Shown {
    metrics: Arc<Vec<Metric>>,
    /// Of these the ones that have names of their own.
    others: Vec<usize>,
}

impl Shown {
    pub(super) fn new(metrics: Arc<Vec<Metric>>, others: Vec<usize>) -> Self {
        Self { metrics, others }
    }

    /// Those in the order of series. None where somebody else has them.
    pub(super) fn into_points(self) -> Vec<Metric> {
        let mut metrics = Arc::into_inner(self.metrics).unwrap_or_default();
        let (mut at, mut others) = (0, self.others.into_iter().peekable());
        if others.peek().is_some() {
            metrics.retain(|_| {
                let is_other = others.next_if_eq(&at).is_some();
                at += 1;
                !is_other
            });
        }
        metrics
    }
}
