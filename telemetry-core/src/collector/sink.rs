//! What the layer needs of a collector.

use std::sync::Arc;

use tracing_core::Level;

#[cfg(feature = "catalogue")]
use super::current;
use super::engine::Engine;
use super::handle::Collector;
use crate::clock::Clock;
#[cfg(feature = "catalogue")]
use crate::diagnostics::warn_once;
use crate::exporters::Signal;
use crate::metrics::{CellKind, Site};
use crate::model::{Number, Propagator};
use crate::pipeline::writer::{self, Writer};
use crate::sampling::Sampler;

/// Records, and does not keep the collector running.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Sink(Arc<Engine>);

#[doc(hidden)]
impl Sink {
    pub(crate) fn engine(&self) -> &Engine {
        &self.0
    }

    /// The collector, which this does not keep running.
    pub fn collector(&self) -> Collector {
        Collector::not_keeping(Arc::clone(&self.0))
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

    pub fn propagators(&self) -> &[Propagator] {
        &self.0.config.propagators
    }

    /// With what this thread records for the layer.
    pub fn writer(&self) -> Writer {
        // Once a thread, and only where there are attributes: half of the set-up is not there.
        #[cfg(feature = "catalogue")]
        if current::is_never() && crate::metrics::catalogue::is_any() {
            warn_once(format_args!(
                "spans are recorded, but attributes and instruments feed nobody: no collector was made current. Call \
                 `install()` on it, or run inside of `collector.scoped(..)`"
            ));
        }
        Writer::new(&self.0.buffers)
    }

    /// An item of a thread that telemetry looks away from.
    pub fn suppressed(&self, signal: Signal) {
        self.0.buffers.suppressed(signal);
    }

    /// Runs `f` with a writer of this thread, which may be ending.
    pub fn with_writer(&self, f: impl FnOnce(&mut Writer)) {
        writer::with(&self.0.buffers, f);
    }

    /// Takes a measurement that a field of an event stands for.
    pub fn measure(
        &self,
        kind: CellKind,
        name: &'static str,
        level: Level,
        tags: &[(&str, &str)],
        value: Number,
    ) {
        let site = Site::new(kind, name, &[]).level(level).unnumbered();
        self.0.table.record(&site, tags, value);
    }
}

impl Collector {
    /// For the layer.
    #[doc(hidden)]
    pub fn sink(&self) -> Sink {
        Sink(self.engine())
    }
}
