//! How exporters are added to a collector that runs. Their code may hang or panic in whatever it is asked.

#[cfg(any(feature = "net", test))]
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "net", test))]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::bounded;
#[cfg(any(feature = "net", test))]
use crossbeam_channel::unbounded;

use super::config::{CheckAtStart, env_var};
#[cfg(any(feature = "net", test))]
use super::engine::SpoolEnd;
use super::engine::{Engine, Registered};
use super::self_metrics;
use crate::Error;
use crate::detect;
use crate::diagnostics::warn;
#[cfg(any(feature = "net", test))]
use crate::exporters::SpoolMode;
use crate::exporters::{Driver, ExportError, HostTag, Limits, Sieve, Signal, Terms};
use crate::metrics::Baseline;
use crate::model::{Kind, Resource, Tags, Temporality, Text};
use crate::pipeline::command::Command;
use crate::pipeline::feedback::Complaints;
use crate::pipeline::lanes::Lanes;
use crate::pipeline::output::{KeepingUp, Output, Patience, Sums};
#[cfg(any(feature = "net", test))]
use crate::pipeline::spool::{Bounds, For, Heir, Place, Shelf, Spool};
#[cfg(any(feature = "net", test))]
use crate::pipeline::spooling::Spooling;
use crate::pipeline::start;
use crate::pipeline::step::Pace;
#[cfg(any(feature = "net", test))]
use crate::pipeline::worker::Inherits;
use crate::pipeline::worker::{Check, Hello, Job};
use crate::sync::lock;
use crate::text::{self, Quoted};

/// The name of an exporter has so many bytes; the next ones are cut.
const MOST_OF_NAME: usize = 200;

/// What the code of the program is asked when it is added may take so long.
pub(super) const TIME: Duration = Duration::from_secs(3);
/// Few items wait so long for more.
const LINGER: Duration = Duration::from_millis(200);

/// A spool has so many bytes, and keeps them for so long.
#[cfg(any(feature = "net", test))]
const SPOOL: (u64, Duration) = (256 << 20, Duration::from_hours(7 * 24));

#[cfg(any(feature = "net", test))]
fn bounds_of(terms: &Terms) -> Bounds {
    let age = terms.spool_age.unwrap_or(SPOOL.1);
    let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    Bounds { bytes: terms.spool_bytes.unwrap_or(SPOOL.0), age }
}

/// Whether both name one directory.
#[cfg(any(feature = "net", test))]
fn is_same(one: &Path, other: &Path) -> bool {
    std::fs::canonicalize(one).ok().zip(std::fs::canonicalize(other).ok()).is_some_and(|(a, b)| a == b)
}

/// An exporter that is being added. If that fails it is as if nobody had tried.
pub(super) struct Joining<'a> {
    engine: &'a Engine,
    number: usize,
    lanes: Arc<Lanes>,
    pub(super) has_joined: bool,
}

/// One that has begun, and of which nobody knows.
pub(super) struct Prepared<'a> {
    pub(super) joining: Joining<'a>,
    pub(super) output: Output,
    pub(super) registered: Registered,
    /// It is to have the spool of the exporter whose place it takes.
    #[cfg(any(feature = "net", test))]
    pub(super) heir: Option<(Arc<Shelf>, Heir)>,
}

/// Where it has its spool.
#[cfg(any(feature = "net", test))]
enum Where {
    Nowhere,
    At(Place),
    /// Where the exporter has it whose place it takes.
    Inherited(SpoolEnd),
}

/// Its spool, or what it takes to inherit one.
#[cfg(any(feature = "net", test))]
#[derive(Default)]
struct Spools {
    own: Option<Spooling>,
    inherits: Option<Inherits>,
    heir: Option<(Arc<Shelf>, Heir)>,
    end: Option<SpoolEnd>,
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if !self.has_joined {
            lock(&self.engine.exporters).retain(|exporter| exporter.number != self.number);
            self.engine.books.withdraw(self.number);
            self.lanes.abandon();
        }
    }
}

impl Engine {
    pub(super) fn add_exporter(&self, driver: Driver, terms: Terms) -> Result<(), Error> {
        let Prepared { mut joining, output, registered, .. } = self.prepare(driver, terms, None)?;
        self.books.join(output.number);
        lock(&self.exporters).push(registered);
        let (done, added) = bounded(1);
        self.commands.send(Command::Add(Box::new(output), done)).map_err(|_| Error::ShutDown)?;
        added.recv().map_err(|_| Error::ShutDown)?;
        joining.has_joined = true;
        Ok(())
    }

    /// Begins with an exporter, which may take the place of the one of that name.
    pub(super) fn prepare(
        &self,
        driver: Driver,
        terms: Terms,
        in_place_of: Option<&str>,
    ) -> Result<Prepared<'_>, Error> {
        terms.check().map_err(|(name, value, needed)| Error::config(name, value, needed))?;
        let resource = self.resource_of(&terms)?;
        let is_network = driver.is_network();
        if let Some(directory) = terms.spool_directory().filter(|_| !is_network) {
            return Err(Error::config(
                "spool",
                directory.display(),
                "only exporters over a network have one",
            ));
        }
        if let Some((name, old)) = terms.name.as_ref().zip(in_place_of).filter(|(name, old)| name != old) {
            let why = format!("it takes the place of {}, and keeps that name", Quoted::word(old));
            return Err(Error::config("name", name, why));
        }
        #[cfg(any(feature = "net", test))]
        let place = self.place_of(&terms, in_place_of)?;
        let started = start::spawn(driver).map_err(Error::Thread)?;
        // What it says runs on its own thread, and may hang.
        let hello = match started.hello.recv_timeout(TIME) {
            Ok(Some(hello)) => hello,
            Ok(None) => return Err(Error::exporter("it panicked when it was asked for its name")),
            Err(_) => return Err(Error::exporter("it does not say its name")),
        };
        // It stands in lines and tables.
        let number = if let Some(old) = in_place_of {
            self.books.add_worker(old).ok_or_else(|| self.unknown(old))?
        } else {
            let name = terms.name.as_ref().unwrap_or(&hello.name);
            self.books.add_exporter(&text::line(format_args!("{name}"), MOST_OF_NAME))
        };
        let (account, name, durations) = self.books.account(number);
        // Spans and events share theirs: which of them are many differs from program to program.
        let eighth = self.config.exporter_bytes / 8;
        let wake = self.commands.clone();
        let wake = move || drop(wake.send(Command::Wake));
        let lanes = Arc::new(Lanes::new([7 * eighth, eighth], wake));
        let joining = Joining { engine: self, number, lanes: Arc::clone(&lanes), has_joined: false };
        let watched = Arc::downgrade(&lanes);
        self.clock.on_move(move || watched.upgrade().map(|lanes| lanes.wake()).is_some());
        let complaints = Arc::new(Complaints::of(format!("exporter {}", Quoted::word(&name))));
        let (tell, checked) = bounded(1);
        let limits = Limits {
            in_flight: terms.in_flight.filter(|_| !hello.is_live).unwrap_or(hello.limits.in_flight),
            items: terms.max_items.unwrap_or(hello.limits.items),
            ..hello.limits
        };
        // What is shown as it happens waits for nothing.
        let linger = terms.linger.unwrap_or(if hello.is_live { Duration::ZERO } else { LINGER });
        let (give_up_after, rate) = (terms.give_up_after, terms.rate);
        #[cfg(any(feature = "net", test))]
        let Spools { own, inherits, heir, end } =
            self.spool_at(place, &terms, &hello, account, &lanes, &complaints)?;
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
            check: match self.config.check_at_start {
                CheckAtStart::Off => None,
                CheckAtStart::Warn => Some(Check::Say),
                CheckAtStart::Fail => Some(Check::Tell(tell)),
            },
            #[cfg(any(feature = "net", test))]
            spool: own,
            #[cfg(any(feature = "net", test))]
            inherits,
        };
        started.begin.send(job).map_err(|_| Error::ShutDown)?;
        if self.config.check_at_start == CheckAtStart::Fail {
            let checked = checked.recv_timeout(TIME);
            let checked =
                checked.unwrap_or_else(|_| Err(ExportError::retry(format!("no answer within {TIME:?}"))));
            checked.map_err(|source| Error::Check { exporter: name.clone(), source })?;
        }
        let output = self.output(number, &hello, terms, resource, Arc::clone(&lanes), complaints);
        let registered = Registered {
            number,
            account,
            name,
            is_network,
            is_leaving: false,
            lanes,
            durations,
            #[cfg(any(feature = "net", test))]
            spool: end,
        };
        Ok(Prepared {
            joining,
            output,
            registered,
            #[cfg(any(feature = "net", test))]
            heir,
        })
    }

    /// Where its spool is to be, which nobody else has but the exporter whose place it takes.
    #[cfg(any(feature = "net", test))]
    fn place_of(&self, terms: &Terms, in_place_of: Option<&str>) -> Result<Where, Error> {
        let Some(path) = terms.spool_directory() else { return Ok(Where::Nowhere) };
        let wrong = |why: &dyn std::fmt::Display| Error::config("spool", path.display(), why);
        let exporters = lock(&self.exporters);
        let old = in_place_of.and_then(|old| exporters.iter().find(|exporter| exporter.is(old)));
        let known = old.and_then(|old| old.spool.clone()).filter(|end| is_same(&end.path, path));
        drop(exporters);
        match known {
            Some(end) if end.is_there.load(Relaxed) => Ok(Where::Inherited(end)),
            Some(_) => Err(wrong(&"the exporter that had it before has not ended yet")),
            None => Place::take(path).map(Where::At).map_err(|e| wrong(&e)),
        }
    }

    /// Its spool, if it has a place for one.
    #[cfg(any(feature = "net", test))]
    fn spool_at(
        &self,
        place: Where,
        terms: &Terms,
        hello: &Hello,
        account: usize,
        lanes: &Arc<Lanes>,
        complaints: &Arc<Complaints>,
    ) -> Result<Spools, Error> {
        let whose = For {
            account,
            books: Arc::clone(&self.books),
            lanes: Arc::clone(lanes),
            clock: Arc::clone(&self.clock),
            complaints: Arc::clone(complaints),
            format: hello.format.clone(),
            destination: terms.destination.clone().unwrap_or_else(|| hello.name.clone()),
            takes_all: terms.spool_of_any_destination,
        };
        let (bounds, always) = (bounds_of(terms), terms.spool_mode == Some(SpoolMode::Always));
        let (tell, heirs) = unbounded();
        let format = hello.format.clone();
        match place {
            Where::Nowhere => Ok(Spools::default()),
            Where::At(place) => {
                let path = place.path().to_owned();
                let spool = Spool::start(place, bounds, whose).map_err(Error::Thread)?;
                let (shelf, is_there) = (Arc::clone(spool.shelf()), Arc::new(AtomicBool::new(true)));
                let end = Some(SpoolEnd { shelf, path, format, heirs: tell, is_there });
                Ok(Spools {
                    own: Some(Spooling::new(spool, bounds, always, heirs)),
                    end,
                    ..Spools::default()
                })
            }
            Where::Inherited(old) if old.format != format => {
                let why = "the exporter that it takes the place of writes there in another format";
                Err(Error::config("spool", old.path.display(), why))
            }
            Where::Inherited(old) => {
                let ((give, spool), is_there) = (bounded(1), Arc::new(AtomicBool::new(false)));
                let heir = Heir { spool: give, lanes: Arc::clone(lanes) };
                let heir = Some((Arc::clone(&old.shelf), heir));
                let end = Some(SpoolEnd { heirs: tell, is_there: Arc::clone(&is_there), ..old });
                let inherits = Some(Inherits { spool, whose, bounds, always, heirs, is_there });
                Ok(Spools { own: None, inherits, heir, end })
            }
        }
    }

    /// What the dispatcher is told of it.
    fn output(
        &self,
        number: usize,
        hello: &Hello,
        terms: Terms,
        resource: Arc<Resource>,
        lanes: Arc<Lanes>,
        complaints: Arc<Complaints>,
    ) -> Output {
        let wants =
            Signal::EACH.map(|signal| hello.wants[signal as usize] && terms.filter.takes_signal(signal));
        let wants_metrics = wants[Signal::Metrics as usize];
        let is_delta = |kind, wanted| terms.temporality_of(kind, wanted) == Temporality::Delta;
        let kinds = Kind::SUMMED.into_iter().zip(hello.temporality);
        let deltas = kinds.filter(|(kind, wanted)| wants_metrics && is_delta(*kind, *wanted));
        let deltas: Vec<Kind> = deltas.map(|(kind, _)| kind).collect();
        let last_read = if wants_metrics { self.table.add_source() } else { Arc::default() };
        let back_pressure = terms.back_pressure.or(self.config.back_pressure);
        let interval = terms.flush_interval.unwrap_or(self.config.flush_interval);
        let now = self.clock.now();
        let sieve = Sieve::new(terms.filter);
        let baseline = (!deltas.is_empty()).then(|| {
            let levels = self.table.read_levels(self.table.ask_callbacks(), false);
            Baseline::joining(deltas, &Sums::new(levels, self_metrics::read(self)).of(&sieve).0)
        });
        Output {
            number,
            wants,
            lanes,
            sieve,
            resource,
            baseline,
            owed: None,
            last_read,
            interval,
            next_due: now.plus(interval),
            joined: now,
            patience: back_pressure.map_or(Patience::GRACE, |time| Patience { time, is_wanted: true }),
            complaints,
            keeping_up: KeepingUp::Yes,
            is_live: hello.is_live && Signal::RECORDS.iter().any(|signal| wants[*signal as usize]),
            newest: None,
            former: Vec::new(),
        }
    }

    /// The global tags with those of a route.
    pub(super) fn resource_of(&self, terms: &Terms) -> Result<Arc<Resource>, Error> {
        let mut tags = Tags::new();
        let host = match &terms.host_tag {
            HostTag::Off => None,
            HostTag::Named(name) => Some(name.clone()),
            HostTag::Auto => {
                let name = detect::host_name(env_var);
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
        Ok(Arc::new(self.resource.with_tags(&tags)))
    }
}
