//! Of which type the values of a metric are: it keeps one wherever it is exported.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::model::{Metric, MetricValue, Number};

/// What was read so far of a metric, which all of its series share.
#[derive(Debug, Default)]
pub(crate) struct Width {
    /// One was a float: from then on all are.
    has_floats: AtomicBool,
    /// One was above `i64::MAX`.
    is_beyond_int: AtomicBool,
}

impl Width {
    /// Something was read. Whether that changes the type of what was read before.
    pub(crate) fn note(&self, number: Number) -> bool {
        let seen = match number {
            Number::Int(_) => return false,
            Number::Uint(_) => &self.is_beyond_int,
            Number::Float(_) => &self.has_floats,
        };
        !seen.load(Relaxed) && !seen.swap(true, Relaxed)
    }

    /// Gives a data point the type of its metric.
    pub(crate) fn put_on(&self, metric: &mut Metric) {
        if let MetricValue::Number(number) = &mut metric.value {
            metric.is_beyond_int = self.is_beyond_int.load(Relaxed);
            if self.has_floats.load(Relaxed) {
                *number = number.to_float();
            }
        }
    }
}
