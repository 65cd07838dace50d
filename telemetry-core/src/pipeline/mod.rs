//! From the threads that record to the exporters, bounded at every step, every item accounted for.
//!
//! Finished spans and events come in as bytes, on the thread that made them (`writer`); the dispatcher
//! collects them, reads the metrics, and queues batches for each exporter (`lanes`); an exporter's worker
//! delivers, waits and retries (`worker`). The ledger says at any moment where everything is.
//! Nothing here knows what an exporter speaks, and nothing here reads configuration.

mod backoff;
mod block;
mod blocking;
#[cfg(any(feature = "net", test))]
mod bodies;
pub(crate) mod books;
pub(crate) mod buffers;
mod changes;
pub(crate) mod command;
pub(crate) mod dispatcher;
mod entry;
pub(crate) mod feedback;
#[cfg(any(feature = "net", test))]
mod flight;
mod former;
pub(crate) mod lanes;
pub mod ledger;
mod line;
pub(crate) mod observer;
pub(crate) mod output;
mod parcel;
mod points;
mod pool;
mod rate;
mod rest;
pub(crate) mod schedule;
mod showing;
#[cfg(any(feature = "net", test))]
pub(crate) mod spool;
#[cfg(any(feature = "net", test))]
pub(crate) mod spooling;
pub(crate) mod start;
pub(crate) mod step;
mod thread_buffer;
mod watch;
pub(crate) mod worker;
pub(crate) mod writer;

#[cfg(test)]
mod fixtures;
#[cfg(all(test, shuttle))]
mod shuttle;
#[cfg(all(test, not(shuttle)))]
mod tests;

pub(crate) use ledger::Ledger;
#[doc(hidden)]
pub use writer::Writer;
