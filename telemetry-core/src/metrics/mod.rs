//! Metrics, aggregated where they happen.
//!
//! Instruments bring in single values and name their series by a site; a collector's table keeps one cell for
//! each series; a [`Snapshot`] of all cells goes out. Values are never queued, sampled or filtered
//! by a log level, and a cell never forgets: readers subtract what they saw before.

#[cfg(feature = "catalogue")]
pub(crate) mod catalogue;
mod cell;
mod delta;
mod memory;
pub(crate) mod page;
mod series;
pub(crate) mod site;
mod snapshot;
mod table;

#[cfg(all(feature = "catalogue", not(target_os = "linux")))]
pub(crate) use catalogue::{Listed, ListedFunction, inventory};
#[cfg(feature = "catalogue")]
pub use catalogue::{StaticMetric, catalogue};
pub(crate) use cell::{LocalHistogram, SharedHistogram};
pub(crate) use delta::Baseline;
pub(crate) use series::LongTask;
pub use series::View;
pub(crate) use site::{CellKind, Site, hold_bounds, hold_numbers};
pub(crate) use snapshot::Pull;
pub use snapshot::{MetricRef, Snapshot, Source};
#[cfg(feature = "prometheus")]
pub(crate) use snapshot::{PointRef, Visit, visit_all};
pub(crate) use table::{Levels, Observations, Settings, Table};

/// Pulls metrics when it needs them: a scrape endpoint, a dashboard. Exporters are pushed to instead.
///
/// A reader is given its [`Source`] once, when the collector starts or when it is added, and asks it for a
/// snapshot as often as it likes, from any thread.
pub trait Reader: Send + 'static {
    /// What messages call it.
    fn name(&self) -> &str;

    /// Takes the source. An error stops the collector's start and is shown to the user.
    fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Called once when the collector is shut down: time to close a port.
    fn shutdown(&mut self) {}
}

#[cfg(all(test, shuttle))]
mod shuttle;
#[cfg(all(test, not(shuttle)))]
mod tests;
