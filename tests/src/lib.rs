//! What the tests that cross crates share. The README's code blocks are doc tests of this crate.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use telemetry_layer::model::{Event, Metric, Span};
use telemetry_layer::{Batch, Builder, Collector, Delivery, ExportError, Exporter, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt as _;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Long enough for anything that is not stuck.
pub const SOON: Duration = Duration::from_secs(20);

/// An exporter that keeps everything. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

/// What was exported.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// In the order they ended on each thread.
    pub spans: Vec<Span>,
    /// In the order they happened on each thread.
    pub events: Vec<Event>,
    /// All data points of all exports.
    pub metrics: Vec<Metric>,
}

impl Memory {
    /// What there is so far.
    pub fn kept(&self) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Exporter for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.spans.extend(batch.spans().map(|s| s.to_span()));
        kept.events.extend(batch.events().map(|e| e.to_event()));
        kept.metrics.extend(batch.metrics().map(|m| m.to_metric()));
        Ok(Delivery::all())
    }
}

impl Kept {
    /// The only span of that name.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    pub fn span(&self, name: &str) -> &Span {
        let found: Vec<&Span> = self.spans.iter().filter(|s| s.name == name).collect();
        assert_eq!(found.len(), 1, "spans called {name} among {:#?}", self.spans);
        found[0]
    }

    /// The only event with that message.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    pub fn event(&self, message: &str) -> &Event {
        let found: Vec<&Event> = self.events.iter().filter(|e| e.message == message).collect();
        assert_eq!(found.len(), 1, "events with {message} among {:#?}", self.events);
        found[0]
    }
}

/// Keeps a second dispatcher alive. Without one, `tracing` would remember of a call site that a thread without
/// subscriber reached first that nobody ever wants it.
fn keep_call_sites_open() {
    static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
}

/// A collector of a test's own: it looks at no variable, and flushes only when asked.
///
/// # Panics
///
/// If it can't be started.
pub fn collector(change: impl FnOnce(Builder) -> Builder) -> (Collector, Memory) {
    keep_call_sites_open();
    let memory = Memory::default();
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = change(builder.exporter(memory.clone())).start().expect("a collector");
    (collector, memory)
}

/// Runs `f` with a layer and a collector of its own; what was exported.
///
/// # Panics
///
/// If the ledger does not balance at the end, or something was lost.
pub fn recorded(f: impl FnOnce(&Collector)) -> Kept {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| f(&collector)));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    memory.kept()
}
