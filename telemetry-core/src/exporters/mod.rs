//! Exporters: where batches go.
//!
//! An exporter is given one [`Batch`] at a time, makes one attempt, and says how it ended. It never waits
//! between attempts, never retries and never starts threads for the pipeline: that is its worker's part.

mod batch;
mod closure;
#[cfg(feature = "console")]
mod console;
mod discard;
mod endpoint;
mod error;
#[cfg(feature = "file")]
mod file;
mod filter;
mod health;
mod item;
#[cfg(feature = "file")]
mod json;
mod protocol;
mod report;
mod route;
mod signal;

pub use batch::Batch;
#[cfg(feature = "console")]
pub use console::{Console, Stream};
pub use discard::Discard;
pub use endpoint::from_url;
pub(crate) use endpoint::split_urls;
pub(crate) use error::Again;
pub use error::{Delivery, EndpointError, ExportError};
#[cfg(feature = "file")]
pub use file::File;
pub use filter::Filter;
pub(crate) use filter::Sieve;
pub use health::{Activity, ExporterHealth};
pub use item::{EventRef, SpanRef};
pub use protocol::{Limits, Protocol, Sending};
pub use report::{ExportReport, NextAttempt};
pub use route::{HostTag, Route};
pub(crate) use route::{Target, Terms};
pub use signal::Signal;

use crate::model::{Kind, Temporality};

/// Takes batches to where somebody looks at them.
///
/// It runs on a thread of its own, so it may block; a panic counts as a refusal of the batch at hand. The
/// layer records nothing of what it does.
///
/// A closure over `&Batch` is an exporter too; it returns nothing, `Result<(), ExportError>`, or
/// `Result<Delivery, ExportError>`. One attempt may send several requests at once.
pub trait Exporter: Send + 'static {
    /// What the ledger and messages call it.
    fn name(&self) -> &str;

    /// Makes one attempt.
    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError>;

    /// Whether it wants batches of that signal; others are counted as filtered.
    fn wants(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Whether it is given sums of that kind since the start, or since the last batch. It is asked once.
    fn temporality(&self, kind: Kind) -> Temporality {
        let _ = kind;
        Temporality::Cumulative
    }

    /// Looks once, when the collector starts, whether its backend can be reached.
    fn check(&mut self) -> Result<(), ExportError> {
        Ok(())
    }

    /// Called once, after the last batch.
    fn shutdown(&mut self) {}
}

impl Exporter for Box<dyn Exporter> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        (**self).export(batch)
    }

    fn wants(&self, signal: Signal) -> bool {
        (**self).wants(signal)
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        (**self).temporality(kind)
    }

    fn check(&mut self) -> Result<(), ExportError> {
        (**self).check()
    }

    fn shutdown(&mut self) {
        (**self).shutdown();
    }
}
