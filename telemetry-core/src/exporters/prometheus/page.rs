//! The page: what is shown of which collector.

use std::sync::Arc;

use super::desk::Desk;
use super::form::Form;
use super::settings::Settings;
use super::{Answer, Translation, accept};
use crate::metrics::{Reader, Snapshot, Source};
use crate::model::{Metric, Resource, Text};
use crate::sync::{Mutex, Origin, lock};

/// A page of all metrics of a collector, for Prometheus and whoever else scrapes.
///
/// The collector is given one clone, and the program keeps another, from which it answers requests, from any thread.
///
/// ```
/// use telemetry_core::exporters::Prometheus;
/// use telemetry_core::{Collector, counter};
///
/// let page = Prometheus::new().without_scope_labels();
/// let collector = Collector::builder().reader(page.clone()).start()?;
/// collector.scoped(|| counter("orders").inc());
/// assert!(page.text().contains("\norders_total 1\n"), "{}", page.text());
///
/// let answer = page.respond("application/openmetrics-text;version=1.0.0", "gzip");
/// assert!(answer.content_type().starts_with("application/openmetrics-text; version=1.0.0"));
/// assert_eq!(answer.content_encoding(), Some("gzip"));
/// # Ok::<(), telemetry_core::Error>(())
/// ```
///
/// Builders make a page of its own of the same collector: what they set is not changed in clones that there are.
///
/// Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility" and "Metrics Exporter - Prometheus".
#[derive(Clone, Debug, Default)]
#[must_use = "a page shows nothing before a collector has a clone of it"]
pub struct Prometheus {
    settings: Arc<Settings>,
    desk: Arc<Desk>,
    shown: Arc<Shown>,
}

/// Whose metrics are shown.
#[derive(Debug)]
struct Shown {
    source: Mutex<(Option<Source>, Attached)>,
    /// In a child process the locks may be another thread's for ever, and its collector is not there.
    origin: Origin,
}

/// Whether the collector is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    No,
    Yes,
}

impl Default for Shown {
    fn default() -> Self {
        Self { source: Mutex::new((None, Attached::No)), origin: Origin::here() }
    }
}

impl Prometheus {
    /// A page of all metrics, by the defaults of OpenTelemetry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what becomes of names.
    pub fn translation(self, translation: Translation) -> Self {
        self.with(|settings| settings.translation = translation)
    }

    /// Leaves out the label `otel_scope_name` of each series.
    pub fn without_scope_labels(self) -> Self {
        self.with(|settings| settings.has_scope = false)
    }

    /// Leaves out `target_info`, the metric whose labels are the attributes of the resource.
    pub fn without_target_info(self) -> Self {
        self.with(|settings| settings.has_target_info = false)
    }

    /// Leaves out since when counters and histograms count, which OpenMetrics has a series for, `_created`, and protobuf a field.
    pub fn without_created(self) -> Self {
        self.with(|settings| settings.has_created = false)
    }

    /// Makes labels of each series of the resource attributes, global tags among them, whose keys are these; `*` stands for any
    /// text, `?` for any character. A tag of the series wins over them.
    pub fn resource_labels<I: IntoIterator<Item: Into<Text>>>(self, keys: I) -> Self {
        self.with(|settings| settings.resource_labels.extend(keys.into_iter().map(Into::into)))
    }

    /// Sets how many bytes a page may have before it is compressed, 64 MiB by default. What there is no room for is left out,
    /// and [counted](Self::left_out).
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_bytes = bytes)
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        change(&mut settings);
        Self { settings: settings.into(), desk: Arc::default(), shown: self.shown }
    }

    /// The page in the text format 0.0.4, which everybody reads. It is empty before a collector has a clone of it.
    pub fn text(&self) -> String {
        let body = self.page(Form::DEFAULT, false);
        String::from_utf8(Arc::unwrap_or_clone(body)).unwrap_or_default()
    }

    /// The page in the form that suits a request best, whose headers `Accept` and `Accept-Encoding` say what it takes; they are
    /// empty where there are none. What can't be understood is left aside, and where nothing is left it is the text
    /// format 0.0.4, as it is: there is always an answer.
    ///
    /// It waits for the callbacks of observable instruments, as a snapshot does.
    pub fn respond(&self, accept: &str, accept_encoding: &str) -> Answer {
        let (form, is_packed) = (accept::form(accept), accept::takes_gzip(accept_encoding));
        Answer::new(form.content_type(), is_packed, self.page(form, is_packed))
    }

    /// How many series the last page was without: those that could not stand beside others on it, whose name there is that of
    /// another metric, or that has no room for them. The first of each metric is said on standard error.
    pub fn left_out(&self) -> u64 {
        self.desk.left_out()
    }

    #[cfg(test)]
    pub(super) fn silent(self) -> Self {
        self.desk.silence();
        self
    }

    fn page(&self, form: Form, is_packed: bool) -> Arc<Vec<u8>> {
        let Shown { source, origin } = &*self.shown;
        let source = if origin.is_here() { lock(source).0.clone() } else { None };
        match source {
            Some(source) => self.desk.page(&self.settings, &source, form, is_packed),
            None => Desk::nothing(form, is_packed),
        }
    }
}

impl Reader for Prometheus {
    fn name(&self) -> &str {
        "prometheus"
    }

    /// It fails where it shows another collector that is still there.
    fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let shown = &*self.shown;
        if !shown.origin.is_here() {
            return Err(
                "this page was made in the process that this one was forked from: make another".into()
            );
        }
        let mut at = lock(&shown.source);
        if at.1 == Attached::Yes {
            return Err("this page shows another collector: make one for each".into());
        }
        *at = (Some(source), Attached::Yes);
        Ok(())
    }

    /// From now on it may show another collector.
    fn shutdown(&mut self) {
        if self.shown.origin.is_here() {
            lock(&self.shown.source).1 = Attached::No;
        }
    }
}

/// A source of data points that somebody made, for tests.
pub fn source_of(metrics: Vec<Metric>, resource: Resource) -> Source {
    let snapshot = Snapshot::new(metrics, Arc::new(resource));
    Source::new(move || snapshot.clone())
}
