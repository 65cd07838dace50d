//! What a collector is made of, and how it is flushed and shut down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::config::{CheckAtStart, Config};
use super::report::Report;
use crate::Error;
use crate::clock::{Clock, deadline_in};
use crate::diagnostics::warn;
use crate::exporters::{Activity, ExporterHealth, HostTag, Limits, Route, Sieve, Signal, Terms};
use crate::metrics::{Baseline, Reader, SharedHistogram, Snapshot, Source, Table};
use crate::model::{Kind, Resource, Tags, Temporality, Text};
use crate::pipeline::Ledger;
use crate::pipeline::books::Books;
use crate::pipeline::buffers::Buffers;
use crate::pipeline::command::Command;
use crate::pipeline::feedback::{Complaints, Reports};
use crate::pipeline::lanes::Lanes;
use crate::pipeline::output::{KeepingUp, Output, Patience};
use crate::pipeline::schedule::Pace;
use crate::pipeline::start;
use crate::pipeline::worker::Job;
use crate::sampling::Sampler;
use crate::sync::{Mutex, lock};
use crate::thread::suppress_this_thread;

/// An exporter that was added.
#[derive(Debug)]
pub(super) struct Registered {
    number: usize,
    name: String,
    lanes: Arc<Lanes>,
    /// How long its attempts take, in seconds.
    durations: Arc<SharedHistogram>,
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
    pub(super) readers: Mutex<Vec<Box<dyn Reader>>>,
    pub(super) closed: AtomicBool,
    pub(super) exporters: Mutex<Vec<Registered>>,
    /// In nanoseconds since the Unix epoch.
    pub(super) started: u64,
    pub(super) reports: Reports,
}

impl std::fmt::Debug for Box<dyn Reader> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Engine {
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

    pub(super) fn add_exporter(&self, Route { target, terms }: Route) -> Result<(), Error> {
        if !self.config.enabled {
            return Ok(());
        }
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        let started = start::spawn(target).map_err(Error::Thread)?;
        // What it says runs on its own thread, and may hang.
        let hello = match started.hello.recv_timeout(CheckAtStart::TIME) {
            Ok(Some(hello)) => hello,
            Ok(None) => return Err(Error::exporter("it panicked when it was asked for its name")),
            Err(_) => return Err(Error::exporter("it does not say its name")),
        };
        let resource = self.resource_of(&terms)?;
        let number = self.books.add_exporter(&hello.name);
        let name = self.books.name(number);
        // Spans and events share theirs: which of them are many differs from program to program.
        let eighth = self.config.exporter_bytes / 8;
        let wake = self.commands.clone();
        let wake = move || drop(wake.send(Command::Wake));
        let lanes = Arc::new(Lanes::new([7 * eighth, eighth], wake));
        let watched = Arc::downgrade(&lanes);
        self.clock.on_move(move || watched.upgrade().map(|lanes| lanes.wake()).is_some());
        let complaints = Arc::new(Complaints::of(format!("exporter {name}")));
        let durations = Arc::new(SharedHistogram::new(None));
        let (checked, result) = bounded(1);
        let limits = Limits { in_flight: terms.in_flight.unwrap_or(hello.limits.in_flight), ..hello.limits };
        let (give_up_after, linger, rate) = (terms.give_up_after, terms.linger, terms.rate);
        let job = Job {
            number,
            name: name.clone(),
            books: Arc::clone(&self.books),
            lanes: Arc::clone(&lanes),
            clock: Arc::clone(&self.clock),
            pace: Pace { limits, give_up_after, linger, rate },
            #[cfg(any(feature = "net", test))]
            timeout: terms.timeout,
            complaints: Arc::clone(&complaints),
            reports: self.reports.clone(),
            durations: Arc::clone(&durations),
            checked: (self.config.check_at_start != CheckAtStart::Off).then_some(checked),
        };
        if started.begin.send(job).is_err() {
            self.books.end(number);
            return Err(Error::ShutDown);
        }
        let checked = self.config.check_at_start.await_result(&name, &result);
        if checked.is_err() {
            lanes.abandon();
        }
        checked?;
        let wants =
            Signal::EACH.map(|signal| hello.wants[signal as usize] && terms.filter.takes_signal(signal));
        let temporality = Kind::SUMMED.into_iter().zip(hello.temporality);
        let deltas =
            temporality.filter(|(kind, wanted)| terms.temporality_of(*kind, *wanted) == Temporality::Delta);
        let deltas: Vec<Kind> =
            deltas.map(|(kind, _)| kind).filter(|_| wants[Signal::Metrics as usize]).collect();
        let last_read =
            if wants[Signal::Metrics as usize] { self.table.add_source() } else { Arc::default() };
        let back_pressure = terms.back_pressure.or(self.config.back_pressure);
        back_pressure.into_iter().for_each(|time| self.buffers.be_patient(time));
        let output = Output {
            number,
            wants,
            lanes: Arc::clone(&lanes),
            sieve: Sieve::new(terms.filter),
            resource,
            baseline: (!deltas.is_empty()).then(|| Baseline::joining(deltas, &self.table.read())),
            last_read,
            interval: terms.flush_interval.unwrap_or(self.config.flush_interval),
            next_due: self.clock.now().plus(terms.flush_interval.unwrap_or(self.config.flush_interval)),
            patience: back_pressure.map_or(Patience::GRACE, |time| Patience { time, is_wanted: true }),
            complaints,
            keeping_up: KeepingUp::Yes,
        };
        lock(&self.exporters).push(Registered { number, name, lanes, durations });
        let (done, added) = bounded(1);
        self.commands.send(Command::Add(Box::new(output), done)).map_err(|_| Error::ShutDown)?;
        added.recv().map_err(|_| Error::ShutDown)
    }

    /// The global tags with those of a route.
    fn resource_of(&self, terms: &Terms) -> Result<Arc<Resource>, Error> {
        let mut tags = Tags::new();
        let host = match &terms.host_tag {
            HostTag::Off => None,
            HostTag::Named(name) => Some(name.clone()),
            HostTag::Auto => {
                let name = host_name();
                if name.is_none() {
                    warn(format_args!("the name of this machine is not known: there is no tag `host`"));
                }
                name.map(Text::from)
            }
        };
        for (key, value) in host.map(|host| (Text::from("host"), host)).into_iter().chain(terms.tags.clone())
        {
            let shown = format!("{key}: {value}");
            tags.insert(key, value).map_err(|e| Error::config("tag", shown, e))?;
        }
        if tags.is_empty() {
            return Ok(Arc::clone(&self.resource));
        }
        let tags = tags.or(self.resource.tags());
        let resource = Resource::new(tags, self.resource.service_name().to_owned());
        Ok(Arc::new(resource.map_err(|e| Error::config("tag", "", e))?))
    }

    /// Whether something was recorded and nobody takes it.
    pub(super) fn goes_nowhere(&self) -> bool {
        let is_recorded =
            |ledger: &Ledger| Signal::EACH.iter().any(|signal| ledger.signal(*signal).recorded > 0);
        self.config.enabled
            && lock(&self.exporters).is_empty()
            && lock(&self.readers).is_empty()
            && (is_recorded(&self.ledger()) || !self.table.read().is_empty())
    }

    /// Pauses an exporter, or lets it go on. False where there is none of that name.
    pub(super) fn pause(&self, name: &str, paused: bool) -> bool {
        let exporters = lock(&self.exporters);
        let found = exporters.iter().find(|exporter| exporter.name == name);
        found.map(|exporter| exporter.lanes.pause(paused)).is_some()
    }

    /// Number and name of each exporter, and how long its attempts take.
    pub(super) fn attempts(&self) -> Vec<(usize, String, Arc<SharedHistogram>)> {
        let of = |e: &Registered| (e.number, e.name.clone(), Arc::clone(&e.durations));
        lock(&self.exporters).iter().map(of).collect()
    }

    /// How the exporters fare.
    pub(super) fn health(&self) -> Vec<ExporterHealth> {
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let exporters = lock(&self.exporters);
        let health = exporters.iter().map(|Registered { name, lanes, .. }| {
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

    pub(super) fn add_reader(self: &Arc<Self>, mut reader: Box<dyn Reader>) -> Result<(), Error> {
        // A reader lives as long as the collector, which it must not keep alive.
        let (engine, resource) = (Arc::downgrade(self), Arc::clone(&self.resource));
        let last_read = self.table.add_source();
        let source = Source::new(move || {
            let Some(engine) = engine.upgrade() else {
                return Snapshot::new(Vec::new(), Arc::clone(&resource));
            };
            let now = engine.clock.now();
            let snapshot = engine.snapshot();
            last_read.fetch_max(now.raw(), Relaxed);
            snapshot
        });
        // Its code may hang or panic: it runs aside.
        let attached = aside(move || {
            let attached = reader.attach(source).map_err(|source| (reader.name().to_owned(), source));
            (reader, attached)
        });
        match attached.map_err(Error::Thread)?.recv_timeout(CheckAtStart::TIME) {
            Ok((reader, Ok(()))) => lock(&self.readers).push(reader),
            Ok((_, Err((reader, source)))) => return Err(Error::Reader { reader, source }),
            Err(RecvTimeoutError::Timeout) => return Err(Error::reader("it does not return from `attach`")),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::reader("it panicked in `attach`")),
        }
        Ok(())
    }

    pub(super) fn flush(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        if !self.config.enabled {
            return Report { ledger: self.ledger(), complete: true, late: Vec::new() };
        }
        let (done, moved) = bounded(1);
        let is_closed = self.closed.load(Relaxed) || self.commands.send(Command::Flush(done)).is_err();
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

    pub(super) fn shutdown(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        if !self.config.enabled {
            self.closed.store(true, Relaxed);
            return Report { ledger: self.ledger(), complete: true, late: Vec::new() };
        }
        let running = lock(&self.dispatcher).take();
        self.closed.store(true, Relaxed);
        let Some(thread) = running else { return self.report_of_end(until) };
        // What callbacks of the program take goes off the time of the exporters, so it is not all of it.
        self.table.stop_callbacks_by(deadline_in(deadline / 4));
        let (done, moved) = bounded(1);
        // Workers end a little before, so that they can say how.
        let reserve = (deadline / 10).min(Duration::from_millis(100));
        let stop = Command::Stop(self.clock.now().plus(deadline.saturating_sub(reserve)), done);
        let moved = self.commands.send(stop).is_ok() && moved.recv_deadline(until).is_ok();
        if moved {
            let _ = thread.join();
        }
        self.buffers.close();
        let late = self.books.wait_ended(until);
        let exporters = std::mem::take(&mut *lock(&self.exporters));
        let late: Vec<String> = late.into_iter().map(|number| self.books.name(number)).collect();
        exporters.iter().for_each(|exporter| exporter.lanes.abandon());
        self.reports.finish();
        self.end_user_code(until);
        self.books.finish(late);
        self.report_of_end(until)
    }

    /// Lets go of callbacks and readers, whose code may hang or panic.
    fn end_user_code(&self, until: Instant) {
        let readers = std::mem::take(&mut *lock(&self.readers));
        let table = Arc::clone(&self.table);
        let has_any = !readers.is_empty() || table.has_callbacks();
        let ended = has_any.then(|| {
            aside(move || {
                table.forget_callbacks();
                for mut reader in readers {
                    let _ = catch_unwind(AssertUnwindSafe(|| reader.shutdown()));
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(reader)));
                }
            })
        });
        if let Some(Ok(ended)) = ended {
            let _ = ended.recv_deadline(until);
        }
    }

    /// What the shutdown says, which another thread may be at.
    fn report_of_end(&self, until: Instant) -> Report {
        match self.books.wait_finished(until) {
            Some(late) => {
                let ledger = self.ledger();
                let complete = late.is_empty() && ledger.lost() == 0;
                Report { ledger, complete, late }
            }
            None => self.report(false),
        }
    }

    fn report(&self, complete: bool) -> Report {
        Report { ledger: self.ledger(), complete, late: Vec::new() }
    }
}

/// Runs code of the program on a thread that nobody has to wait for.
fn aside<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> std::io::Result<Receiver<R>> {
    let (done, result) = bounded(1);
    std::thread::Builder::new().name("telemetry-aside".to_owned()).spawn(move || {
        suppress_this_thread();
        if let Ok(result) = catch_unwind(AssertUnwindSafe(f)) {
            let _ = done.send(result);
        }
    })?;
    Ok(result)
}

/// As the system says it.
fn host_name() -> Option<String> {
    let of_file = |path: &str| std::fs::read_to_string(path).ok();
    let of_env = |name: &str| std::env::var(name).ok();
    let name = of_file("/proc/sys/kernel/hostname")
        .or_else(|| of_file("/etc/hostname"))
        .or_else(|| of_env("HOSTNAME"))
        .or_else(|| of_env("COMPUTERNAME"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
