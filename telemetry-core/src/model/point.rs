//! Finished data points, made by hand: single ones, and many of one series.

use std::sync::Arc;

use super::{Identity, Kind, Metric, Number, SeriesKey, SeriesKeyError, Tags, Text};
use crate::text::Clean;

/// One value of a metric with its own tags and its own time.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "a data point goes nowhere before it is given to a collector"]
pub struct DataPoint {
    /// The metric: letters, digits and `. - _ /`.
    pub name: Text,
    /// The value; it must be finite.
    pub value: Number,
    /// Its own tags.
    #[cfg_attr(feature = "serde", serde(default))]
    pub tags: Tags,
    /// Nanoseconds since the Unix epoch; the moment it is sent where there is none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub timestamp: Option<u64>,
}

impl DataPoint {
    /// A point without tags, stamped when it is sent.
    pub fn new(name: impl Into<Text>, value: impl Into<Number>) -> Self {
        Self { name: name.into(), value: value.into(), tags: Tags::new(), timestamp: None }
    }

    /// The same with those tags.
    pub fn tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// The same at that time, in nanoseconds since the Unix epoch.
    pub fn at(mut self, unix_nanos: u64) -> Self {
        self.timestamp = Some(unix_nanos);
        self
    }

    /// The same as a gauge's point, if it is one that can be exported.
    pub(crate) fn into_metric(self, now: u64) -> Result<Metric, PointError> {
        let key = SeriesKey::new(self.name)?.with_tags(self.tags);
        finite(self.value, key.name())?;
        let (name, tags) = key.into_parts();
        Ok(Metric::new(Kind::Gauge, name, self.value, self.timestamp.unwrap_or(now)).tags(tags))
    }
}

/// Many values of one series, whose name and tags are looked at once.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    identity: Arc<Identity>,
    points: Vec<(u64, Number)>,
}

impl TimeSeries {
    /// A series without points.
    pub fn new(key: SeriesKey) -> Self {
        let (name, tags) = key.into_parts();
        Self { identity: Metric::new(Kind::Gauge, name, 0, 0).tags(tags).identity, points: Vec::new() }
    }

    /// Adds a value at that time, in nanoseconds since the Unix epoch.
    pub fn add(&mut self, unix_nanos: u64, value: impl Into<Number>) -> Result<&mut Self, PointError> {
        let value = value.into();
        finite(value, &self.identity.name)?;
        self.points.push((unix_nanos, value));
        Ok(self)
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub(crate) fn into_metrics(self) -> impl Iterator<Item = Metric> {
        let Self { identity, points } = self;
        points.into_iter().map(move |(time, value)| {
            let point = Metric::new(Kind::Gauge, "", value, time);
            Metric { identity: Arc::clone(&identity), ..point }
        })
    }
}

/// Why a data point was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PointError {
    /// Its name or its tags are wrong.
    #[error(transparent)]
    Key(#[from] SeriesKeyError),
    /// Its value is not finite.
    #[error("`{}` = {value}: the value of a data point must be finite", Clean(.name))]
    NotFinite {
        /// The metric.
        name: String,
        /// The value.
        value: f64,
    },
}

/// Some of the points that were sent were refused; all others were taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} data points were refused, the first of them, at place {}: {}", refused.len(), refused[0].0, refused[0].1)]
pub struct SendError {
    /// The place of each refused point among those sent, and why; never empty.
    refused: Vec<(usize, PointError)>,
}

impl SendError {
    pub(crate) fn of(refused: Vec<(usize, PointError)>) -> Result<(), Self> {
        if refused.is_empty() { Ok(()) } else { Err(Self { refused }) }
    }

    /// The place of each refused point among those sent, and why it was refused.
    pub fn refused(&self) -> &[(usize, PointError)] {
        &self.refused
    }
}

fn finite(value: Number, name: &str) -> Result<(), PointError> {
    match value {
        Number::Float(value) if !value.is_finite() => {
            Err(PointError::NotFinite { name: name.to_owned(), value })
        }
        _ => Ok(()),
    }
}
