//! The collector: where everything comes together, and the only room that reads the environment.

mod builder;
mod config;
pub(crate) mod current;
mod guard;
mod report;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use tracing_core::Level;

use crate::Error;
use crate::clock::{Clock, far};
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

    /// Whether a program has its global collector already.
    pub fn has_global() -> bool {
        current::is_installed()
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
        let head = EventHead {
            trace_id: event.trace_id,
            span_id: event.span_id,
            sampled: event.trace_id.is_some_and(|trace| self.core.sampler.keeps(trace)),
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
        let ledger = self.buffers.ledger(&self.books.lock());
        Ledger { refused: self.table.refused(), ..ledger }
    }

    fn add_exporter(&self, exporter: Box<dyn Exporter>) -> Result<(), Error> {
        if !self.config.enabled {
            return Ok(());
        }
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        let name = exporter.name().to_owned();
        let number = self.books.add_exporter(&name);
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
        // Where the check fails the output goes, and with it the worker.
        self.config.check_at_start.await_result(&name, &result)?;
        self.commands.send(Command::Add(Box::new(output))).map_err(|_| Error::ShutDown)
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
        lock(&self.readers).push(reader);
        Ok(())
    }

    fn flush(&self, deadline: Duration) -> Report {
        let until = far(deadline);
        let (done, moved) = bounded(1);
        let nothing_runs = !self.config.enabled || self.closed.load(Relaxed);
        let complete = nothing_runs
            || (self.commands.send(Command::Flush(done)).is_ok()
                && moved.recv_deadline(until).is_ok()
                && self.books.wait_settled(until));
        Report { ledger: self.ledger(), complete, late: Vec::new() }
    }

    fn shutdown(&self, deadline: Duration) -> Report {
        let until = far(deadline);
        self.closed.store(true, Relaxed);
        let running = lock(&self.aggregator).take();
        let Some(thread) = running else {
            // Nothing ever ran, or somebody else is at it, or was.
            let complete = !self.config.enabled || self.books.wait_finished(until);
            return Report { ledger: self.ledger(), complete, late: Vec::new() };
        };
        let (done, moved) = bounded(1);
        let moved =
            self.commands.send(Command::Stop(until, done)).is_ok() && moved.recv_deadline(until).is_ok();
        // An aggregator that is kept by a callback of the user ends when that returns.
        let moved = moved && thread.join().is_ok();
        self.buffers.close();
        let late = self.books.wait_ended(until);
        self.table.forget_callbacks();
        let readers = std::mem::take(&mut *lock(&self.readers));
        readers.into_iter().for_each(|mut reader| reader.shutdown());
        self.books.finish();
        Report { ledger: self.ledger(), complete: moved && late.is_empty(), late }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
