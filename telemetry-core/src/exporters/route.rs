//! An exporter with all that the pipeline is told of it.

use std::path::PathBuf;
use std::time::Duration;

use super::exporter::Exporter;
use super::filter::Filter;
#[cfg(any(feature = "net", test))]
use super::protocol::Protocol;
#[cfg(feature = "prometheus")]
use super::server::Pulled;
#[cfg(feature = "prometheus")]
use super::signal::Signal;
use crate::model::{Kind, Temporality, Text};

/// Where items go: an exporter, and how it is served. Every exporter becomes one (`into`), and so does a closure over
/// [`&Batch`](crate::Batch).
///
/// ```
/// use std::time::Duration;
/// use telemetry_core::exporters::{Discard, HostTag, Route};
/// use telemetry_core::{Batch, Collector};
///
/// let slow = Route::new(|batch: &Batch| println!("{} items", batch.len()))
///     .rate_limit(100.0)
///     .host_tag(HostTag::Auto)
///     .give_up_after(Duration::from_secs(60));
/// let collector = Collector::builder().exporter(slow).exporter(Discard::new()).start()?;
/// # drop(collector);
/// # Ok::<(), telemetry_core::Error>(())
/// ```
#[must_use = "it does nothing before a collector has it"]
pub struct Route {
    pub(crate) target: Target,
    pub(crate) terms: Terms,
}

/// Who asks whom.
pub(crate) enum Target {
    /// It is given what there is.
    Pushed(Driver),
    /// It is asked for it.
    #[cfg(feature = "prometheus")]
    Pulled(Box<Pulled>),
}

/// What does the work of one that is given items.
pub(crate) enum Driver {
    Blocking(Box<dyn Exporter>),
    #[cfg(any(feature = "net", test))]
    Network(Box<dyn Protocol>),
}

impl Driver {
    pub(crate) fn is_network(&self) -> bool {
        !matches!(self, Self::Blocking(_))
    }
}

/// How it is served.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) name: Option<String>,
    pub(crate) filter: Filter,
    pub(crate) tags: Vec<(Text, Text)>,
    pub(crate) host_tag: HostTag,
    pub(crate) rate: Option<f64>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) timeout: Duration,
    pub(crate) give_up_after: Duration,
    pub(crate) linger: Option<Duration>,
    pub(crate) flush_interval: Option<Duration>,
    pub(crate) temporality: Option<Temporality>,
    pub(crate) back_pressure: Option<Duration>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_mode: Option<SpoolMode>,
    pub(crate) spool_bytes: Option<u64>,
    pub(crate) spool_age: Option<Duration>,
    /// Where its requests go, without secrets, if that is known.
    pub(crate) destination: Option<String>,
}

/// When items go to the disk of this machine on their way, where an exporter has a directory for them ([`Route::spool`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpoolMode {
    /// Never: the directory is left alone.
    Off,
    /// While the backend does not take them, and when the program ends before it did.
    #[default]
    OnFailure,
    /// Before they are sent: what was flushed survives whatever happens to the process.
    Always,
}

/// Whether items get a tag `host` that says where they come from. A point's own `host` wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostTag {
    /// None.
    #[default]
    Off,
    /// The name of this machine.
    Auto,
    /// That name.
    Named(Text),
}

/// What speaks to the network of a route, without a pipeline before it; none where it has no network.
#[cfg(feature = "net")]
pub fn protocol_of(route: Route) -> Option<Box<dyn Protocol>> {
    match route.target {
        Target::Pushed(Driver::Network(protocol)) => Some(protocol),
        _ => None,
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl<E: Exporter> From<E> for Route {
    fn from(exporter: E) -> Self {
        Self::to(Target::Pushed(Driver::Blocking(Box::new(exporter))))
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            name: None,
            filter: Filter::default(),
            tags: Vec::new(),
            host_tag: HostTag::Off,
            rate: None,
            in_flight: None,
            max_items: None,
            timeout: Duration::from_secs(10),
            give_up_after: Duration::from_mins(5),
            linger: None,
            flush_interval: None,
            temporality: None,
            back_pressure: None,
            spool: None,
            spool_mode: None,
            spool_bytes: None,
            spool_age: None,
            destination: None,
        }
    }
}

impl Route {
    /// The same as `into`.
    pub fn new(exporter: impl Exporter) -> Self {
        exporter.into()
    }

    /// One over a network.
    #[doc(hidden)]
    #[cfg(any(feature = "net", test))]
    pub fn over(protocol: impl Protocol) -> Self {
        Self::to(Target::Pushed(Driver::Network(Box::new(protocol))))
    }

    /// A page that is served.
    #[cfg(feature = "prometheus")]
    pub(crate) fn pulled(pulled: Pulled) -> Self {
        Self::to(Target::Pulled(Box::new(pulled)))
    }

    fn to(target: Target) -> Self {
        Self { target, terms: Terms::default() }
    }

    /// What the ledger and messages call it, instead of what the exporter says: a closure is `closure`. At most 200 bytes of it,
    /// in which control characters and the like are escaped.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.terms.name = Some(name.into());
        self
    }

    /// It is given only what that filter lets pass.
    pub fn only(mut self, filter: Filter) -> Self {
        self.terms.filter = filter;
        self
    }

    /// Adds a tag to all that it is given, beside the global ones. It wins over a global one of that key; an item's own wins
    /// over both. With a key that is no tag key the start fails.
    pub fn tag(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.terms.tags.push((key.into(), value.into()));
        self
    }

    /// A tag `host` on all that it is given. [`HostTag::Off`] where nothing is said, but [`HostTag::Auto`] for `opentsdb:`.
    pub fn host_tag(mut self, host: HostTag) -> Self {
        self.terms.host_tag = host;
        self
    }

    /// It is given at most that many items a second, after as many at once. What comes faster waits, until its memory
    /// (`exporter_bytes`) is full. No limit where nothing is said.
    pub fn rate_limit(mut self, items_per_second: f64) -> Self {
        self.terms.rate = Some(items_per_second);
        self
    }

    /// So many requests may be out at once, where it speaks to a network.
    pub fn in_flight(mut self, requests: usize) -> Self {
        self.terms.in_flight = Some(requests);
        self
    }

    /// One request holds at most so many items: as many as its receiver takes, where nothing is said.
    pub fn max_items(mut self, items: usize) -> Self {
        self.terms.max_items = Some(items);
        self
    }

    /// An attempt over a network may take so long: 10 s where nothing is said.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.terms.timeout = time;
        self
    }

    /// Items that were tried for so long are dropped and counted as expired: 5 minutes where nothing is said.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.terms.give_up_after = time;
        self
    }

    /// Few items wait so long for more, to make fewer requests: 200 ms where nothing is said, and not at all on their way to the
    /// console. What is half a request does not wait.
    pub fn linger(mut self, time: Duration) -> Self {
        self.terms.linger = Some(time);
        self
    }

    /// It is given metrics that often, instead of each `flush_interval` of the collector. A flush gives them at once.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.terms.flush_interval = Some(interval);
        self
    }

    /// Sums of counters and histograms since the start, or since its last batch, instead of what the exporter wants. Up-down
    /// counters are cumulative then, as nobody can add up their changes after a loss.
    pub fn temporality(mut self, temporality: Temporality) -> Self {
        self.terms.temporality = Some(temporality);
        self
    }

    /// When its memory is full, threads that record spans and events wait for it instead of losing the oldest: in all so
    /// long, until it has caught up to half. [`Config::back_pressure`](crate::Config::back_pressure) where nothing is said.
    pub fn back_pressure(mut self, time: Duration) -> Self {
        self.terms.back_pressure = Some(time);
        self
    }

    /// What can't be delivered is stored in that directory, a spool of this exporter alone, and sent when its backend is back: in
    /// this process or in one after it, also where this one is killed. Only exporters over a network have one. The directory is made
    /// where it is missing; where another exporter has it, of this process or of another one, the start fails.
    ///
    /// Items that were stored and [flushed](crate::Collector::flush) arrive at least once: after a crash some may arrive twice. What was
    /// stored for another destination or in another format is left for it, and said. When the disk is full, items wait in memory as
    /// they do without a spool. Files are readable for this user alone; items stand in them as they go over the network.
    pub fn spool(mut self, directory: impl Into<PathBuf>) -> Self {
        self.terms.spool = Some(directory.into());
        self
    }

    /// When items go to its spool: [`SpoolMode::OnFailure`] where nothing is said.
    pub fn spool_mode(mut self, mode: SpoolMode) -> Self {
        self.terms.spool_mode = Some(mode);
        self
    }

    /// The files of its spool have at most so many bytes: 256 MiB where nothing is said. For what is new the oldest goes, and is
    /// counted as [`SpoolFull`](crate::ledger::Reason::SpoolFull).
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        self.terms.spool_bytes = Some(bytes);
        self
    }

    /// What is older is not sent any more: 7 days where nothing is said. It is counted as expired.
    pub fn spool_age(mut self, age: Duration) -> Self {
        self.terms.spool_age = Some(age);
        self
    }
}

impl Terms {
    /// What is wrong with them: its name, its value and what is needed.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        const ABOVE_0: &str = "more than 0 is needed";
        let rate = self.rate.filter(|rate| !rate.is_finite() || *rate <= 0.0);
        let is_zero = |time: Option<Duration>| time.filter(Duration::is_zero).map(|_| "0".to_owned());
        let bad = [
            ("rate_limit", rate.map(|rate| rate.to_string())),
            ("in_flight", self.in_flight.filter(|requests| *requests == 0).map(|_| "0".to_owned())),
            ("max_items", self.max_items.filter(|items| *items == 0).map(|_| "0".to_owned())),
            ("timeout", is_zero(Some(self.timeout))),
            ("flush_interval", is_zero(self.flush_interval)),
            ("back_pressure", is_zero(self.back_pressure)),
            ("spool_bytes", self.spool_bytes.filter(|bytes| *bytes == 0).map(|_| "0".to_owned())),
            ("spool_age", is_zero(self.spool_age)),
        ];
        let of_spool = [
            ("spool_mode", self.spool_mode.map(|mode| format!("{mode:?}"))),
            ("spool_bytes", self.spool_bytes.map(|bytes| bytes.to_string())),
            ("spool_age", self.spool_age.map(|age| format!("{age:?}"))),
        ];
        if self.spool.is_none()
            && let Some((name, value)) = of_spool.into_iter().find_map(|(name, value)| Some((name, value?)))
        {
            return Err((name, value, "a directory is needed too (`spool`)"));
        }
        let bad = bad.into_iter().find_map(|(name, value)| Some((name, value?, ABOVE_0)));
        bad.map_or(Ok(()), Err)
    }

    /// What of them has no effect on a page that is pulled: its name, its value and why.
    #[cfg(feature = "prometheus")]
    pub(crate) fn check_pulled(&self) -> Result<(), (&'static str, String, &'static str)> {
        const PULLED: &str = "it is asked for metrics, and nothing is sent";
        let default = Self::default();
        let changed = |time: Duration, default| Some(time).filter(|time| *time != default);
        let shown = |time: Option<Duration>| time.map(|time| format!("{time:?}"));
        let given = [
            ("rate_limit", self.rate.map(|rate| rate.to_string())),
            ("in_flight", self.in_flight.map(|requests| requests.to_string())),
            ("max_items", self.max_items.map(|items| items.to_string())),
            ("timeout", shown(changed(self.timeout, default.timeout))),
            ("give_up_after", shown(changed(self.give_up_after, default.give_up_after))),
            ("linger", shown(self.linger)),
            ("flush_interval", shown(self.flush_interval)),
            ("back_pressure", shown(self.back_pressure)),
            ("spool", self.spool.as_ref().map(|directory| directory.display().to_string())),
            ("temporality", self.temporality.map(|which| which.name().to_owned())),
        ];
        if let Some(bad) = given.into_iter().find_map(|(name, value)| Some((name, value?, PULLED))) {
            return Err(bad);
        }
        if self.filter.takes_signal(Signal::Metrics) {
            return Ok(());
        }
        Err(("signals", "no metrics".to_owned(), "it shows metrics, and nothing else"))
    }

    /// The directory of its spool, if it is to have one.
    pub(crate) fn spool_directory(&self) -> Option<&PathBuf> {
        self.spool.as_ref().filter(|_| self.spool_mode != Some(SpoolMode::Off))
    }

    /// Whether the exporter is given deltas of that kind; `wanted` is what it says itself.
    pub(crate) fn temporality_of(&self, kind: Kind, wanted: Temporality) -> Temporality {
        match self.temporality {
            Some(_) if kind == Kind::UpDownCounter => Temporality::Cumulative,
            Some(temporality) => temporality,
            None => wanted,
        }
    }
}
