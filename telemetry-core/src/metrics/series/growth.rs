//! Sums that only grow.

use crate::diagnostics::warn_once;
use crate::metrics::cell::Total;
use crate::model::{Identity, Kind, Number};

/// What becomes of a sum that only grows and is too large for the numbers that there are: it begins anew, within the same
/// life, so that nobody takes what it was before for something else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growth {
    /// What the last reading gave.
    given: u64,
    /// None of nearly all.
    begun_anew: Option<Box<BegunAnew>>,
}

#[derive(Clone, Debug)]
struct BegunAnew {
    /// What it had reached each time.
    taken_off: i128,
    /// When it last was, in nanoseconds since the Unix epoch.
    began: u64,
}

/// The greatest sum that there is a number for.
const MOST: i128 = u64::MAX as i128;

impl Growth {
    /// A reading of a sum of that series, and when the one before was, in nanoseconds since the Unix epoch. What one reading
    /// can't give the next ones do.
    pub(crate) fn read(&mut self, of: &Identity, sum: Total, last: u64) {
        if of.kind != Kind::Counter || sum.floats.is_some() {
            return;
        }
        if sum.whole - self.taken_off() > MOST {
            let taken_off = self.taken_off() + i128::from(self.given);
            self.begun_anew = Some(BegunAnew { taken_off, began: last }.into());
            warn_once(format_args!("metric `{}`: a sum has grown beyond {MOST}, and begins anew", of.name));
        }
        if self.owes(sum) {
            warn_once(format_args!(
                "metric `{}`: a sum grows by more than {MOST} from one reading to the next; what one can't give the next \
                 ones do, and what is beyond the last one is lost",
                of.name
            ));
        }
        self.given = (sum.whole - self.taken_off()).clamp(0, MOST) as u64;
    }

    /// A reading of a sum that only grows, and was never too large.
    #[inline]
    pub(super) fn give(&mut self, whole: i64) {
        self.given = u64::try_from(whole).unwrap_or_default();
    }

    /// Whether it never began anew.
    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.begun_anew.is_none()
    }

    /// Whether the last reading could not give all: the series is not idle before one can.
    pub(crate) fn owes(&self, sum: Total) -> bool {
        sum.floats.is_none() && sum.whole - self.taken_off() > MOST
    }

    /// What it had reached each time.
    pub(crate) fn taken_off(&self) -> i128 {
        self.begun_anew.as_ref().map_or(0, |anew| anew.taken_off)
    }

    /// When it last began anew, in nanoseconds since the Unix epoch.
    pub(crate) fn began(&self) -> Option<u64> {
        self.begun_anew.as_ref().map(|anew| anew.began)
    }

    /// What is left of it.
    pub(crate) fn left(&self, sum: Total) -> Number {
        Total { whole: sum.whole - self.taken_off(), ..sum }.number()
    }
}
