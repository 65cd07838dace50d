//! `discard:`: throws everything away and counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Batch, Delivery, ExportError, Exporter, Signal};

/// Throws away what it is given. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Discard(Arc<[AtomicU64; 3]>);

impl Discard {
    /// Nothing thrown away yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items of that signal were thrown away.
    pub fn discarded(&self, signal: Signal) -> u64 {
        self.0[signal as usize].load(Relaxed)
    }
}

impl Exporter for Discard {
    fn name(&self) -> &'static str {
        "discard"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        self.0[batch.signal() as usize].fetch_add(batch.len() as u64, Relaxed);
        Ok(Delivery::all())
    }
}
