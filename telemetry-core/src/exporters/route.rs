//! An exporter with all that the pipeline is told of it.

use super::Exporter;

/// Where items go: an exporter, and how it is served. Every exporter becomes one (`into`), and so does a closure over
/// [`&Batch`](super::Batch).
#[must_use = "it does nothing before a collector has it"]
pub struct Route {
    exporter: Box<dyn Exporter>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}

impl<E: Exporter> From<E> for Route {
    fn from(exporter: E) -> Self {
        Self { exporter: Box::new(exporter) }
    }
}

impl Route {
    pub(crate) fn into_exporter(self) -> Box<dyn Exporter> {
        self.exporter
    }
}
