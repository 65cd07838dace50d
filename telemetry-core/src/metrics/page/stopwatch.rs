//! A running measurement: two words, which stay in registers.

use std::num::NonZeroU64;

use super::current::{CurrentPage, LeaseId};
use crate::clock::{Clock, Tick, machine};
use crate::metrics::cell::LocalHistogram;

/// Since when something runs, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    lease: LeaseId,
    /// A reading of the machine's counter, or of the collector's clock where its lease is [`LeaseId::by_clock`].
    at: u64,
}

impl Stopwatch {
    pub(crate) const FOR_NOBODY: Self = Self { lease: LeaseId(NonZeroU64::MIN), at: 0 };

    /// Now, if the current collector of this thread measures by the machine's counter.
    #[inline]
    pub(crate) fn now() -> Option<Self> {
        let lease = CurrentPage::get().timed?;
        Some(Self { lease, at: machine::read_counter() })
    }

    /// Now, for the collector with that number, of which this thread has no page yet. It reads the machine's counter too, where
    /// that is the collector's clock: so a span that opens next begins with the same reading.
    pub(crate) fn without_page(collector: u64, clock: &Clock) -> Option<Self> {
        if clock.is_system() && machine::counter_seconds().is_some() {
            return Some(Self { lease: LeaseId::without_page(collector)?, at: machine::read_counter() });
        }
        Some(Self { lease: LeaseId::by_clock(collector)?, at: clock.now().raw() })
    }

    #[inline]
    pub(crate) fn is_for_nobody(self) -> bool {
        self.lease == Self::FOR_NOBODY.lease
    }

    /// The number of the collector that it is for.
    pub(crate) fn collector(self) -> u64 {
        self.lease.collector()
    }

    /// The reading of the machine's counter with which it began.
    #[inline]
    pub(crate) fn counter(self) -> Option<u64> {
        (!self.is_for_nobody() && !self.lease.is_by_clock()).then_some(self.at)
    }

    /// Takes the time from then to that reading of the machine's counter into that histogram of this thread. False if
    /// it began elsewhere, or the histogram has no bucket.
    #[inline]
    pub(crate) fn record(self, histogram: &LocalHistogram, end: u64) -> bool {
        let (current, ticks) = (CurrentPage::get(), ticks(self.at, end));
        current.timed == Some(self.lease)
            && ticks > 0
            && histogram.record_positive(ticks as f64 * current.counter_seconds)
    }

    /// The seconds from then to that reading, or by that clock.
    pub(crate) fn seconds(self, end: u64, clock: &Clock) -> f64 {
        if self.lease.is_by_clock() {
            clock.now().since(Tick::from_raw(self.at)) as f64 / 1e9
        } else {
            // Counters of two cores may be a little apart: nothing took less than no time.
            ticks(self.at, end).max(0) as f64 * machine::counter_seconds().unwrap_or_default()
        }
    }
}

#[inline]
fn ticks(start: u64, end: u64) -> i64 {
    end.wrapping_sub(start).cast_signed()
}
