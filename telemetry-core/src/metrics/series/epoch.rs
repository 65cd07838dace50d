//! When something began, by the clock and by the readings that there were.

/// When a series began: by the wall clock, and as the number of the reading that came before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epoch {
    pub(crate) unix_nanos: u64,
    pub(crate) reading: u64,
}
