//! How routes and readers are added to a collector that runs. What is pulled is a reader, which asks as it likes, or a page, which
//! the collector's own server shows. Code of the program may hang or panic in whatever it is asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use crossbeam_channel::{RecvTimeoutError, SendError, bounded};

use super::adding::TIME;
use super::config::SelfMetrics;
use super::engine::{Attached, Engine, aside};
use super::self_metrics;
use crate::Error;
use crate::exporters::{Filter, Route, Target};
#[cfg(feature = "prometheus")]
use crate::exporters::{Terms, server::Pulled};
#[cfg(feature = "prometheus")]
use crate::metrics::Visit;
use crate::metrics::{Pull, Reader, Snapshot, Source};
use crate::model::{Resource, cut};
use crate::sync::lock;
use crate::thread::{quietly, spawn};

impl Engine {
    /// Adds what a route leads to.
    pub(super) fn add(self: &Arc<Self>, Route { target, terms }: Route) -> Result<(), Error> {
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        if !self.is_enabled() {
            return Ok(());
        }
        match target {
            Target::Pushed(driver) => self.add_exporter(driver, terms),
            #[cfg(feature = "prometheus")]
            Target::Pulled(pulled) => self.add_pulled(*pulled, terms),
        }
    }

    pub(super) fn add_reader(self: &Arc<Self>, reader: Box<dyn Reader>) -> Result<(), Error> {
        let source = self.source(Filter::new(), Arc::clone(&self.resource));
        self.keep(self.attached(reader, source)?)
    }

    /// Serves a page. If that fails it is as if nobody had tried.
    #[cfg(feature = "prometheus")]
    fn add_pulled(self: &Arc<Self>, pulled: Pulled, terms: Terms) -> Result<(), Error> {
        terms.check_pulled().map_err(|(name, value, needed)| Error::config(name, value, needed))?;
        let place = pulled.place.map_err(|(value, reason)| Error::config("listen", value, reason))?;
        let failed = |e| Error::exporter(format!("a page can't be served at {place}: {e}"));
        let resource = self.resource_of(&terms)?;
        let (engine, wanted) = (Arc::clone(self), place.clone());
        let bound = aside(move || engine.server.bind(&wanted)).map_err(Error::Thread)?;
        let bound = bound.recv_timeout(TIME).map_err(|_| failed("its host is not found in time".into()))?;
        let bound = bound.map_err(|e| failed(in_use(&e)))?;
        let mut attached = self.attached(pulled.reader, self.source(terms.filter, resource))?;
        let shown = self.server.serve(bound, place.path(), pulled.page);
        let address = match shown {
            Ok(address) => address,
            Err(e) => {
                let _ = aside(|| attached.end());
                return Err(failed(e.to_string()));
            }
        };
        attached.page = Some((address, place.path().to_owned()));
        self.keep(attached)?;
        if place.has_any_port() {
            crate::diagnostics::warn(format_args!("metrics are served at http://{address}{}", place.path()));
        }
        Ok(())
    }

    /// What a reader asks. It lives as long as the collector, which it must not keep alive.
    fn source(self: &Arc<Self>, filter: Filter, resource: Arc<Resource>) -> Source {
        let last_read = self.table.add_source();
        Source::new(Shown { engine: Arc::downgrade(self), filter, resource, last_read })
    }

    /// All metrics that a filter lets pass, with those of telemetry itself, where somebody wants them.
    fn snapshot_of(&self, filter: &Filter, resource: &Arc<Resource>) -> Snapshot {
        let has_own = self.config.self_metrics != SelfMetrics::Off;
        let metrics = if has_own || filter.has_levels() {
            let levels = self.table.read_levels(self.table.ask_callbacks(), false);
            let own = if has_own { self_metrics::read(self) } else { Vec::new() };
            Arc::new(levels.merged_with(&own, |level| filter.takes_level(level)))
        } else {
            self.table.read()
        };
        let all = Snapshot::shared(metrics, Arc::clone(resource));
        if filter.is_open() {
            return all;
        }
        let kept = all.iter().filter(|metric| filter.takes_metric(metric, resource));
        all.with(kept.map(|metric| metric.to_metric()).collect::<Vec<_>>())
    }

    /// It has taken its source.
    fn attached(&self, mut reader: Box<dyn Reader>, source: Source) -> Result<Attached, Error> {
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        // Nobody takes it where nobody waits any more.
        let (tell, attached) = bounded(0);
        let attach = move || {
            let attached = quietly(|| (reader.attach(source), cut::name(reader.name()).into_owned()));
            let told = match attached {
                None => Ok(()),
                Some((Ok(()), name)) => tell.send(Ok(Attached {
                    name,
                    reader,
                    #[cfg(feature = "prometheus")]
                    page: None,
                })),
                Some((Err(source), reader)) => tell.send(Err(Error::Reader { reader, source })),
            };
            if let Err(SendError(Ok(late))) = told {
                late.end();
            }
        };
        spawn("telemetry-aside", attach).map_err(Error::Thread)?;
        match attached.recv_timeout(TIME) {
            Ok(attached) => attached,
            Err(RecvTimeoutError::Timeout) => Err(Error::reader("it does not return from `attach`")),
            Err(RecvTimeoutError::Disconnected) => Err(Error::reader("it panicked in `attach`")),
        }
    }

    /// It is let go of at the shutdown.
    fn keep(&self, mut attached: Attached) -> Result<(), Error> {
        let mut readers = lock(&self.readers);
        let is_taken = |name: &str| readers.iter().any(|reader| reader.name == name);
        let numbered = (2..).map(|i| format!("{}#{i}", attached.name));
        let name = std::iter::once(attached.name.clone()).chain(numbered).find(|name| !is_taken(name));
        attached.name = name.unwrap_or_default();
        if self.closed.load(Relaxed) {
            drop(readers);
            let _ = aside(|| attached.end());
            return Err(Error::ShutDown);
        }
        readers.push(attached);
        Ok(())
    }
}

/// What a reader is shown.
struct Shown {
    engine: Weak<Engine>,
    filter: Filter,
    resource: Arc<Resource>,
    last_read: Arc<AtomicU64>,
}

impl Shown {
    /// Lets the collector be read, if it is there.
    fn read_from<R>(&self, read: impl FnOnce(&Engine) -> R) -> Option<R> {
        let engine = self.engine.upgrade().filter(|engine| engine.is_enabled())?;
        let now = engine.clock.now();
        let read = read(&engine);
        self.last_read.fetch_max(now.raw(), Relaxed);
        Some(read)
    }
}

impl Pull for Shown {
    fn read(&self) -> Snapshot {
        let all = self.read_from(|engine| engine.snapshot_of(&self.filter, &self.resource));
        all.unwrap_or_else(|| Snapshot::new(Vec::new(), Arc::clone(&self.resource)))
    }

    #[cfg(feature = "prometheus")]
    fn visit(&self, visit: &mut dyn Visit) {
        let is_all =
            |engine: &Engine| engine.config.self_metrics == SelfMetrics::Off && self.filter.is_open();
        if !self.engine.upgrade().is_some_and(|engine| engine.is_enabled() && is_all(&engine)) {
            return self.read().visit(visit);
        }
        if self.read_from(|engine| engine.table().visit(&self.resource, visit)).is_none() {
            self.read().visit(visit);
        }
    }
}

#[cfg(feature = "prometheus")]
fn in_use(e: &std::io::Error) -> String {
    match e.kind() {
        // Of another process it has no text of ours.
        std::io::ErrorKind::AddrInUse if e.raw_os_error().is_some() => {
            format!("{e}: another program, or another collector of this one, has that port")
        }
        _ => e.to_string(),
    }
}

#[cfg(all(test, feature = "prometheus"))]
mod tests {
    use super::*;
    use crate::Collector;
    use crate::metrics::PointRef;

    /// Wants to be shown all of it again, once, and looks up what is noted as read by then.
    struct Twice {
        last_read: Arc<AtomicU64>,
        noted: Vec<u64>,
    }

    impl Visit for Twice {
        fn begin(&mut self, _resource: &Arc<Resource>, _points: usize) {
            self.noted.push(self.last_read.load(Relaxed));
        }

        fn metric(&mut self) {}

        fn visit(&mut self, _point: &PointRef<'_>) {}

        fn end(&mut self) -> bool {
            self.noted.len() == 2
        }
    }

    /// Otherwise a series could end between two tries, and the page that is right would be without its last value.
    #[test]
    fn what_is_shown_again_is_not_noted_as_read() {
        for own in [SelfMetrics::Off, SelfMetrics::All] {
            let collector = Collector::builder().ignore_env().self_metrics(own).start().unwrap();
            let engine = &collector.engine;
            let last_read = engine.table.add_source();
            last_read.store(0, Relaxed);
            let shown = Shown {
                engine: Arc::downgrade(engine),
                filter: Filter::new(),
                resource: Arc::clone(&engine.resource),
                last_read: Arc::clone(&last_read),
            };
            let mut twice = Twice { last_read: Arc::clone(&last_read), noted: Vec::new() };
            shown.visit(&mut twice);
            assert_eq!(twice.noted.len(), 2);
            assert_eq!((twice.noted[1] == 0, last_read.load(Relaxed) > 0), (own == SelfMetrics::Off, true));
        }
    }
}
