//! When a series began, and whether it is over.

use super::reading::Reading;
use crate::clock::Tick;

/// A series that is idle for long ends, and begins anew with its next value.
#[derive(Debug)]
pub(super) struct Lifetime {
    pub(super) began: Epoch,
    /// What the last reading found.
    pub(super) mark: u64,
    /// When a reading last found something new.
    pub(super) changed: Tick,
    /// What it held when it last ended; what is exported came after.
    pub(super) before: Option<Reading>,
    pub(super) is_over: bool,
}

/// When a series began: by the wall clock, and as the number of the reading that came before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epoch {
    pub(crate) unix_nanos: u64,
    pub(crate) reading: u64,
}
