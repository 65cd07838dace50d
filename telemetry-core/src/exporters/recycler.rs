//! Memory of batches that nobody needs any more, for the next ones: pages that were used before cost nothing.

use std::sync::{Arc, Weak};

use crate::model::record::Chunk;
use crate::sync::{Mutex, lock};

/// Keeps the memory of some large chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recycler(Arc<Mutex<Vec<Chunk>>>);

/// Where a chunk goes when its batch is done with.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin(Weak<Mutex<Vec<Chunk>>>);

/// So many chunks are kept, of which each may have half a MiB.
const MOST: usize = 8;
/// Smaller ones cost little.
const LEAST: usize = 64 << 10;

impl Recycler {
    /// An empty chunk for about so many bytes.
    pub(crate) fn chunk(&self, bytes: usize) -> Chunk {
        // Not one that is much larger: it weighs in the lanes what it keeps from other use.
        let fits = |chunk: &Chunk| chunk.has_room(bytes) && chunk.capacity() <= bytes + bytes / 4;
        let mut kept = lock(&self.0);
        let found = kept.iter().position(fits).map(|at| kept.swap_remove(at));
        drop(kept);
        found.unwrap_or_else(|| Chunk::with_capacity(bytes))
    }

    pub(super) fn origin(&self) -> Origin {
        Origin(Arc::downgrade(&self.0))
    }
}

impl Origin {
    pub(super) fn take_back(&self, chunk: Chunk) {
        if chunk.capacity() < LEAST {
            return;
        }
        let Some(kept) = self.0.upgrade() else { return };
        let mut kept = lock(&kept);
        if kept.len() < MOST {
            kept.push(chunk.emptied());
        }
    }
}
