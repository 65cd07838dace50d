//! The collector: where everything comes together, and the only room that reads the environment.

mod builder;
mod config;
pub(crate) mod current;
mod guard;
mod report;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use tracing_core::Level;

use crate::Error;
use crate::clock::Clock;
use crate::exporters::{self, Exporter, Signal};
use crate::metrics::{Reader, Snapshot, Source, Table};
use crate::model::record::{EventHead, FieldBuf, Key, Site, SpanHead, Time};
use crate::model::{Event, Kind, Metric, Number, Resource, Span, SpanContext, Text, Value};
use crate::pipeline::Ledger;
use crate::pipeline::aggregator::{Command, Output};
use crate::pipeline::buffer::Buffers;
use crate::pipeline::ledger::Books;
use crate::pipeline::queue::Lane;
use crate::pipeline::worker::Worker;
use crate::sampling::HeadSampler;

pub use builder::Builder;
pub use config::{CheckAtStart, Config};
pub use guard::Guard;
pub use report::Report;

/// Takes metrics, events and spans, and sees to it that they reach the exporters.
///
/// Clones are the same collector. When the last one that [`Builder::start`] led to is dropped, the collector
/// is shut down with the deadline of its configuration.
#[derive(Clone, Debug)]
pub struct Collector {
    core: Arc<Core>,
    /// Not in those that [`Collector::current`] gives: they don't keep the collector running.
    _running: Option<Arc<Running>>,
}

/// All of a collector that lives as long as somebody may record.
#[derive(Debug)]
pub(crate) struct Core {
    config: Config,
    clock: Arc<Clock>,
    table: Arc<Table>,
    buffers: Arc<Buffers>,
    books: Arc<Books>,
    resource: Arc<Resource>,
    sampler: HeadSampler,
    commands: Sender<Command>,
    aggregator: Mutex<Option<JoinHandle<()>>>,
    readers: Mutex<Vec<Box<dyn Reader>>>,
    closed: AtomicBool,
}

/// Shuts the collector down when the last of its users lets go of it.
#[derive(Debug)]
struct Running(Arc<Core>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.shutdown(self.0.config.shutdown_timeout);
    }
}

impl std::fmt::Debug for Box<dyn Reader> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Collector {
    /// Everything that can be set, starting from the defaults and the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes it the global collector, which all threads feed that have no scoped one. A program has one, once.
    pub fn install(self) -> Result<Guard, Error> {
        if current::install(&self.core) { Ok(Guard::new(self)) } else { Err(Error::AlreadyInstalled) }
    }

    /// The collector that instruments on this thread feed: the scoped one, else the global one, else none.
    pub fn current() -> Option<Self> {
        current::get().map(|core| Self { core, _running: None })
    }

    /// Runs `f` with this collector as the current one of this thread. Threads that `f` starts begin without.
    pub fn scoped<R>(&self, f: impl FnOnce() -> R) -> R {
        current::scoped(&self.core, f)
    }

    /// What it runs with.
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// The global tags.
    pub fn resource(&self) -> &Resource {
        &self.core.resource
    }

    /// Adds an exporter. It is given what is recorded from now on, and cumulative sums since the start.
    pub fn add_exporter(&self, exporter: impl Exporter) -> Result<(), Error> {
        self.core.add_exporter(Box::new(exporter))
    }

    /// Adds the exporter that a URL names, for instance `file:target/telemetry`.
    pub fn add_endpoint(&self, url: &str) -> Result<(), Error> {
        self.core.add_exporter(exporters::from_url(url)?)
    }

    /// Adds a reader, which asks for metrics when it needs them.
    pub fn add_reader(&self, reader: impl Reader) -> Result<(), Error> {
        self.core.add_reader(Box::new(reader))
    }

    /// All metrics now, cumulative. Callbacks of gauges run on this thread.
    pub fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    /// Takes a finished point as it is; it passes by the series of the instruments.
    pub fn collect_metric(&self, metric: Metric) {
        if self.core.config.enabled {
            self.core.buffers.push_point(metric);
        }
    }

    /// Takes a value of a metric as a finished gauge point, stamped now.
    pub fn record(&self, name: impl Into<Text>, value: impl Into<Number>) {
        self.collect_metric(Metric::new(Kind::Gauge, name, value, self.core.clock.unix_nanos()));
    }

    /// Takes a finished span as it is, if head sampling keeps its trace.
    pub fn collect_span(&self, span: &Span) {
        if !self.core.config.enabled {
            return;
        }
        if !self.core.sampler.keeps(span.trace_id) {
            self.core.buffers.sampled_out(Signal::Spans);
            return;
        }
        let head = SpanHead {
            context: SpanContext { trace_id: span.trace_id, span_id: span.span_id, sampled: true },
            parent: span.parent_span_id,
            start: Time::Unix(span.start_unix_nano),
            duration_nano: span.duration_nano,
            kind: span.kind,
            status: span.status.as_ref(),
            name: None,
            site: Site::Inline { name: &span.name, target: &span.target, level: span.level },
            cut: 0,
        };
        self.core.buffers.push_span(&head, &buffer(&span.fields));
    }

    /// Takes a finished event as it is.
    pub fn collect_event(&self, event: &Event) {
        if !self.core.config.enabled {
            return;
        }
        let context = event.trace_id.zip(event.span_id).map(|(trace_id, span_id)| SpanContext {
            trace_id,
            span_id,
            sampled: self.core.sampler.keeps(trace_id),
        });
        let head = EventHead {
            context,
            time: Time::Unix(event.time_unix_nano),
            site: Site::Inline { name: &event.name, target: &event.target, level: event.level },
            cut: 0,
        };
        let mut fields = FieldBuf::new();
        fields.push(Key::Name("message"), crate::model::ValueRef::Str(&event.message));
        push_all(&mut fields, &event.fields);
        self.core.buffers.push_event(&head, &fields);
    }

    /// Where every item is at this moment.
    pub fn ledger(&self) -> Ledger {
        self.core.ledger()
    }

    /// Moves everything recorded so far to the exporters, and waits until each is done with it or the time is
    /// over. An exporter that waits for its next attempt makes it at once.
    pub fn flush(&self, deadline: Duration) -> Report {
        self.core.flush(deadline)
    }

    /// Delivers what there is until the deadline, and ends all threads. What could not be delivered by then is
    /// dropped, and the report says so. Later calls only report.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        self.core.shutdown(deadline)
    }

    pub(crate) fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
    }

    /// For the layer.
    #[doc(hidden)]
    pub fn sink(&self) -> Sink {
        Sink(Arc::clone(&self.core))
    }
}

fn buffer(fields: &[(Text, Value)]) -> FieldBuf {
    let mut buffer = FieldBuf::new();
    push_all(&mut buffer, fields);
    buffer
}

fn push_all(buffer: &mut FieldBuf, fields: &[(Text, Value)]) {
    for (name, value) in fields {
        buffer.push(Key::Name(name), value.as_ref());
    }
}

impl Core {
    pub(crate) fn is_enabled(&self) -> bool {
        self.config.enabled
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.table.read(), Arc::clone(&self.resource))
    }

    fn ledger(&self) -> Ledger {
        self.buffers.ledger(&self.books.lock())
    }

    fn add_exporter(&self, exporter: Box<dyn Exporter>) -> Result<(), Error> {
        if !self.config.enabled {
            return Ok(());
        }
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        let name = exporter.name().to_owned();
        let number = self.books.add_exporter(name.clone());
        let share = self.config.exporter_bytes / 4;
        // Spans are many and large: half of the memory is theirs.
        let (spans, spans_out) = Lane::new(Signal::Spans, share * 2);
        let (events, events_out) = Lane::new(Signal::Events, share);
        let (metrics, metrics_out) = Lane::new(Signal::Metrics, share);
        let (control, told) = unbounded();
        let output = Output {
            number,
            wants: Signal::ALL.map(|signal| exporter.wants(signal)),
            baseline: Output::baseline(exporter.temporality(), &self.table),
            lanes: [spans, events, metrics],
            control,
        };
        let (checked, result) = bounded(1);
        let check = (self.config.check_at_start != CheckAtStart::Off).then_some(checked);
        let lanes = [spans_out, events_out, metrics_out];
        if let Err(e) = Worker::spawn(exporter, number, Arc::clone(&self.books), lanes, told, check) {
            self.books.end(number);
            return Err(Error::Thread(e));
        }
        self.commands.send(Command::Add(Box::new(output))).map_err(|_| Error::ShutDown)?;
        self.config.check_at_start.await_result(&name, &result)
    }

    fn add_reader(self: &Arc<Self>, mut reader: Box<dyn Reader>) -> Result<(), Error> {
        // A reader lives as long as the collector, which it must not keep alive.
        let (core, resource) = (Arc::downgrade(self), Arc::clone(&self.resource));
        let source = Source::new(move || match core.upgrade() {
            Some(core) => core.snapshot(),
            None => Snapshot::new(Vec::new(), Arc::clone(&resource)),
        });
        if let Err(source) = reader.attach(source) {
            return Err(Error::Reader { reader: reader.name().to_owned(), source });
        }
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(())
    }

    fn flush(&self, deadline: Duration) -> Report {
        let until = Instant::now() + deadline;
        let (done, moved) = bounded(1);
        let complete = self.commands.send(Command::Flush(done)).is_err()
            || (moved.recv_deadline(until).is_ok() && self.books.wait_settled(until));
        Report { ledger: self.ledger(), complete, late: Vec::new() }
    }

    fn shutdown(&self, deadline: Duration) -> Report {
        let until = Instant::now() + deadline;
        let mut complete = true;
        let mut late = Vec::new();
        // Others who shut it down meanwhile wait here, and then only report.
        let mut aggregator = self.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Relaxed);
        if let Some(thread) = aggregator.take() {
            let (done, moved) = bounded(1);
            complete = self.commands.send(Command::Stop(until, done)).is_ok()
                && moved.recv_deadline(until).is_ok()
                && thread.join().is_ok();
            late = self.books.wait_ended(until);
            complete &= late.is_empty();
        }
        Report { ledger: self.ledger(), complete, late }
    }
}

/// What the layer needs of a collector: it records, and does not keep the collector running.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Sink(Arc<Core>);

#[doc(hidden)]
impl Sink {
    pub fn is_enabled(&self) -> bool {
        self.0.config.enabled
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn sampler(&self) -> HeadSampler {
        self.0.sampler
    }

    pub fn push_span(&self, head: &SpanHead<'_>, fields: &FieldBuf) {
        self.0.buffers.push_span(head, fields);
    }

    pub fn push_event(&self, head: &EventHead<'_>, fields: &FieldBuf) {
        self.0.buffers.push_event(head, fields);
    }

    pub fn sampled_out(&self, signal: Signal) {
        self.0.buffers.sampled_out(signal);
    }

    pub fn suppressed(&self, signal: Signal) {
        self.0.buffers.suppressed(signal);
    }

    /// Takes a measurement that a field of an event stands for.
    pub fn measure(
        &self,
        kind: crate::metrics::CellKind,
        name: &'static str,
        level: Level,
        tags: &[(&str, &str)],
        value: Number,
    ) {
        let site = crate::metrics::Site::new(kind, name, &[]).level(level).passing();
        self.0.table.record(&site, tags, value);
    }
}

#[cfg(test)]
mod tests;
