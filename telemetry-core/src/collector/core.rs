//! What a collector is made of, and how it is flushed and shut down.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use tracing_core::Level;

use crate::Error;
use crate::clock::{Clock, deadline_in};
use crate::exporters::{Exporter, Signal};
use crate::metrics::{Reader, Snapshot, Source, Table};
use crate::model::{Number, Resource};
use crate::pipeline::Ledger;
use crate::pipeline::aggregator::{Command, Output};
use crate::pipeline::buffer::{Buffers, Writer};
use crate::pipeline::ledger::Books;
use crate::pipeline::queue::Lane;
use crate::pipeline::worker::Worker;
use crate::sampling::Sampler;

use super::{CheckAtStart, Config, Report};

/// All of a collector that lives as long as somebody may record.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) config: Config,
    pub(super) clock: Arc<Clock>,
    pub(super) table: Arc<Table>,
    pub(super) buffers: Arc<Buffers>,
    pub(super) books: Arc<Books>,
    pub(super) resource: Arc<Resource>,
    pub(super) sampler: Sampler,
    pub(super) commands: Sender<Command>,
    pub(super) aggregator: Mutex<Option<JoinHandle<()>>>,
    pub(super) readers: Mutex<Vec<Box<dyn Reader>>>,
    pub(super) closed: AtomicBool,
}

impl std::fmt::Debug for Box<dyn Reader> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Core {
    pub(crate) fn is_enabled(&self) -> bool {
        self.config.enabled
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Tells collectors apart.
    pub(crate) fn number(&self) -> u64 {
        self.table.collector()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.table.read(), Arc::clone(&self.resource))
    }

    pub(super) fn ledger(&self) -> Ledger {
        let ledger = self.buffers.ledger(&self.books.lock());
        Ledger { refused: self.table.refused(), ..ledger }
    }

    pub(super) fn add_exporter(&self, exporter: Box<dyn Exporter>) -> Result<(), Error> {
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
            baseline: exporter
                .wants(Signal::Metrics)
                .then(|| Output::baseline(exporter.temporality(), &self.table))
                .flatten(),
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

    pub(super) fn add_reader(self: &Arc<Self>, mut reader: Box<dyn Reader>) -> Result<(), Error> {
        // A reader lives as long as the collector, which it must not keep alive.
        let (core, resource) = (Arc::downgrade(self), Arc::clone(&self.resource));
        let last_read = self.table.add_source();
        let source = Source::new(move || {
            let Some(core) = core.upgrade() else { return Snapshot::new(Vec::new(), Arc::clone(&resource)) };
            let now = core.clock.now();
            let snapshot = core.snapshot();
            last_read.fetch_max(now.raw(), Relaxed);
            snapshot
        });
        if let Err(source) = reader.attach(source) {
            return Err(Error::Reader { reader: reader.name().to_owned(), source });
        }
        lock(&self.readers).push(reader);
        Ok(())
    }

    pub(super) fn flush(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        let (done, moved) = bounded(1);
        let nothing_runs = !self.config.enabled || self.closed.load(Relaxed);
        let complete = nothing_runs
            || (self.commands.send(Command::Flush(done)).is_ok()
                && moved.recv_deadline(until).is_ok()
                && self.books.wait_settled(until));
        Report { ledger: self.ledger(), complete, late: Vec::new() }
    }

    pub(super) fn shutdown(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        self.closed.store(true, Relaxed);
        let running = lock(&self.aggregator).take();
        let Some(thread) = running else {
            // Nothing ever ran, or somebody else is at it, or was.
            let complete = !self.config.enabled || self.books.wait_finished(until);
            return Report { ledger: self.ledger(), complete, late: Vec::new() };
        };
        self.table.stop_callbacks_by(until);
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the layer needs of a collector: it records, and does not keep the collector running.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Sink(pub(super) Arc<Core>);

#[doc(hidden)]
impl Sink {
    pub(crate) fn core(&self) -> &Core {
        &self.0
    }

    /// The collector, which this does not keep running.
    pub fn collector(&self) -> super::Collector {
        super::Collector { core: Arc::clone(&self.0), _running: None }
    }

    /// Tells collectors apart.
    pub fn number(&self) -> u64 {
        self.0.number()
    }

    pub fn is_enabled(&self) -> bool {
        self.0.config.enabled
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn sampler(&self) -> &Sampler {
        &self.0.sampler
    }

    /// With what this thread records for the layer.
    pub fn writer(&self) -> Writer {
        self.0.buffers.writer()
    }

    /// An item of a thread that telemetry looks away from.
    pub fn suppressed(&self, signal: crate::exporters::Signal) {
        self.0.buffers.suppressed(signal);
    }

    /// Runs `f` with a writer of this thread, which may be ending.
    pub fn with_writer(&self, f: impl FnOnce(&mut Writer)) {
        self.0.buffers.with_writer(f);
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
        let site = crate::metrics::Site::new(kind, name, &[]).level(level).unnumbered();
        self.0.table.record(&site, tags, value);
    }
}
