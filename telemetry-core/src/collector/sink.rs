//! What the layer needs of a collector.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tracing_core::Level;

#[cfg(feature = "catalogue")]
use super::current;
use super::engine::Engine;
use super::handle::Collector;
use crate::clock::Clock;
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

    /// Longer texts are cut.
    pub fn max_text(&self) -> u32 {
        self.0.config.max_text()
    }

    /// Memory for the spans of one layer that are open.
    pub fn open_spans_bytes(&self) -> usize {
        self.0.config.open_spans_bytes
    }

    pub fn sampler(&self) -> &Sampler {
        &self.0.sampler
    }

    pub fn propagators(&self) -> &[Propagator] {
        &self.0.config.propagators
    }

    /// With what this thread records for the layer.
    pub fn writer(&self) -> Writer {
        // Once a thread.
        #[cfg(feature = "catalogue")]
        current::say_if_attributes_feed_nobody();
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
    pub fn measure(&self, metric: &EventMetric, tags: &[(&str, &str)], value: Number) {
        if !self.0.is_enabled() {
            return;
        }
        let &EventMetric { kind, name, unit, description, level, place } = metric;
        let (file, line) = (place.0.unwrap_or_default(), place.1.unwrap_or_default());
        let site = Site::new(kind, name, &[]).unit(unit).description(description).level(level);
        self.0.table.record(&site.at(file, line).unnumbered(), tags, value);
    }
}

/// What an event measures.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct EventMetric {
    pub kind: CellKind,
    pub name: &'static str,
    /// Empty where the event says none; so is the description.
    pub unit: &'static str,
    pub description: &'static str,
    pub level: Level,
    /// File and line of the event.
    pub place: (Option<&'static str>, Option<u32>),
}

impl Collector {
    /// For the layer.
    #[doc(hidden)]
    pub fn sink(&self) -> Sink {
        self.engine.has_layer.store(true, Relaxed);
        Sink(self.engine())
    }
}
