//! The buckets that cells have: exponential ones of a fixed scale, which are found by integer arithmetic, or some with bounds
//! that somebody chose.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::metrics::site::Bounds;
use crate::model::Buckets;

/// What counts for buckets with those bounds say.
pub(super) fn chosen(bounds: Bounds, counts: &[AtomicU64]) -> Buckets {
    let counts = counts.iter().take(bounds.list.len() + 1).map(|n| n.load(Relaxed));
    Buckets::Explicit { bounds: bounds.list.to_vec(), counts: counts.collect() }
}
