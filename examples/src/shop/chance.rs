//! Random numbers, good enough for a shop without customers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Any number.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
