//! The page: what is shown of which collector, and in which form.

use std::sync::Arc;

use super::{Answer, Translation};
use crate::metrics::{Reader, Snapshot, Source};
use crate::model::{Metric, Resource, Text};
use crate::sync::{Mutex, lock};

/// A page of all metrics of a collector, for Prometheus and whoever else scrapes.
///
/// The collector is given one clone, and the program keeps another, from which it answers requests.
///
/// ```
/// use telemetry_core::exporters::Prometheus;
/// use telemetry_core::{Collector, counter};
///
/// let page = Prometheus::new().without_scope_labels();
/// let collector = Collector::builder().reader(page.clone()).start()?;
/// collector.scoped(|| counter("orders").inc());
/// assert!(page.text().contains("\norders_total 1\n"), "{}", page.text());
/// # Ok::<(), telemetry_core::Error>(())
/// ```
///
/// Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility" and "Metrics Exporter - Prometheus".
#[derive(Clone, Debug, Default)]
#[must_use = "a page shows nothing before a collector has a clone of it"]
pub struct Prometheus {
    settings: Settings,
    source: Arc<Mutex<Option<Source>>>,
}

/// What a page shows.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) translation: Translation,
    pub(super) has_scope: bool,
    pub(super) has_target_info: bool,
    /// Patterns of the keys of resource attributes that are labels of each series.
    pub(super) resource_labels: Vec<Text>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            translation: Translation::default(),
            has_scope: true,
            has_target_info: true,
            resource_labels: Vec::new(),
        }
    }
}

impl Prometheus {
    /// A page of all metrics, by the defaults of OpenTelemetry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what becomes of names.
    pub fn translation(mut self, translation: Translation) -> Self {
        self.settings.translation = translation;
        self
    }

    /// Leaves out the labels `otel_scope_name` and `otel_scope_version`.
    pub fn without_scope_labels(mut self) -> Self {
        self.settings.has_scope = false;
        self
    }

    /// Leaves out `target_info`, the metric whose labels are the attributes of the resource.
    pub fn without_target_info(mut self) -> Self {
        self.settings.has_target_info = false;
        self
    }

    /// Makes labels of each series of the resource attributes, global tags among them, whose keys are these; `*` stands for any
    /// text. A tag of the series wins over them.
    pub fn resource_labels<I: IntoIterator<Item: Into<Text>>>(mut self, keys: I) -> Self {
        self.settings.resource_labels.extend(keys.into_iter().map(Into::into));
        self
    }

    /// The page in the text format 0.0.4, which everybody reads. It is empty before a collector has a clone of it.
    pub fn text(&self) -> String {
        self.read().map(|_| String::new()).unwrap_or_default()
    }

    /// The page in the form that suits a request best, whose headers `Accept` and `Accept-Encoding` say what it takes; they are
    /// empty where there are none. What can't be understood is left aside, and where nothing is left it is the text
    /// format 0.0.4, as it is: there is always an answer.
    pub fn respond(&self, accept: &str, accept_encoding: &str) -> Answer {
        let _ = (accept, accept_encoding);
        Answer {
            content_type: "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            content_encoding: None,
            body: self.text().into_bytes(),
        }
    }

    fn read(&self) -> Option<Snapshot> {
        let source = lock(&self.source).clone();
        source.map(|source| source.read())
    }
}

impl Reader for Prometheus {
    fn name(&self) -> &str {
        "prometheus"
    }

    fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        *lock(&self.source) = Some(source);
        Ok(())
    }
}

/// A source of data points that somebody made, for tests.
pub fn source_of(metrics: Vec<Metric>, resource: Resource) -> Source {
    let snapshot = Snapshot::new(metrics, Arc::new(resource));
    Source::new(move || snapshot.clone())
}
