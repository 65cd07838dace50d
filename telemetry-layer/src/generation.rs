//! How often it has changed which layers there are, or in which subscribers they are: for whoever remembers that.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// It has.
pub(crate) fn changed() {
    GENERATION.fetch_add(1, Relaxed);
}

/// So often.
#[cfg(feature = "fmt")]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}
