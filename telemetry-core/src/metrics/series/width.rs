//! Of which type the values of a metric are: it keeps one wherever it is exported.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use tracing_core::Level;

use crate::model::{Metric, MetricValue, Number};

/// What was read so far of a metric, which all of its series share.
#[derive(Debug, Default)]
pub(crate) struct Width {
    /// One was a float: from then on all are.
    has_floats: AtomicBool,
    /// One was above `i64::MAX`.
    is_beyond_int: AtomicBool,
    /// The levels of its series, a bit for each.
    levels: AtomicU8,
    /// Some have another unit than others.
    has_units: AtomicBool,
}

impl Width {
    /// There is a series of that level.
    pub(crate) fn note_level(&self, level: Option<Level>) {
        let bit = match level {
            None => 0,
            Some(Level::ERROR) => 1,
            Some(Level::WARN) => 2,
            Some(Level::INFO) => 3,
            Some(Level::DEBUG) => 4,
            Some(Level::TRACE) => 5,
        };
        self.levels.fetch_or(1 << bit, Relaxed);
    }

    /// Whether there are, or were, series of different levels.
    pub(crate) fn has_levels(&self) -> bool {
        self.levels.load(Relaxed).count_ones() > 1
    }

    /// There are series of different units.
    pub(crate) fn note_units(&self) {
        self.has_units.store(true, Relaxed);
    }

    /// Whether there are, or were.
    #[cfg(feature = "prometheus")]
    pub(crate) fn has_units(&self) -> bool {
        self.has_units.load(Relaxed)
    }

    /// Something was read. Whether that changes the type of what was read before.
    pub(crate) fn note(&self, number: Number) -> bool {
        let seen = match number {
            Number::Int(_) => return false,
            Number::Uint(_) => &self.is_beyond_int,
            Number::Float(_) => &self.has_floats,
        };
        !seen.load(Relaxed) && !seen.swap(true, Relaxed)
    }

    /// A value of the type of its metric, and whether there was one above `i64::MAX`.
    #[inline]
    pub(crate) fn of(&self, value: MetricValue) -> (MetricValue, bool) {
        match value {
            MetricValue::Number(number) => {
                let number = if self.has_floats.load(Relaxed) { number.to_float() } else { number };
                (MetricValue::Number(number), self.is_beyond_int.load(Relaxed))
            }
            histogram @ MetricValue::Histogram(_) => (histogram, false),
        }
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
