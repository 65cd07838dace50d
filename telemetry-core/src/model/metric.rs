//! Metrics: what a series is, and what was read from it.

use super::{HistogramValue, Tags, Text, cut};
use crate::sync::prefetch;
use std::fmt;
use tracing_core::Level;

/// What a metric measures, which decides how its values may be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks.
    UpDownCounter,
    /// The last value.
    Gauge,
    /// A distribution of values.
    Histogram,
}

impl Kind {
    /// Those that are summed up, of which deltas can be made.
    pub(crate) const SUMMED: [Kind; 3] = [Kind::Counter, Kind::UpDownCounter, Kind::Histogram];

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::UpDownCounter => "up_down_counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Whether a sum covers all since the series began, or only what came since the last export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Temporality {
    /// All since the series began.
    #[default]
    Cumulative,
    /// What came since the last export.
    Delta,
}

impl Temporality {
    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cumulative => "cumulative",
            Self::Delta => "delta",
        }
    }
}

/// A whole number where only whole numbers went in, otherwise a float.
///
/// Where something is exported it is written as what it is, if there is such a number: on the console and in JSON always;
/// in OTLP, whose whole numbers end at `i64::MAX`, the values of a metric are doubles from its first one above that on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
#[non_exhaustive]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
}

impl Number {
    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Uint(n) => n as f64,
            Self::Float(x) => x,
        }
    }

    /// That whole number, or the nearest one that there is here.
    pub(crate) fn whole(n: i128) -> Self {
        match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => Self::Int(n),
            (_, Ok(n)) => Self::Uint(n),
            _ if n < 0 => Self::Int(i64::MIN),
            _ => Self::Uint(u64::MAX),
        }
    }

    /// None if it is a float.
    pub(crate) fn as_whole(self) -> Option<i128> {
        match self {
            Self::Int(n) => Some(n.into()),
            Self::Uint(n) => Some(n.into()),
            Self::Float(_) => None,
        }
    }

    /// The same as a float; of those that a whole number lies between it is the upper one, so that a sum that only grows
    /// does not fall when it becomes a float.
    pub(crate) fn to_float(self) -> Self {
        Self::Float(self.as_whole().map_or(self.as_f64(), float_above))
    }

    /// Whether it is less, exactly.
    pub(crate) fn is_below(self, other: Self) -> bool {
        match (self.as_whole(), other.as_whole()) {
            (Some(a), Some(b)) => a < b,
            _ => self.as_f64() < other.as_f64(),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        match (self.as_whole(), other.as_whole()) {
            (Some(a), Some(b)) => Self::whole(a + b),
            _ => Self::Float((self.as_f64() + other.as_f64()).clamp(f64::MIN, f64::MAX)),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        match (self.as_whole(), other.as_whole()) {
            (Some(a), Some(b)) => Self::whole(a - b),
            _ => Self::Float((self.as_f64() - other.as_f64()).clamp(f64::MIN, f64::MAX)),
        }
    }
}

/// The least float that is not below that number.
pub(crate) fn float_above(n: i128) -> f64 {
    let nearest = n as f64;
    if (nearest as i128) < n { nearest.next_up() } else { nearest }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Uint(n) => n.fmt(f),
            Self::Float(x) => x.fmt(f),
        }
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        i64::try_from(n).map_or(Self::Uint(n), Self::Int)
    }
}

impl From<i128> for Number {
    /// A whole number where there is one so large, else the nearest float.
    fn from(n: i128) -> Self {
        let whole = Self::whole(n);
        if whole.as_whole() == Some(n) { whole } else { Self::Float(n as f64) }
    }
}

impl From<u128> for Number {
    /// A whole number where there is one so large, else the nearest float.
    fn from(n: u128) -> Self {
        i128::try_from(n).map_or(Self::Float(n as f64), Self::from)
    }
}

impl From<usize> for Number {
    fn from(n: usize) -> Self {
        (n as u64).into()
    }
}

impl From<isize> for Number {
    fn from(n: isize) -> Self {
        Self::Int(n as i64)
    }
}

macro_rules! into_number {
    ($variant:ident: $($from:ty),*) => {$(
        impl From<$from> for Number {
            fn from(n: $from) -> Self {
                Self::$variant(n.into())
            }
        }
    )*};
}

into_number!(Int: i8, i16, i32, i64, u8, u16, u32);
into_number!(Float: f32, f64);

/// What names a series and describes it. Two series with equal kind, name, tags and level are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Identity {
    /// Dotted and lower-case, as OpenTelemetry names metrics.
    pub name: Text,
    /// What it measures.
    pub kind: Kind,
    /// In UCUM: `s`, `By`, `1`; empty where nobody said.
    #[cfg_attr(feature = "serde", serde(default))]
    pub unit: Text,
    /// One sentence for people.
    #[cfg_attr(feature = "serde", serde(default))]
    pub description: Text,
    /// Its own tags, without the global ones.
    #[cfg_attr(feature = "serde", serde(default))]
    pub tags: Tags,
    /// The level it was recorded at; an exporter that filters by level reads it.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub level: Option<Level>,
}

impl Identity {
    /// Whether its texts are as short as they have to be; tags always are.
    fn is_short(&self, max_text: usize) -> bool {
        self.name.len().max(self.unit.len()) <= cut::MAX_NAME && self.description.len() <= max_text
    }

    /// The same with texts that are cut where they are too long.
    pub(crate) fn shortened(mut self, max_text: usize) -> Self {
        (self.name, self.unit) = (cut::kept_name(self.name), cut::kept_name(self.unit));
        self.description = cut::kept(self.description, max_text);
        self
    }

    /// Asks for its name and its tags.
    pub(crate) fn prefetch(&self) {
        prefetch::to_read(&*self.name);
        self.tags.prefetch();
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.name.len()
            + self.unit.len()
            + self.description.len()
            + self.tags.heap_bytes()
    }
}

/// One finished data point.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "a data point goes nowhere before it is given to a collector"]
pub struct Metric {
    /// The series.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub identity: std::sync::Arc<Identity>,
    /// When the values began to be summed up, in nanoseconds since the Unix epoch; none for gauges.
    #[cfg_attr(feature = "serde", serde(default))]
    pub start_time_unix_nano: Option<u64>,
    /// When it was read, or when a gauge was set, in nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// Cumulative or delta, for sums and histograms.
    #[cfg_attr(feature = "serde", serde(default))]
    pub temporality: Temporality,
    /// What was read.
    pub value: MetricValue,
    /// Another one where the series has begun anew after it was over, whatever the clocks say.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) life: u64,
    /// What was taken off its value when it began anew because it had become too large; none where that never was.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) taken_off: Option<Box<i128>>,
    /// Its metric has had values above `i64::MAX`: where whole numbers end there, all are floats.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) is_beyond_int: bool,
}

/// What was read from a series.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
#[non_exhaustive]
pub enum MetricValue {
    /// Of counters, up-down counters and gauges.
    Number(Number),
    /// Of histograms.
    Histogram(Box<HistogramValue>),
}

impl Metric {
    /// A finished point without tags. Its kind says how backends may add it up.
    pub fn new(kind: Kind, name: impl Into<Text>, value: impl Into<Number>, time_unix_nano: u64) -> Self {
        let identity = Identity {
            name: name.into(),
            kind,
            unit: Text::default(),
            description: Text::default(),
            tags: Tags::new(),
            level: None,
        };
        Self {
            identity: identity.into(),
            start_time_unix_nano: None,
            time_unix_nano,
            temporality: Temporality::default(),
            value: MetricValue::Number(value.into()),
            life: 0,
            taken_off: None,
            is_beyond_int: false,
        }
    }

    /// One of that series, of which everything else is to be set.
    pub(crate) fn of(identity: std::sync::Arc<Identity>) -> Self {
        Self {
            identity,
            start_time_unix_nano: None,
            time_unix_nano: 0,
            temporality: Temporality::Cumulative,
            value: MetricValue::Number(Number::Int(0)),
            life: 0,
            taken_off: None,
            is_beyond_int: false,
        }
    }

    /// The same with those tags.
    pub fn tags(mut self, tags: Tags) -> Self {
        std::sync::Arc::make_mut(&mut self.identity).tags = tags;
        self
    }

    /// The same with that unit, in UCUM.
    pub fn unit(mut self, unit: impl Into<Text>) -> Self {
        std::sync::Arc::make_mut(&mut self.identity).unit = unit.into();
        self
    }

    /// The number; of a histogram, its sum.
    pub fn number(&self) -> Number {
        match &self.value {
            MetricValue::Number(n) => *n,
            MetricValue::Histogram(h) => Number::Float(h.sum),
        }
    }

    /// What was taken off its value since the series began; 0 nearly always.
    pub(crate) fn taken_off(&self) -> i128 {
        self.taken_off.as_deref().copied().unwrap_or_default()
    }

    /// The same with so much taken off.
    pub(crate) fn with_taken_off(mut self, n: i128) -> Self {
        self.set_taken_off(n);
        self
    }

    pub(crate) fn set_taken_off(&mut self, n: i128) {
        if n != self.taken_off() {
            self.taken_off = (n != 0).then(|| Box::new(n));
        }
    }

    /// The same with texts that are cut where they are too long.
    pub(crate) fn shortened(mut self, max_text: usize) -> Self {
        if !self.identity.is_short(max_text) {
            self.identity =
                std::sync::Arc::new(std::sync::Arc::unwrap_or_clone(self.identity).shortened(max_text));
        }
        self
    }

    /// About how much memory it keeps from other use: of the names of a series its share, as others hold them too.
    pub(crate) fn bytes(&self) -> usize {
        let value = match &self.value {
            MetricValue::Number(_) => 0,
            MetricValue::Histogram(histogram) => histogram.bytes(),
        };
        let names = self.identity.bytes() / std::sync::Arc::strong_count(&self.identity);
        size_of::<Self>() + value + names
    }

    /// Asks for what it points to.
    pub(crate) fn prefetch(&self) {
        prefetch::to_read(&*self.identity);
        self.histogram().into_iter().for_each(prefetch::to_read);
    }

    /// The histogram, if it is one.
    pub fn histogram(&self) -> Option<&HistogramValue> {
        match &self.value {
            MetricValue::Number(_) => None,
            MetricValue::Histogram(h) => Some(h),
        }
    }
}
