//! Metrics: what a series is, and what was read from it.

use super::{HistogramValue, Tags, Text, text};
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
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
#[non_exhaustive]
pub enum Number {
    /// A whole number; wide enough for every sum of 64-bit values that fits 63 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
}

impl Number {
    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(x) => x,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Self::Int(a.wrapping_add(b)),
            (a, b) => Self::Float(a.as_f64() + b.as_f64()),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Self::Int(a.wrapping_sub(b)),
            (a, b) => Self::Float(a.as_f64() - b.as_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Float(x) => x.fmt(f),
        }
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        i64::try_from(n).map_or(Self::Float(n as f64), Self::Int)
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
        self.name.len().max(self.unit.len()) <= text::MAX_NAME && self.description.len() <= max_text
    }

    /// The same with texts that are cut where they are too long.
    pub(crate) fn shortened(mut self, max_text: usize) -> Self {
        (self.name, self.unit) = (text::kept_name(self.name), text::kept_name(self.unit));
        self.description = text::kept(self.description, max_text);
        self
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
    /// Another one where the series has begun anew, whatever the clocks say.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) life: u64,
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

    /// The histogram, if it is one.
    pub fn histogram(&self) -> Option<&HistogramValue> {
        match &self.value {
            MetricValue::Number(_) => None,
            MetricValue::Histogram(h) => Some(h),
        }
    }
}
