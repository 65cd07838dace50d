//! What was read from all series at one moment.

use std::sync::Arc;

use tracing_core::Level;

use crate::model::{HistogramValue, Kind, Metric, Number, Resource, Tags, Temporality};
#[cfg(feature = "prometheus")]
use crate::model::{Identity, MetricValue};

/// The data points of one moment, sorted by name. Those of one name stand mostly in the order in which their series were made, but in
/// that of their tags where they have levels, or where callbacks give some of them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    metrics: Arc<Vec<Metric>>,
    resource: Arc<Resource>,
}

impl Snapshot {
    pub(crate) fn new(metrics: impl Into<Vec<Metric>>, resource: Arc<Resource>) -> Self {
        Self::shared(Arc::new(metrics.into()), resource)
    }

    /// Of data points that others have too.
    pub(crate) fn shared(metrics: Arc<Vec<Metric>>, resource: Arc<Resource>) -> Self {
        Self { metrics, resource }
    }

    /// All data points.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = MetricRef<'_>> {
        MetricRef::each(&self.metrics, &self.resource)
    }

    /// The data points of that name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = MetricRef<'a>> {
        self.iter().filter(move |m| m.name() == name)
    }

    /// The sum over all series of that name: of counters and gauges their values, of histograms their counts.
    pub fn total(&self, name: &str) -> f64 {
        self.named(name).map(|m| m.histogram().map_or(m.number().as_f64(), |h| h.count as f64)).sum()
    }

    /// How many data points.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// About how much memory it keeps from other use.
    pub(crate) fn bytes(&self) -> usize {
        self.metrics.iter().map(Metric::bytes).sum()
    }

    /// Others with the same global tags.
    pub(crate) fn with(&self, metrics: Vec<Metric>) -> Self {
        Self::new(metrics, Arc::clone(&self.resource))
    }

    pub(crate) fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Shows all of them.
    #[cfg(feature = "prometheus")]
    pub(crate) fn visit(&self, visit: &mut dyn Visit) {
        loop {
            visit.begin(&self.resource, self.metrics.len());
            visit_all(&self.metrics, visit);
            if visit.end() {
                break;
            }
        }
    }
}

/// Looks at data points where they are read, without a snapshot of them.
#[cfg(feature = "prometheus")]
pub(crate) trait Visit {
    /// About so many follow, of what this describes.
    fn begin(&mut self, resource: &Arc<Resource>, points: usize);

    /// Those of another metric follow: of another name, kind or unit, or of histograms where others were numbers.
    fn metric(&mut self);

    /// The next one, in the order of snapshots.
    fn visit(&mut self, point: &PointRef<'_>);

    /// All were there. Whether that is enough; otherwise they are shown again from the beginning.
    fn end(&mut self) -> bool;
}

/// Shows data points, of which those of one metric are neighbours.
#[cfg(feature = "prometheus")]
pub(crate) fn visit_all(metrics: &[Metric], visit: &mut dyn Visit) {
    let is_of_one = |a: &Metric, b: &Metric| {
        let (one, other) = (&a.identity, &b.identity);
        let kinds = one.kind == other.kind && a.histogram().is_some() == b.histogram().is_some();
        kinds && one.name == other.name && one.unit == other.unit
    };
    for of_one in metrics.chunk_by(is_of_one) {
        visit.metric();
        for metric in of_one {
            visit.visit(&PointRef {
                identity: &metric.identity,
                start_time_unix_nano: metric.start_time_unix_nano,
                temporality: metric.temporality,
                value: &metric.value,
            });
        }
    }
}

/// A data point where it is read.
#[cfg(feature = "prometheus")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointRef<'a> {
    pub(crate) identity: &'a Arc<Identity>,
    pub(crate) start_time_unix_nano: Option<u64>,
    pub(crate) temporality: Temporality,
    pub(crate) value: &'a MetricValue,
}

#[cfg(feature = "prometheus")]
impl PointRef<'_> {
    pub(crate) fn is_histogram(&self) -> bool {
        matches!(self.value, MetricValue::Histogram(_))
    }
}

/// One data point, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct MetricRef<'a> {
    metric: &'a Metric,
    resource: &'a Resource,
}

impl<'a> MetricRef<'a> {
    /// Each of them, with these global tags. What comes soon is asked for already.
    pub(crate) fn each(
        metrics: &'a [Metric],
        resource: &'a Resource,
    ) -> impl ExactSizeIterator<Item = Self> + use<'a> {
        const SOON: usize = 6;
        metrics.iter().enumerate().map(move |(at, metric)| {
            metrics.get(at + 2 * SOON).into_iter().for_each(Metric::prefetch);
            metrics.get(at + SOON).into_iter().for_each(|soon| soon.identity.prefetch());
            Self { metric, resource }
        })
    }

    /// Dotted and lower-case.
    pub fn name(&self) -> &'a str {
        &self.metric.identity.name
    }

    /// What it measures.
    pub fn kind(&self) -> Kind {
        self.metric.identity.kind
    }

    /// The level it was recorded at, where it has one.
    pub fn level(&self) -> Option<Level> {
        self.metric.identity.level
    }

    /// In UCUM; empty where nobody said.
    pub fn unit(&self) -> &'a str {
        &self.metric.identity.unit
    }

    /// One sentence; empty where nobody said.
    pub fn description(&self) -> &'a str {
        &self.metric.identity.description
    }

    /// Its own tags, without the global ones.
    pub fn own_tags(&self) -> &'a Tags {
        &self.metric.identity.tags
    }

    /// Its own tags and the global ones, sorted by key; its own win.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.metric.identity.tags.with(self.resource.tags())
    }

    /// The value of one of its tags, or of a global one.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        self.metric.identity.tags.get(key).or_else(|| self.resource.tags().get(key))
    }

    /// When the values began to be summed up, in nanoseconds since the Unix epoch; none for gauges.
    pub fn start_time_unix_nano(&self) -> Option<u64> {
        self.metric.start_time_unix_nano
    }

    /// When it was read, or when a gauge was set, in nanoseconds since the Unix epoch.
    pub fn time_unix_nano(&self) -> u64 {
        self.metric.time_unix_nano
    }

    /// Cumulative or delta.
    pub fn temporality(&self) -> Temporality {
        self.metric.temporality
    }

    /// The number; of a histogram, its sum.
    pub fn number(&self) -> Number {
        self.metric.number()
    }

    /// Whether its metric has had values above `i64::MAX`.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_beyond_int(&self) -> bool {
        self.metric.is_beyond_int
    }

    /// The histogram, if it is one.
    pub fn histogram(&self) -> Option<&'a HistogramValue> {
        self.metric.histogram()
    }

    /// The same, owned.
    pub fn to_metric(&self) -> Metric {
        self.metric.clone()
    }
}

/// Gives a [`Reader`](super::Reader) its snapshots. A series does not end before every source that there is has read
/// its last value.
#[derive(Clone)]
pub struct Source(Arc<dyn Pull>);

/// What is behind a [`Source`].
pub(crate) trait Pull: Send + Sync {
    fn read(&self) -> Snapshot;

    /// Shows what a snapshot would hold.
    #[cfg(feature = "prometheus")]
    fn visit(&self, visit: &mut dyn Visit) {
        self.read().visit(visit);
    }
}

impl<F: Fn() -> Snapshot + Send + Sync> Pull for F {
    fn read(&self) -> Snapshot {
        self()
    }
}

impl Source {
    pub(crate) fn new(read: impl Pull + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// All cumulative values now. It waits for callbacks, for each at most [`crate::Config::callback_timeout`].
    pub fn read(&self) -> Snapshot {
        self.0.read()
    }

    /// Shows them where they are read, each only once and without a snapshot.
    #[cfg(feature = "prometheus")]
    pub(crate) fn visit(&self, visit: &mut dyn Visit) {
        self.0.visit(visit);
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}
