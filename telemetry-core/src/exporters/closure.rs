//! Closures are exporters.

use super::batch::Batch;
use super::error::{Delivery, ExportError};
use super::exporter::Exporter;

/// A closure, called `closure`.
impl<F, R> Exporter for F
where
    F: FnMut(&Batch) -> R + Send + 'static,
    R: Into<ClosureResult>,
{
    fn name(&self) -> &str {
        "closure"
    }

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
