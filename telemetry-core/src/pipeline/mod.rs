//! From the threads that record to the exporters, bounded at every step, every item accounted for.
//!
//! Finished spans and events come in as bytes, on the thread that made them (`buffer`); the aggregator
//! collects them, reads the metrics, and queues batches for each exporter (`queue`); an exporter's worker
//! delivers, waits and retries (`worker`). The ledger says at any moment where everything is.
//! Nothing here knows what an exporter speaks, and nothing here reads configuration.

pub(crate) mod aggregator;
pub(crate) mod backoff;
mod block;
pub(crate) mod buffer;
pub(crate) mod ledger;
mod prefetch;
pub(crate) mod queue;
pub(crate) mod worker;

#[cfg(all(test, shuttle))]
mod models;
#[cfg(test)]
mod sample;
#[cfg(all(test, not(shuttle)))]
mod tests;

#[doc(hidden)]
pub use buffer::Writer;
pub use ledger::{Account, Dropped, ExporterAccount, Ledger, Reason};
