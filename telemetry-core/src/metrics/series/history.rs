//! What readings keep of a series from one to the next. They are made one at a time, so nobody else ever waits for it.

use std::sync::Arc;

use super::epoch::Epoch;
use super::lifetime::{Growth, Lifetime};
use super::reading::Reading;
use crate::clock::Tick;
use crate::metrics::cell::LocalCell;

/// What readings know of a series, and the cells that threads have of it.
#[derive(Debug)]
pub(crate) struct History {
    pub(super) life: Lifetime,
    pub(super) cells: Cells,
}

impl History {
    /// Of a series that began so, and of which there was no reading yet.
    pub(super) fn new(began: Epoch, now: Tick) -> Self {
        let life = Lifetime {
            began,
            mark: 0,
            changed: now,
            before: None,
            is_over: false,
            growth: Growth::default(),
        };
        Self { life, cells: Cells::default() }
    }

    /// The cell of the first thread comes nearer.
    #[inline]
    pub(super) fn come(&self) {
        std::hint::black_box(self.cells.first.as_ref().map(Arc::strong_count));
    }

    /// Ends its life with its latest reading, which every reader has seen.
    pub(crate) fn end(&mut self, reading: Reading) {
        (self.life.before, self.life.is_over) = (Some(reading.into()), true);
        self.cells.iter().for_each(LocalCell::retire);
    }
}

/// Those that threads have of one series. Most often it is one thread.
#[derive(Debug, Default)]
pub(super) struct Cells {
    first: Option<Arc<LocalCell>>,
    more: Vec<Arc<LocalCell>>,
}

impl Cells {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LocalCell> {
        self.first.iter().chain(&self.more).map(|cell| &**cell)
    }

    pub(super) fn extend(&mut self, new: Vec<Arc<LocalCell>>) {
        for cell in new {
            match &mut self.first {
                first @ None => *first = Some(cell),
                Some(_) => self.more.push(cell),
            }
        }
    }

    /// Lets go of those that nobody else has, and gives them to `gone`.
    pub(super) fn release(&mut self, mut gone: impl FnMut(&LocalCell)) {
        // Most are held, and then one look is enough.
        let mut is_gone = |cell: &mut Arc<LocalCell>| {
            let alone = if Arc::strong_count(cell) == 1 { Arc::get_mut(cell) } else { None };
            alone.map(|cell| gone(cell)).is_some()
        };
        self.more.retain_mut(|cell| !is_gone(cell));
        if self.first.as_mut().is_some_and(is_gone) {
            self.first = self.more.pop();
        }
    }
}
