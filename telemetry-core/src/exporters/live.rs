//! What shows items to people as they happen: they come in as batches, each thread's in its own order, and go out in the order
//! in which they happened.
//!
//! It holds them for a moment for that, and says of which batches all is out. It never waits and starts no thread: its worker
//! asks it again when it wants to be asked.

use std::io;

use super::batch::Batch;
use crate::clock::Tick;

/// An exporter that holds what it is given for a moment.
pub trait Live {
    /// Takes a batch under a number, which is larger than those before it.
    fn take(&mut self, batch: &Batch, number: u64, now: Now);

    /// Puts out what it has held for long enough, or all of it. After an error it holds none of it any more.
    fn put_out(&mut self, now: Now, all: bool) -> io::Result<()>;

    /// What it holds.
    fn held(&self) -> Option<Held>;

    /// What an attempt failed with.
    fn error(&self, error: &io::Error) -> super::ExportError;
}

/// One moment, on the collector's clock and on the wall.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// In ticks.
    pub tick: Tick,
    /// In nanoseconds since the Unix epoch.
    pub unix_nano: u64,
}

/// What a live exporter holds.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The first batch of which not all is out.
    pub first: u64,
    /// When it wants to put some of it out.
    pub until: Tick,
}
