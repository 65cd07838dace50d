//! What users hold of a collector.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "catalogue")]
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::Error;
use crate::exporters::{self, ExportReport, ExporterHealth, Route, Signal};
use crate::metrics::{Reader, Snapshot};
use crate::model::cut::{self, MAX_NAME};
use crate::model::record::{Encoded, FieldBuf, Links, Site, SpanHead, Time};
use crate::model::{
    DataPoint, Event, Kind, Metric, Number, Resource, SendError, Span, SpanContext, Status, StatusRef, Text,
    TimeSeries,
};
use crate::pipeline::{Ledger, writer};

use super::by_hand::{collect_event, push_all};
use super::config::Config;
use super::current;
use super::engine::Engine;
use super::report::Report;

/// Takes metrics, events and spans, and sees to it that they reach the exporters.
///
/// Clones are the same collector. When the last one that [`Builder::start`](crate::Builder::start) led to is dropped, the collector
/// is shut down with the deadline of its configuration; what was lost, if anything, is said on standard error.
///
/// **Fork.** A collector stays with the process that started it. In a child that is forked off it is over: its buffers are empty, spans
/// still have ids (of the child's own), so contexts can be handed on, and what is recorded for it is lost, which is said once on standard
/// error; flush and shutdown return at once and say how many spans and events that were. The child may start a collector of its own, make
/// it the global one, and add it to a subscriber of its own; connections and files of its parent are left as they are.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(super) engine: Arc<Engine>,
    /// Not in those that [`Collector::current`] gives: they don't keep the collector running.
    pub(super) _running: Option<Arc<Running>>,
}

/// Shuts the collector down when the last of its users lets go of it.
#[derive(Debug)]
pub(super) struct Running(pub(super) Arc<Engine>);

impl Drop for Running {
    fn drop(&mut self) {
        say_if_by_half(&self.0);
        self.0.end_and_say();
    }
}

/// At the end, what a layer that had nothing to record has not said.
fn say_if_by_half(engine: &Engine) {
    #[cfg(feature = "catalogue")]
    if engine.has_layer.load(Relaxed) {
        current::say_if_attributes_feed_nobody();
    }
    #[cfg(not(feature = "catalogue"))]
    let _ = engine;
}

impl Collector {
    /// One whose last clone shuts the engine down.
    pub(super) fn keeping(engine: Arc<Engine>) -> Self {
        Self { _running: Some(Arc::new(Running(Arc::clone(&engine)))), engine }
    }

    pub(super) fn not_keeping(engine: Arc<Engine>) -> Self {
        Self { engine, _running: None }
    }

    /// Whether a program has its global collector already.
    pub fn has_global() -> bool {
        current::is_installed()
    }

    /// The collector that instruments on this thread feed: the scoped one, else the global one, else none.
    pub fn current() -> Option<Self> {
        current::get().map(Self::not_keeping)
    }

    /// Runs `f` with this collector as the current one of this thread. Threads that `f` starts begin without.
    pub fn scoped<R>(&self, f: impl FnOnce() -> R) -> R {
        current::scoped(&self.engine, f)
    }

    /// The same for a future: this collector is the current one of the thread while the future is polled.
    pub fn scope_future<F: Future>(&self, future: F) -> ScopedFuture<F> {
        ScopedFuture { engine: Arc::clone(&self.engine), future: Box::pin(future) }
    }

    /// What it runs with.
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// The global tags, and what was found out about where the program runs.
    pub fn resource(&self) -> &Resource {
        &self.engine.resource
    }

    /// Adds an exporter. It is given what is recorded from now on, and cumulative sums since the start.
    pub fn exporter(&self, route: impl Into<Route>) -> Result<(), Error> {
        self.engine.add(route.into())
    }

    /// Adds the exporter that a URL names, for instance `file:target/telemetry`.
    pub fn endpoint(&self, url: &str) -> Result<(), Error> {
        self.engine.add(exporters::from_url(url)?)
    }

    /// Puts an exporter in the place of the one of that name, for instance where its backend has moved.
    ///
    /// Every item goes to one of them: what was not sent yet, and what failed or has no answer at the deadline, goes to the new one,
    /// which keeps the name and the account in the ledger. Requests that are out are waited for until then. Where both want sums of
    /// the same kinds as deltas, those of both together are what was counted. What stands in a spool is the new one's where it names the
    /// same directory; else it is left there for a later one. The new one does not begin paused.
    ///
    /// What the new one does not want of that is counted as filtered. Where it wants sums in another form, or of other levels, it begins
    /// with the old one's last ones, which are the old one's to deliver.
    ///
    /// An attempt of an exporter that blocks can't be taken from it: what it still has at the deadline is lost, and counted. What only one
    /// may have, say a directory of files, the new one can't have too.
    ///
    /// An error leaves the old one as it was: where there is none of that name, where the new one can't be added, or after a shutdown.
    ///
    /// ```
    /// use std::time::Duration;
    /// use telemetry_core::exporters::{Discard, Route, from_url};
    /// use telemetry_core::Collector;
    ///
    /// let sink = Route::new(Discard::new()).name("sink");
    /// let collector = Collector::builder().ignore_env().exporter(sink).start()?;
    /// let report = collector.replace("sink", from_url("discard:")?, Duration::from_secs(5))?;
    /// assert!(report.is_complete());
    /// let report = collector.remove("sink", Duration::from_secs(5))?;
    /// assert!(report.is_complete());
    /// let error = collector.remove("sink", Duration::from_secs(5)).unwrap_err();
    /// assert_eq!(error.to_string(), "there is no exporter sink; none is there");
    /// # Ok::<(), telemetry_core::Error>(())
    /// ```
    pub fn replace(
        &self,
        exporter: &str,
        route: impl Into<Route>,
        deadline: Duration,
    ) -> Result<Report, Error> {
        self.engine.replace(exporter, route.into(), deadline)
    }

    /// Removes the exporter of that name, or the reader.
    ///
    /// An exporter is given what was recorded until now, as by a [`flush`](Self::flush), and has until the deadline to deliver it.
    /// What it could not deliver is stored in its spool, if it has one, or dropped and counted. What it did stays in the ledger, and
    /// an exporter that is added under its name later goes on from there. One that hangs is given up at the deadline, or
    /// over a network a second later; [`Report::late`] names it. The report is complete where nothing was ever lost or refused under that name. A page is served no
    /// more when this returns.
    ///
    /// It fails where there is neither an exporter nor a reader of that name, and after a shutdown.
    pub fn remove(&self, name: &str, deadline: Duration) -> Result<Report, Error> {
        self.engine.remove(name, deadline)
    }

    /// From now on that closure is told how each attempt ended; see [`Builder::on_export`](crate::Builder::on_export).
    pub fn on_export(&self, on_export: impl Fn(&ExportReport) + Send + Sync + 'static) -> Result<(), Error> {
        if !self.engine.is_enabled() {
            return Ok(());
        }
        self.engine.reports.give_to(Box::new(on_export)).map_err(Error::Thread)
    }

    /// How the exporters fare, in the order they were added: those of endpoints come before those of the builder's `exporter`.
    pub fn health(&self) -> Vec<ExporterHealth> {
        self.engine.health()
    }

    /// From now on the exporter of that name attempts nothing, until [`resume`](Self::resume) or the shutdown: what it is
    /// given waits, as long as there is memory for it. False where there is no such exporter.
    pub fn pause(&self, exporter: &str) -> bool {
        self.engine.pause(exporter, true)
    }

    /// The exporter of that name goes on.
    pub fn resume(&self, exporter: &str) -> bool {
        self.engine.pause(exporter, false)
    }

    /// Adds a reader, which asks for metrics when it needs them.
    pub fn reader(&self, reader: impl Reader) -> Result<(), Error> {
        self.engine.add_reader(Box::new(reader))
    }

    /// The URLs at which pages of this collector are served, in the order they were added: with port 0 in an endpoint
    /// (`prometheus://localhost:0`), what it became.
    #[cfg(feature = "prometheus")]
    pub fn served_at(&self) -> Vec<String> {
        if self.engine.is_enabled() { self.engine.server.urls() } else { Vec::new() }
    }

    /// All metrics now, cumulative. It waits for callbacks, for each at most [`Config::callback_timeout`].
    pub fn snapshot(&self) -> Snapshot {
        self.engine.snapshot()
    }

    /// Takes a finished point as it is; it passes by the series of the instruments.
    #[track_caller]
    pub fn collect_metric(&self, metric: Metric) {
        if self.engine.is_enabled() {
            self.engine.table.compare_point(&metric.identity, Location::caller());
            self.engine.buffers.push_point(metric.shortened(self.engine.config.max_text_bytes));
        }
    }

    /// Takes a value of a metric as a finished gauge point, stamped now.
    #[track_caller]
    pub fn record(&self, name: impl Into<Text>, value: impl Into<Number>) {
        self.collect_metric(Metric::new(Kind::Gauge, name, value, self.engine.clock.unix_nanos()));
    }

    /// Takes finished data points with their own tags and times, exported as gauges. Those that are wrong are
    /// named in the error; all others are taken.
    #[track_caller]
    pub fn send(&self, points: impl IntoIterator<Item = DataPoint>) -> Result<(), SendError> {
        let now = self.engine.clock.unix_nanos();
        let mut refused = Vec::new();
        for (place, point) in points.into_iter().enumerate() {
            match point.into_metric(now) {
                Ok(metric) => self.collect_metric(metric),
                Err(e) => refused.push((place, e)),
            }
        }
        SendError::of(refused)
    }

    /// Takes finished series, which were checked when they were made.
    #[track_caller]
    pub fn send_series(&self, series: impl IntoIterator<Item = TimeSeries>) {
        for metric in series.into_iter().flat_map(TimeSeries::into_metrics) {
            self.collect_metric(metric);
        }
    }

    /// Takes a finished span as it is, if head sampling keeps its trace.
    pub fn collect_span(&self, span: &Span) {
        if !self.engine.config.enabled {
            return;
        }
        if !self.engine.sampler.keeps_finished(span.trace_id) {
            writer::with(&self.engine.buffers, |writer| writer.sampled_out(Signal::Spans));
            return;
        }
        let mut fields = FieldBuf::new().with_max_text(self.engine.config.max_text());
        push_all(&mut fields, span.fields.iter().map(|(name, value)| (&**name, value.as_ref())));
        let (name, target) = (cut::name(&span.name), cut::name(&span.target));
        let message = if let Status::Error(message) = &span.status { &**message } else { "" };
        let message = cut::capped(message, fields.max_text());
        let head = SpanHead {
            context: SpanContext::new(span.trace_id, span.span_id, true),
            parent: span.parent_span_id,
            parent_is_remote: None,
            start: Time::Unix(span.start_unix_nano),
            duration_nano: span.duration_nano,
            kind: span.kind,
            status: match &span.status {
                Status::Error(_) => StatusRef::Error(&message),
                status => status.as_ref(),
            },
            name: None,
            site: Site::Inline { name: &name, target: &target, level: span.level },
            cut: fields.cut(),
            // Half of one says something else.
            trace_state: if span.trace_state.len() <= MAX_NAME { &span.trace_state } else { "" },
            links: Links::new(&span.links),
        };
        let texts = head.texts();
        let record = Encoded::span(&head, (&*texts, fields.words()));
        writer::with(&self.engine.buffers, |writer| writer.push(Signal::Spans, record));
    }

    /// Takes a finished event as it is.
    pub fn collect_event(&self, event: &Event) {
        if self.engine.config.enabled {
            let engine = &self.engine;
            collect_event(event, engine.config.max_text(), &engine.sampler, &engine.buffers);
        }
    }

    /// Where every item is at this moment.
    pub fn ledger(&self) -> Ledger {
        self.engine.ledger()
    }

    /// Moves everything recorded so far to the exporters, and waits until each is done with it or the time is
    /// over. An exporter that waits for its next attempt makes it at once.
    pub fn flush(&self, deadline: Duration) -> Report {
        self.engine.flush(deadline)
    }

    /// Delivers what there is until the deadline, and ends all threads. What could not be delivered by then is
    /// dropped, and the report says so. Later calls only report.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        say_if_by_half(&self.engine);
        self.engine.shutdown(deadline)
    }

    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Now, by the collector's clock, in nanoseconds since the Unix epoch.
    pub fn now_unix_nano(&self) -> u64 {
        self.engine.clock.unix_nanos()
    }
}

/// See [`Collector::scope_future`].
#[derive(Debug)]
pub struct ScopedFuture<F> {
    engine: Arc<Engine>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for ScopedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let engine = Arc::clone(&self.engine);
        current::scoped(&engine, || self.future.as_mut().poll(cx))
    }
}
