//! What a collector is made of, and how it is flushed.

#[cfg(feature = "prometheus")]
use std::net::SocketAddr;
#[cfg(any(feature = "net", test))]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::by_hand::collect_event;
use super::config::Config;
use super::report::Report;
use crate::Error;
use crate::clock::{Clock, deadline_in};
use crate::diagnostics;
#[cfg(feature = "prometheus")]
use crate::exporters::server::Server;
use crate::exporters::{Activity, ExporterHealth, Signal};
use crate::metrics::{Observations, Reader, SharedHistogram, Snapshot, Table};
use crate::model::Resource;
use crate::pipeline::Ledger;
use crate::pipeline::books::Books;
use crate::pipeline::buffers::Buffers;
use crate::pipeline::command::Command;
use crate::pipeline::feedback::Reports;
use crate::pipeline::lanes::Lanes;
#[cfg(any(feature = "net", test))]
use crate::pipeline::spool::{Figures, Heir, Shelf};
use crate::sampling::Sampler;
use crate::sync::{Mutex, lock};
use crate::text::{self, Quoted};
use crate::thread::{quietly, spawn};

/// A name that nobody has is shown up to so many bytes.
const MOST_SHOWN: usize = 200;

/// An exporter that was added.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) number: usize,
    pub(super) account: usize,
    pub(super) name: String,
    pub(super) is_network: bool,
    /// It is being removed, or was replaced: it has no name any more.
    pub(super) is_leaving: bool,
    pub(super) lanes: Arc<Lanes>,
    /// How long its attempts take, in seconds.
    pub(super) durations: Arc<SharedHistogram>,
    #[cfg(any(feature = "net", test))]
    pub(super) spool: Option<SpoolEnd>,
}

/// The spool of an exporter.
#[cfg(any(feature = "net", test))]
#[derive(Clone, Debug)]
pub(super) struct SpoolEnd {
    pub(super) shelf: Arc<Shelf>,
    pub(super) path: PathBuf,
    pub(super) format: String,
    /// Those who have it next.
    pub(super) heirs: Sender<Heir>,
    /// It has come from the exporter before this one.
    pub(super) is_there: Arc<AtomicBool>,
}

/// A reader that was added.
pub(super) struct Attached {
    /// As it said it when it was added.
    pub(super) name: String,
    pub(super) reader: Box<dyn Reader>,
    /// Where its page is served, if it has one.
    #[cfg(feature = "prometheus")]
    pub(super) page: Option<(SocketAddr, String)>,
}

/// All of a collector that lives as long as somebody may record.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) config: Config,
    pub(super) clock: Arc<Clock>,
    pub(super) table: Arc<Table>,
    pub(super) buffers: Arc<Buffers>,
    pub(super) books: Arc<Books>,
    pub(super) resource: Arc<Resource>,
    pub(super) sampler: Sampler,
    pub(super) commands: Sender<Command>,
    pub(super) dispatcher: Mutex<Option<JoinHandle<()>>>,
    pub(super) readers: Mutex<Vec<Attached>>,
    /// Shows the pages that are pulled.
    #[cfg(feature = "prometheus")]
    pub(super) server: Server,
    /// Not where the configuration says so, nor in a child of the process that started it.
    pub(super) enabled: AtomicBool,
    pub(super) closed: AtomicBool,
    pub(super) exporters: Mutex<Vec<Registered>>,
    /// In nanoseconds since the Unix epoch.
    pub(super) started: u64,
    pub(super) reports: Reports,
    /// Instruments feed it that nobody has bound to another.
    pub(super) is_global: AtomicBool,
    /// A layer feeds it.
    pub(super) has_layer: AtomicBool,
    /// It was said that nobody takes what is recorded.
    pub(super) said_nobody: AtomicBool,
    /// Somebody has the report of the end.
    pub(super) is_told: Mutex<bool>,
}

impl Registered {
    /// Whether it is the one of that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name && !self.is_leaving
    }
}

impl Attached {
    /// Lets go of it, which may take as long as it likes.
    pub(super) fn end(mut self) {
        quietly(|| self.reader.shutdown());
        quietly(|| drop(self));
    }
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Quoted::word(&self.name))
    }
}

impl Engine {
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Relaxed)
    }

    /// In a child process: it records nothing any more, and takes no lock, as another thread may have it for ever.
    pub(super) fn leave_behind(&self) {
        self.enabled.store(false, Relaxed);
        self.closed.store(true, Relaxed);
        self.buffers.leave_behind();
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
        let metrics = if self.is_enabled() { self.table.read() } else { Arc::default() };
        Snapshot::shared(metrics, Arc::clone(&self.resource))
    }

    pub(super) fn ledger(&self) -> Ledger {
        if !self.is_enabled() {
            return self.buffers.ledger_of_child();
        }
        let ledger = self.buffers.ledger(&self.books.lock());
        Ledger { refused: self.table.refused(), summed_up: self.table.summed_up(), ..ledger }
    }

    /// Whether nobody takes what is recorded.
    fn has_nobody(&self) -> bool {
        self.is_enabled()
            && lock(&self.exporters).iter().all(|exporter| exporter.is_leaving)
            && lock(&self.readers).is_empty()
    }

    /// At the start of a program that names its exporters in the environment.
    pub(super) fn say_if_nobody_is_there(&self) {
        if self.has_nobody() && !self.said_nobody.swap(true, Relaxed) {
            diagnostics::warn(format_args!(
                "nothing is exported yet: name exporters in TELEMETRY_EXPORT_ENDPOINTS, for instance console: or \
                 file:DIR"
            ));
        }
    }

    /// Of the global collector, while it runs and at its end; others may be there only to be looked at.
    pub(super) fn say_if_nobody_takes(&self) {
        if self.is_global.load(Relaxed)
            && !self.said_nobody.load(Relaxed)
            && self.has_nobody()
            && self.has_recorded()
            && !self.said_nobody.swap(true, Relaxed)
        {
            diagnostics::warn(format_args!(
                "what was recorded went nowhere: the collector has no exporter and no reader. Name one in code \
                 (`.endpoint(\"console:\")`) or in TELEMETRY_EXPORT_ENDPOINTS"
            ));
        }
    }

    /// Pauses an exporter, or lets it go on. False where there is none of that name.
    pub(super) fn pause(&self, name: &str, paused: bool) -> bool {
        if !self.is_enabled() {
            return false;
        }
        let exporters = lock(&self.exporters);
        let found = exporters.iter().find(|exporter| exporter.is(name));
        found.map(|exporter| exporter.lanes.pause(paused)).is_some()
    }

    /// Nobody has that name.
    pub(super) fn unknown(&self, name: &str) -> Error {
        let exporters = lock(&self.exporters);
        let there = exporters.iter().filter(|exporter| !exporter.is_leaving);
        let mut known: Vec<_> = there.map(|exporter| exporter.name.clone()).collect();
        drop(exporters);
        known.extend(lock(&self.readers).iter().map(|reader| reader.name.clone()));
        Error::UnknownExporter { name: text::line(format_args!("{name}"), MOST_SHOWN), known }
    }

    /// Account and name of each exporter, and how long its attempts take.
    pub(super) fn attempts(&self) -> Vec<(usize, String, Arc<SharedHistogram>)> {
        let of = |e: &Registered| (e.account, e.name.clone(), Arc::clone(&e.durations));
        lock(&self.exporters).iter().filter(|exporter| !exporter.is_leaving).map(of).collect()
    }

    /// The name of each exporter that has a spool, and how that fares.
    #[cfg(any(feature = "net", test))]
    pub(super) fn spools(&self) -> Vec<(String, Figures)> {
        let of = |e: &Registered| Some((e.name.clone(), e.spool.as_ref()?.shelf.figures()));
        lock(&self.exporters).iter().filter(|exporter| !exporter.is_leaving).filter_map(of).collect()
    }

    /// How the exporters fare.
    pub(super) fn health(&self) -> Vec<ExporterHealth> {
        if !self.is_enabled() {
            return Vec::new();
        }
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let exporters = lock(&self.exporters);
        let exporters = exporters.iter().filter(|exporter| !exporter.is_leaving);
        let health = exporters.map(|Registered { name, lanes, .. }| {
            let (health, oldest, is_paused) = lanes.health();
            ExporterHealth {
                name: name.clone(),
                last_success_unix_nano: health.last_success.map(|tick| anchors.unix_nanos(tick)),
                failures: health.failures,
                oldest_waiting: oldest.map(|tick| Duration::from_nanos(now.since(tick))),
                activity: if is_paused { Activity::Pause } else { health.activity },
                is_paused,
            }
        });
        health.collect()
    }

    /// Says what limits have kept back since the last time, and where.
    pub(super) fn say_kept_back(&self) {
        for kept_back in self.sampler.take_kept_back() {
            let event = kept_back.event(self.clock.unix_nanos());
            collect_event(&event, self.config.max_text(), &self.sampler, &self.buffers);
        }
    }

    pub(super) fn flush(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        if !self.is_enabled() {
            return self.report_of_nothing();
        }
        if !self.closed.load(Relaxed) {
            self.say_kept_back();
        }
        let (done, moved) = bounded(1);
        let command = Command::Flush(self.clock.now().plus(deadline), done);
        let is_closed = self.closed.load(Relaxed) || self.commands.send(command).is_err();
        let flush = if is_closed { None } else { moved.recv_deadline(until).ok() };
        let Some(flush) = flush else {
            // A shutdown is going on, or was: it says how all ended.
            return if self.closed.load(Relaxed) { self.report_of_end(until) } else { self.report(false) };
        };
        let in_time = flush.wait(until);
        let ledger = self.ledger();
        let complete = in_time && flush.lost() == 0 && ledger.lost_on_the_way() == 0;
        Report { ledger, complete, late: Vec::new() }
    }

    /// Whether anything was. Callbacks are not asked: they would have to be waited for.
    pub(super) fn has_recorded(&self) -> bool {
        let ledger = self.ledger();
        let is_any = |signal: &Signal| ledger.signal(*signal).recorded > 0;
        let levels = || self.table.read_levels(Observations::default(), false);
        Signal::EACH.iter().any(is_any) || self.table.has_callbacks() || !levels().merged(|_| true).is_empty()
    }

    /// What the shutdown says, which another thread may be at.
    pub(super) fn report_of_end(&self, until: Instant) -> Report {
        match self.books.wait_finished(until) {
            Some(late) => {
                let ledger = self.ledger();
                let complete = late.is_empty() && ledger.lost() == 0;
                Report { ledger, complete, late }
            }
            None => self.report(false),
        }
    }

    /// Nobody takes what is recorded, and nobody has to be waited for.
    pub(super) fn report_of_nothing(&self) -> Report {
        let ledger = self.ledger();
        let complete = ledger.lost() == 0;
        Report { ledger, complete, late: Vec::new() }
    }

    fn report(&self, complete: bool) -> Report {
        Report { ledger: self.ledger(), complete, late: Vec::new() }
    }
}

/// What was lost at a deadline.
pub(super) fn say_late(lost: &[(String, Signal, u64)]) {
    for (name, signal, lost) in lost.iter().filter(|(.., lost)| *lost > 0) {
        let (name, items) = (Quoted::word(name), signal.amount(*lost));
        diagnostics::warn(format_args!("exporter {name}: lost {items}: not delivered by the deadline"));
    }
}

/// Runs code of the program on a thread that nobody has to wait for.
pub(super) fn aside<R: Send + 'static>(
    f: impl FnOnce() -> R + Send + 'static,
) -> std::io::Result<Receiver<R>> {
    let (done, result) = bounded(1);
    spawn("telemetry-aside", move || {
        if let Some(result) = quietly(f) {
            let _ = done.send(result);
        }
    })?;
    Ok(result)
}
