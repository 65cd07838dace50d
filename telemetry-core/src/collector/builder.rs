//! From settings to a running collector.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use tracing_core::Level;

use super::config::{CheckAtStart, Config, Environment, Otel, SelfMetrics};
use super::current;
use super::engine::Engine;
use super::fork;
use super::guard::Guard;
use super::handle::Collector;
use super::resource::resource;
use super::self_metrics;
use crate::Error;
use crate::clock::Clock;
use crate::detect::Detect;
use crate::exporters::redaction::redacted;
#[cfg(feature = "prometheus")]
use crate::exporters::server::Server;
use crate::exporters::{self, EndpointError, ExportReport, Route};
use crate::metrics::{Reader, Table, View};
use crate::model::{Metric, Propagator, Text};
use crate::pipeline::buffers::Buffers;
use crate::pipeline::command::Command;
use crate::pipeline::dispatcher::{Dispatcher, Progress};
use crate::pipeline::feedback::{Complaints, OnExport, Reports};
use crate::pipeline::observer::Observer;
use crate::process_metrics;
use crate::sampling::{Sampler, Sampling};
use crate::sync::{Mutex, lock};
use crate::thread::spawn;

type Change = Box<dyn FnOnce(&mut Config) + Send>;

/// Settings and exporters of a collector that is to be.
///
/// What is set here wins over the environment, which wins over the defaults. Tags are joined: those set here
/// win over those of `TELEMETRY_TAGS` with the same key.
#[must_use = "nothing runs before `start` or `install`"]
#[derive(Default)]
pub struct Builder {
    base: Option<Config>,
    ignore_env: bool,
    changes: Vec<Change>,
    endpoints: Vec<String>,
    tags: Vec<(Text, Text)>,
    service: Option<(Text, Text)>,
    default_endpoints: Vec<String>,
    last_resort: Option<&'static str>,
    exporters: Vec<Route>,
    readers: Vec<Box<dyn Reader>>,
    views: Vec<View>,
    sampling: Option<Sampling>,
    clock: Option<Clock>,
    on_export: Option<OnExport>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("endpoints", &self.endpoints.iter().map(|url| redacted(url)).collect::<Vec<_>>())
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// Everything that can be set, starting from the defaults and the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Starts from these settings instead of the defaults and the environment. [`Config::with_env`] adds the
    /// environment to settings that come from a file.
    pub fn config(mut self, config: Config) -> Self {
        self.base = Some(config);
        self
    }

    /// Does not look at `TELEMETRY_*`.
    pub fn ignore_env(mut self) -> Self {
        self.ignore_env = true;
        self
    }

    /// Adds a global tag.
    pub fn tag(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Names the program where neither code nor the environment gives a tag `service.name`, and says which version of it this
    /// is, as the attribute `service.version` of the resource. Without, the name is that of the program's file.
    ///
    /// ```
    /// use telemetry_core::Collector;
    ///
    /// let builder = Collector::builder().service(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    /// let collector = builder.ignore_env().start()?;
    /// assert_eq!(collector.resource().service_name(), "telemetry-core");
    /// # Ok::<(), telemetry_core::Error>(())
    /// ```
    pub fn service(mut self, name: impl Into<Text>, version: impl Into<Text>) -> Self {
        self.service = Some((name.into(), version.into()));
        self
    }

    /// Sets [`Config::detect`]: what is found out about the program and about where it runs; all there is where nothing is
    /// said, nothing with `[]`. `configure(|c| c.detect.retain(|one| *one != Detect::Host))` leaves one out.
    pub fn detect(self, wanted: impl IntoIterator<Item = Detect>) -> Self {
        let wanted = wanted.into_iter().collect();
        self.set(move |c| c.detect = wanted)
    }

    /// Sets [`Config::propagators`]: in which formats HTTP headers tell of traces.
    pub fn propagators(self, formats: impl IntoIterator<Item = Propagator>) -> Self {
        let formats = formats.into_iter().collect();
        self.set(move |c| c.propagators = formats)
    }

    /// Adds the exporter that a URL names: `console:`, `influxdb://localhost:8086?db=shop`, and what else
    /// [`from_url`](crate::exporters::from_url) lists. Once used, the endpoints of the environment don't count.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoints.push(url.into());
        self
    }

    /// Adds the exporter that a URL names, where neither [`endpoint`](Self::endpoint) nor the environment names one.
    pub fn default_endpoint(mut self, url: impl Into<String>) -> Self {
        self.default_endpoints.push(url.into());
        self
    }

    /// Adds the exporter that a URL names, where otherwise nobody would take what is recorded: neither code nor the environment
    /// says where it goes, nor that it goes nowhere.
    #[doc(hidden)]
    pub fn last_resort(mut self, url: &'static str) -> Self {
        self.last_resort = Some(url);
        self
    }

    /// The former name of [`Builder::endpoint`].
    #[deprecated(since = "0.1.0", note = "call `endpoint`")]
    pub fn export(self, url: impl Into<String>) -> Self {
        self.endpoint(url)
    }

    /// Adds an exporter, a closure over `&Batch`, or a [`Route`] to one.
    pub fn exporter(mut self, route: impl Into<Route>) -> Self {
        self.exporters.push(route.into());
        self
    }

    /// Adds a reader, which asks for metrics when it needs them.
    pub fn reader(mut self, reader: impl Reader) -> Self {
        self.readers.push(Box::new(reader));
        self
    }

    /// Adds a rule that changes metrics before they are kept.
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Samples by name, limits call sites, samples events.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// Sets [`Config::sample_rate`].
    pub fn sample_rate(self, rate: f64) -> Self {
        self.set(move |c| c.sample_rate = rate)
    }

    /// Sets [`Config::flush_interval`].
    pub fn flush_interval(self, interval: Duration) -> Self {
        self.set(move |c| c.flush_interval = interval)
    }

    /// Sets [`Config::buffer_size`].
    pub fn buffer_size(self, items: usize) -> Self {
        self.set(move |c| c.buffer_size = items)
    }

    /// Sets [`Config::buffer_bytes`].
    pub fn buffer_bytes(self, bytes: usize) -> Self {
        self.set(move |c| c.buffer_bytes = bytes)
    }

    /// Sets [`Config::back_pressure`].
    pub fn back_pressure(self, time: Duration) -> Self {
        self.set(move |c| c.back_pressure = Some(time))
    }

    /// Sets [`Config::exporter_bytes`].
    pub fn exporter_bytes(self, bytes: usize) -> Self {
        self.set(move |c| c.exporter_bytes = bytes)
    }

    /// Sets [`Config::max_text_bytes`].
    pub fn max_text_bytes(self, bytes: usize) -> Self {
        self.set(move |c| c.max_text_bytes = bytes)
    }

    /// Sets [`Config::min_level`].
    pub fn min_level(self, level: Level) -> Self {
        self.set(move |c| c.min_level = Some(level))
    }

    /// Sets [`Config::max_series`].
    pub fn max_series(self, series: usize) -> Self {
        self.set(move |c| c.max_series = series)
    }

    /// Sets [`Config::zero_series`].
    pub fn zero_series(self, zero: bool) -> Self {
        self.set(move |c| c.zero_series = zero)
    }

    /// Sets [`Config::series_expiration`].
    pub fn series_expiration(self, time: Duration) -> Self {
        self.set(move |c| c.series_expiration = Some(time))
    }

    /// Sets [`Config::self_metrics`].
    pub fn self_metrics(self, which: SelfMetrics) -> Self {
        self.set(move |c| c.self_metrics = which)
    }

    /// Sets [`Config::process_metrics`].
    pub fn process_metrics(self, wanted: bool) -> Self {
        self.set(move |c| c.process_metrics = wanted)
    }

    /// Sets [`Config::enabled`].
    pub fn enabled(self, enabled: bool) -> Self {
        self.set(move |c| c.enabled = enabled)
    }

    /// Sets [`Config::check_at_start`].
    pub fn check_at_start(self, check: CheckAtStart) -> Self {
        self.set(move |c| c.check_at_start = check)
    }

    /// Sets [`Config::shutdown_timeout`].
    pub fn shutdown_timeout(self, time: Duration) -> Self {
        self.set(move |c| c.shutdown_timeout = time)
    }

    /// Changes any setting, for instance `|c| c.metrics_bytes = 64 << 20`.
    pub fn configure(self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.set(change)
    }

    /// Is told how each attempt of each exporter ended, on a thread of its own. Without, failures are said on standard error,
    /// one line in ten seconds for each exporter and reason; `|_| ()` turns that off.
    pub fn on_export(mut self, on_export: impl Fn(&ExportReport) + Send + Sync + 'static) -> Self {
        self.on_export = Some(Box::new(on_export));
        self
    }

    /// Takes the time from another clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Starts the collector. It is current only where it is scoped, or where handles are made from it.
    pub fn start(self) -> Result<Collector, Error> {
        fork::prepare();
        let mut endpoints_of_env = self.base.is_none() && self.endpoints.is_empty();
        let reads_env = self.base.is_none() && !self.ignore_env;
        let otel = if reads_env { Otel::of_env(Environment::default())? } else { Otel::default() };
        let base = match self.base {
            Some(config) => config,
            None if reads_env => otel.apply(Config::default()).with_env()?,
            None => Config::default(),
        };
        let mut config = settle(base, self.changes, self.endpoints, self.tags)?;
        if config.export_endpoints.is_empty() {
            (config.export_endpoints, endpoints_of_env) = (self.default_endpoints, false);
        }
        let has_nobody = self.exporters.is_empty() && self.readers.is_empty() && !otel.names_exporters;
        if config.export_endpoints.is_empty() && has_nobody {
            config.export_endpoints.extend(self.last_resort.map(str::to_owned));
            endpoints_of_env &= config.export_endpoints.is_empty();
        }
        let sampler = Sampler::new(config.check()?, self.sampling)
            .map_err(|bad| Error::config(bad.rule, bad.value, bad.needed))?;
        for view in &self.views {
            view.check().map_err(|e| Error::config("view", view.pattern(), e))?;
        }
        let resource = resource(&config, self.service, &otel)?;
        let clock = Arc::new(self.clock.unwrap_or_else(Clock::system));
        let (commands, orders) = unbounded();
        let wake = commands.clone();
        let wake = move || drop(wake.send(Command::Wake));
        let engine = Arc::new(Engine {
            table: Arc::new(Table::new(Arc::clone(&clock), config.of_metrics(), self.views)),
            buffers: Arc::new(Buffers::new(
                config.buffer_bytes,
                config.exporter_bytes / 32,
                config.buffer_size - config.buffer_size / 10,
                config.back_pressure,
                wake,
            )),
            books: Arc::default(),
            resource: Arc::new(resource),
            started: clock.unix_nanos(),
            clock,
            sampler,
            commands,
            dispatcher: Mutex::default(),
            readers: Mutex::default(),
            #[cfg(feature = "prometheus")]
            server: Server::default(),
            enabled: AtomicBool::new(config.enabled),
            closed: AtomicBool::new(false),
            exporters: Mutex::default(),
            reports: Reports::default(),
            is_global: AtomicBool::new(false),
            has_layer: AtomicBool::new(false),
            said_nobody: AtomicBool::new(false),
            config,
        });
        current::register(&engine);
        let collector = Collector::keeping(Arc::clone(&engine));
        #[cfg(feature = "catalogue")]
        if engine.config.zero_series {
            engine.table.begin_static();
        }
        if engine.config.process_metrics {
            process_metrics::observe(&engine.table);
        }
        if engine.config.enabled {
            let moved = engine.commands.clone();
            engine.clock.on_move(move || moved.send(Command::Wake).is_ok());
            let dispatcher = dispatcher(&engine, orders);
            let thread = spawn("telemetry-dispatcher", move || dispatcher.run());
            lock(&engine.dispatcher).replace(thread.map_err(Error::Thread)?);
            if let Some(on_export) = self.on_export {
                engine.reports.give_to(on_export).map_err(Error::Thread)?;
            }
            // What fails from here on shuts the collector down again: its last handle goes with the error.
            let urls = engine.config.export_endpoints.iter();
            let named =
                urls.map(|url| exporters::named(url, !self.ignore_env)).collect::<Result<Vec<_>, _>>();
            let is_otel = !otel.endpoints.is_empty() && otel.endpoints == engine.config.export_endpoints;
            let named = named.map_err(|e| if endpoints_of_env { of_env(&e, is_otel) } else { e.into() })?;
            for exporter in named.into_iter().chain(self.exporters) {
                engine.add(exporter)?;
            }
        }
        for reader in self.readers {
            engine.add_reader(reader)?;
        }
        Ok(collector)
    }

    /// Starts the collector and makes it the global one, which all threads feed that have no scoped one.
    pub fn install(self) -> Result<Guard, Error> {
        if Collector::has_global() {
            return Err(Error::AlreadyInstalled);
        }
        self.start()?.install()
    }

    fn set(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }
}

/// An endpoint of the environment is wrong: which variables name it.
fn of_env(e: &EndpointError, is_otel: bool) -> Error {
    let vars = match e.url() {
        _ if !is_otel => "TELEMETRY_EXPORT_ENDPOINTS",
        url if url.starts_with("prometheus:") => "OTEL_EXPORTER_PROMETHEUS_*",
        _ => "OTEL_EXPORTER_OTLP_*",
    };
    Error::config(vars, e.url(), e.reason())
}

/// What moves everything on, before it has any outputs.
fn dispatcher(engine: &Arc<Engine>, commands: Receiver<Command>) -> Dispatcher {
    Dispatcher {
        clock: Arc::clone(&engine.clock),
        table: Arc::clone(&engine.table),
        buffers: Arc::clone(&engine.buffers),
        books: Arc::clone(&engine.books),
        resource: Arc::clone(&engine.resource),
        outputs: Vec::new(),
        commands,
        observer: Observer::new(engine.commands.clone()),
        flush_interval: engine.config.flush_interval,
        own_metrics: own_metrics(engine),
        now_and_then: now_and_then(engine),
        complaints: Complaints::of("the collector".to_owned()),
        state: Progress::default(),
    }
}

/// What telemetry measures of itself.
fn own_metrics(engine: &Arc<Engine>) -> Box<dyn Fn() -> Vec<Metric> + Send> {
    if engine.config.self_metrics == SelfMetrics::Off {
        return Box::new(Vec::new);
    }
    let own = Arc::downgrade(engine);
    Box::new(move || own.upgrade().map_or_else(Vec::new, |engine| self_metrics::read(&engine)))
}

/// Says what limits have kept back, and once that nobody takes what is recorded.
fn now_and_then(engine: &Arc<Engine>) -> Box<dyn Fn(bool) + Send> {
    let own = Arc::downgrade(engine);
    Box::new(move |is_alone| {
        let Some(engine) = own.upgrade() else { return };
        if engine.is_enabled() {
            engine.say_kept_back();
        }
        if is_alone {
            engine.say_if_nobody_takes();
        }
    })
}

/// Code over environment over defaults.
fn settle(
    mut config: Config,
    changes: Vec<Change>,
    endpoints: Vec<String>,
    tags: Vec<(Text, Text)>,
) -> Result<Config, Error> {
    changes.into_iter().for_each(|change| change(&mut config));
    if !endpoints.is_empty() {
        config.export_endpoints = endpoints;
    }
    for (key, value) in tags {
        let shown = format!("{key}: {value}");
        config.tags.insert(key, value).map_err(|e| Error::config("tag", shown, e))?;
    }
    Ok(config)
}
