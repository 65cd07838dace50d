//! What no reading has seen yet: series that were made, and cells that threads have of series because of their tags. What comes in
//! is one of them at a time; what goes out are all, to a reading that puts them in order.
//!
//! Series come with their histories, so that readings can take them as they are, and the first cell of a series, which most have
//! and have alone, goes there at once.

use std::sync::Arc;

use super::order::Place;
use crate::metrics::cell::LocalCell;
use crate::metrics::series::{History, Series};
use crate::sync::{Mutex, lock};

#[derive(Default)]
pub(super) struct Unread(Mutex<All>);

/// All of it.
#[derive(Default)]
pub(super) struct All {
    /// In the order in which they were made.
    pub(super) series: Vec<Place>,
    /// Further cells of these, and cells of series that readings have seen.
    pub(super) cells: Vec<(Arc<Series>, Arc<LocalCell>)>,
}

impl Unread {
    /// A series was made; the index is locked.
    pub(super) fn add(&self, series: Arc<Series>, history: History) {
        let mut all = lock(&self.0);
        series.set_place(all.series.len());
        all.series.push(Place::new(series, history));
    }

    /// A thread has a cell of its own. No memory is asked for under the lock: an allocator may record.
    pub(super) fn add_cell(&self, series: &Arc<Series>, cell: Arc<LocalCell>) {
        let mut larger = Vec::new();
        loop {
            let mut all = lock(&self.0);
            let All { series: new, cells } = &mut *all;
            let place = Place::find(series, new).map(|at| &mut new[at]);
            if let Some(place) = place.filter(|place| place.history.has_no_cells()) {
                return place.history.add_local(cell);
            }
            let len = cells.len();
            if len < larger.capacity() {
                larger.append(cells);
                std::mem::swap(cells, &mut larger);
            }
            if len < cells.capacity() {
                return cells.push((Arc::clone(series), cell));
            }
            drop(all);
            larger = Vec::with_capacity(2 * len + 8);
        }
    }

    /// All of it, to a reading.
    pub(super) fn take(&self) -> All {
        std::mem::take(&mut *lock(&self.0))
    }
}
