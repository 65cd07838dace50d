//! What takes batches away: a trait that anybody implements.

use super::batch::Batch;
use super::error::{Delivery, ExportError};
use super::live::Live;
use super::signal::Signal;
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

    /// For those of this crate that show things as they happen.
    #[doc(hidden)]
    fn live(&mut self) -> Option<&mut dyn Live> {
        None
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

    fn temporality(&self, kind: Kind) -> Temporality {
        (**self).temporality(kind)
    }

    fn check(&mut self) -> Result<(), ExportError> {
        (**self).check()
    }

    fn shutdown(&mut self) {
        (**self).shutdown();
    }

    fn live(&mut self) -> Option<&mut dyn Live> {
        (**self).live()
    }
}
