//! Exporters: where batches go.
//!
//! An exporter is given one [`Batch`] at a time, makes one attempt, and says how it ended. It never waits
//! between attempts, never retries and never starts threads for the pipeline: that is its worker's part.

mod batch;
#[cfg(feature = "console")]
mod console;
mod discard;
mod endpoint;
mod error;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "file")]
mod json;

pub use crate::metrics::MetricRef;
pub use batch::{Batch, EventRef, Signal, SpanRef};
#[cfg(feature = "console")]
pub use console::{Console, Stream};
pub use discard::Discard;
pub use endpoint::{EndpointError, from_url};
pub use error::{Delivery, ExportError};
#[cfg(feature = "file")]
pub use file::File;

use crate::model::Temporality;

/// Takes batches to where somebody looks at them.
///
/// It runs on a thread of its own, so it may block; a panic counts as a refusal of the batch at hand. The
/// layer records nothing of what it does.
///
/// A closure over `&Batch` is an exporter too; it returns nothing, `Result<(), ExportError>`, or
/// `Result<Delivery, ExportError>`. One attempt may send several requests at once.
pub trait Exporter: Send + 'static {
    /// What the ledger and messages call it.
    fn name(&self) -> &str {
        "closure"
    }

    /// Makes one attempt.
    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError>;

    /// Whether it wants batches of that signal; others are counted as filtered.
    fn wants(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Whether it is given sums since the start, or since the last batch.
    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }

    /// Looks once, when the collector starts, whether its backend can be reached.
    fn check(&mut self) -> Result<(), ExportError> {
        Ok(())
    }

    /// Called once, after the last batch.
    fn shutdown(&mut self) {}
}

/// A closure, called `closure`.
impl<F, R> Exporter for F
where
    F: FnMut(&Batch) -> R + Send + 'static,
    R: Into<ClosureResult>,
{
    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        self(batch).into().0
    }
}

/// What a closure that exports may return: nothing, `Result<(), ExportError>`, or `Result<Delivery, ExportError>`.
#[derive(Debug)]
pub struct ClosureResult(Result<Delivery, ExportError>);

impl From<()> for ClosureResult {
    fn from((): ()) -> Self {
        Self(Ok(Delivery::all()))
    }
}

impl From<Result<(), ExportError>> for ClosureResult {
    fn from(result: Result<(), ExportError>) -> Self {
        Self(result.map(|()| Delivery::all()))
    }
}

impl From<Result<Delivery, ExportError>> for ClosureResult {
    fn from(result: Result<Delivery, ExportError>) -> Self {
        Self(result)
    }
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

    fn temporality(&self) -> Temporality {
        (**self).temporality()
    }

    fn check(&mut self) -> Result<(), ExportError> {
        (**self).check()
    }

    fn shutdown(&mut self) {
        (**self).shutdown();
    }
}
