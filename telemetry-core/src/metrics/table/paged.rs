//! What the threads have in their pages, added up for each series.
//!
//! What comes in are cells by the number of their site; what goes out are values in the order of series, which are read in
//! that order. Several sites may feed one series.

use std::iter::Peekable;
use std::sync::Arc;

use super::order::Place;
use crate::metrics::cell::LocalValue;
use crate::metrics::series::Series;

/// By the number of their site.
#[derive(Default)]
pub(super) struct Paged(Vec<Option<(Arc<Series>, LocalValue)>>);

/// The same by where their series stand.
pub(super) struct InOrder(Peekable<std::vec::IntoIter<(usize, LocalValue)>>);

impl Paged {
    /// Adds what a thread has. Nothing where there is no series.
    pub(super) fn put(
        &mut self,
        number: usize,
        local: LocalValue,
        series: impl FnOnce() -> Option<Arc<Series>>,
    ) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        match &mut self.0[number] {
            Some((_, known)) => known.add(local),
            place => *place = series().map(|series| (series, local)),
        }
    }

    /// Once all series have a place.
    pub(super) fn in_order(self, places: &[Place]) -> InOrder {
        let all = self.0.into_iter().flatten();
        let placed = |(series, local)| Some((Place::find(&series, places)?, local));
        let mut all: Vec<_> = all.filter_map(placed).collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        InOrder(all.into_iter().peekable())
    }
}

impl InOrder {
    /// Adds what there is for the series at that place, the next one.
    pub(super) fn add_to(&mut self, to: &mut LocalValue, place: usize) {
        while let Some((_, local)) = self.0.next_if(|(at, _)| *at == place) {
            to.add(local);
        }
    }
}
