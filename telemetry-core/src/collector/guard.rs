//! What keeps the global collector running.

use std::ops::Deref;
use std::time::Duration;

use super::{Collector, Report};
use crate::diagnostics::warn;

/// Shuts the global collector down when it is dropped, and says on standard error what was lost, if anything.
///
/// Keep it in `main` until the end: `let _telemetry = ..`, not `let _ = ..`. [`Collector::shutdown`], which can
/// be called through it, does the same and returns the report.
#[must_use = "dropped at once it shuts the collector down at once: write `let _telemetry = ..`"]
#[derive(Debug)]
pub struct Guard {
    collector: Collector,
}

impl Guard {
    pub(super) fn new(collector: Collector) -> Self {
        Self { collector }
    }

    /// The same as [`Collector::shutdown`].
    pub fn shutdown(self, deadline: Duration) -> Report {
        self.collector.shutdown(deadline)
    }
}

impl Deref for Guard {
    type Target = Collector;

    fn deref(&self) -> &Collector {
        &self.collector
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let first = !self.collector.core.closed.load(std::sync::atomic::Ordering::Relaxed);
        let report = self.collector.shutdown(self.collector.config().shutdown_timeout);
        if first && (report.ledger().lost() > 0 || !report.is_complete()) {
            warn(format_args!("{} items were lost\n{report}", report.ledger().lost()));
        }
    }
}
