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
        let found = kept.iter().rposition(fits).map(|at| kept.remove(at));
        drop(kept);
        found.unwrap_or_else(|| Chunk::with_capacity(rounded(bytes)))
    }

    pub(super) fn origin(&self) -> Origin {
        Origin(Arc::downgrade(&self.0))
    }
}

/// A little more where it is much, in steps, so that it fits where about as much is wanted later.
fn rounded(bytes: usize) -> usize {
    if bytes < LEAST { bytes } else { bytes.next_multiple_of(bytes.next_power_of_two() / 32) }
}

impl Origin {
    pub(super) fn take_back(&self, chunk: Chunk) {
        if chunk.capacity() < LEAST {
            return;
        }
        let Some(kept) = self.0.upgrade() else { return };
        let mut kept = lock(&kept);
        // Those that nobody has wanted for the longest time go.
        let gone = (kept.len() >= MOST).then(|| kept.remove(0));
        kept.push(chunk.emptied());
        drop((kept, gone));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_where_about_as_much_is_wanted() {
        let recycler = Recycler::default();
        recycler.origin().take_back(recycler.chunk(110_000));
        for bytes in [105_000, 110_500, 102_000, 109_000] {
            let chunk = recycler.chunk(bytes);
            assert!(chunk.has_room(bytes) && lock(&recycler.0).is_empty(), "{bytes}");
            recycler.origin().take_back(chunk);
        }
        recycler.chunk(500_000);
        assert_eq!(lock(&recycler.0).len(), 1, "that is too small");
        recycler.chunk(40_000);
        assert_eq!(lock(&recycler.0).len(), 1, "that is too large");
    }

    #[test]
    fn nothing_weighs_much_more_than_what_was_wanted() {
        let recycler = Recycler::default();
        for bytes in (64 << 10..600 << 10).step_by(1_777) {
            let chunk = recycler.chunk(bytes);
            assert!(chunk.has_room(bytes) && chunk.capacity() <= bytes + bytes / 4, "{bytes}");
            recycler.origin().take_back(chunk);
        }
    }

    #[test]
    fn what_is_kept_follows_what_is_wanted() {
        let recycler = Recycler::default();
        for bytes in [100_000, 300_000] {
            (0..MOST)
                .map(|_| recycler.chunk(bytes))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|chunk| recycler.origin().take_back(chunk));
            let kept = lock(&recycler.0);
            assert!(kept.len() == MOST && kept.iter().all(|chunk| chunk.has_room(bytes)));
        }
    }
}
