//! How lines are written: what a URL chooses, and what ends each of them.

use std::borrow::Cow;

use crate::exporters::digits::put_whole;

/// The unit of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanos,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
}

/// The numbers that a histogram becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// A few quantiles.
    #[default]
    Quantiles,
    /// How many values are not above each upper bound.
    Buckets,
}

impl Precision {
    /// Each with its name.
    pub(crate) const EACH: &[(&str, Self)] =
        &[("ns", Self::Nanos), ("us", Self::Micros), ("ms", Self::Millis), ("s", Self::Seconds)];

    /// As servers of 2.x and 3.x call it.
    pub fn name(self) -> &'static str {
        Self::EACH.iter().find(|(_, other)| *other == self).map_or("ns", |(name, _)| name)
    }

    /// As servers of 1.x call it, which take another word for nanoseconds, and do not say so.
    pub(super) fn short_name(self) -> &'static str {
        if self == Self::Micros { "u" } else { self.name() }
    }

    /// A time in that unit, which is not later than it. None where servers know no such time.
    pub(super) fn of(self, unix_nanos: u64) -> Option<u64> {
        const LAST: u64 = i64::MAX as u64 - 1;
        let time = match self {
            Self::Nanos => unix_nanos,
            Self::Micros => unix_nanos / 1_000,
            Self::Millis => unix_nanos / 1_000_000,
            Self::Seconds => unix_nanos / 1_000_000_000,
        };
        (unix_nanos <= LAST).then_some(time)
    }
}

/// Why an item has no line.
pub(super) type Refusal = Cow<'static, str>;

pub(super) const TOO_LATE: &str = "no server knows a time after 2262";

/// How servers read the time of a line: it is the last thing in it.
pub(super) fn end_line(out: &mut Vec<u8>, time: u64) {
    out.push(b' ');
    put_whole(out, time);
    out.push(b'\n');
}
