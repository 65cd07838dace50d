//! An exporter that was replaced, and whose worker still has something.

use std::sync::Arc;

use super::lanes::Lanes;

pub(crate) struct Former {
    pub(super) number: usize,
    pub(super) lanes: Arc<Lanes>,
    /// What it was given of metrics says what the one needs that has its place.
    pub(super) is_like: bool,
}
