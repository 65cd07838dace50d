//! Bodies of requests that wait on the disk of this machine, of one exporter.
//!
//! Bodies go in as they would go over the wire, and come out as they were: in this process or in one after it. What was committed
//! survives the end of the process and of the machine, at least once; what is damaged costs what it hits, and never a start.
//! Nothing here encodes, sends or retries.

mod disk;
mod frame;
pub mod inspection;
mod log;
mod mounts;
mod recovery;
mod segment;
mod shelf;
mod store;
mod stream;
mod thread;

pub(crate) use self::log::Bounds;
pub(crate) use self::shelf::{Figures, Replay, Shelf};
pub(crate) use self::thread::{For, Heir, Place, Spool};

#[cfg(test)]
mod tests;
