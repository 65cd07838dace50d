//! Exemplars: single measurements that a histogram keeps, with the span that they were made in.

use crate::clock::system_unix_nanos;
use crate::model::{Exemplar, HistogramValue};
use crate::thread::kept_span;

/// Of the values of a bucket each one with such a distance to the last is looked at whether it is an exemplar.
pub(super) const EXEMPLARS_APART: u64 = 64;

/// That value, where this thread is in a span that is kept, of a layer that feeds that collector.
#[cold]
pub(super) fn exemplar(value: f64, collector: u64) -> Option<Exemplar> {
    let (trace_id, span_id) = kept_span(collector)?;
    Some(Exemplar { value, time_unix_nano: system_unix_nanos(), trace_id, span_id })
}

/// Adds more, of which the newest ones stay.
pub(super) fn keep_last(exemplars: &mut Vec<Exemplar>, more: &[Exemplar]) {
    exemplars.extend(more);
    exemplars.drain(..exemplars.len().saturating_sub(HistogramValue::MAX_EXEMPLARS));
}
