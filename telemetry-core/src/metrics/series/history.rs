//! What readings keep of a series from one to the next. They are made one at a time, so nobody else ever waits for it.

use std::sync::Arc;

use super::epoch::Epoch;
use super::growth::Growth;
use super::reading::Reading;
use super::width::Width;
use crate::clock::Tick;
use crate::metrics::cell::LocalCell;
use crate::model::Metric;
use crate::sync::prefetch;

/// What readings know of a series, and the cells that threads have of it. There are as many as series, so what most don't need
/// stands elsewhere.
#[derive(Debug)]
pub(crate) struct History {
    /// The cell of a thread. Most often it is one thread.
    first: Option<Arc<LocalCell>>,
    /// What the last reading found.
    pub(super) mark: u64,
    /// When a reading last found something new.
    pub(super) changed: Tick,
    /// Of a sum.
    pub(super) growth: Growth,
    rest: Option<Box<Rest>>,
    /// Of its metric.
    pub(super) width: Arc<Width>,
    /// When it was made.
    pub(super) made: Epoch,
    /// A series that is idle for long ends, and begins anew with its next value.
    pub(super) is_over: bool,
}

#[derive(Debug, Default)]
struct Rest {
    /// Cells of other threads.
    cells: Vec<Arc<LocalCell>>,
    /// When it began, if it has begun anew after it was over.
    began: Option<Epoch>,
    /// What it held when it last ended; what is exported came after.
    before: Option<Reading>,
}

impl History {
    /// Of a series of that metric that is made now, and of which there was no reading yet.
    pub(crate) fn new(width: Arc<Width>, made: Epoch, now: Tick) -> Self {
        let (first, growth, rest) = Default::default();
        Self { first, mark: 0, changed: now, growth, rest, width, made, is_over: false }
    }

    /// Whether both series are of one metric. Where they are not, they may be of two that have one name.
    #[inline]
    pub(crate) fn is_of_metric(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.width, &other.width)
    }

    /// Whether there were series of its metric with different levels.
    pub(crate) fn has_levels(&self) -> bool {
        self.width.has_levels()
    }

    /// Whether there were some with different units.
    #[cfg(feature = "prometheus")]
    pub(crate) fn has_units(&self) -> bool {
        self.width.has_units()
    }

    /// Gives a data point of its own the type of its metric.
    pub(crate) fn put_type_on(&self, metric: &mut Metric) {
        self.width.put_on(metric);
    }

    /// The cell of the first thread comes nearer.
    #[inline]
    pub(super) fn come(&self) {
        self.first.iter().for_each(|cell| prefetch::to_read(&**cell));
    }

    /// A thread has a cell of it.
    pub(crate) fn add_local(&mut self, cell: Arc<LocalCell>) {
        match &mut self.first {
            first @ None => *first = Some(cell),
            Some(_) => self.rest.get_or_insert_default().cells.push(cell),
        }
    }

    /// Whether no thread has one.
    #[inline]
    pub(crate) fn has_no_cells(&self) -> bool {
        self.first.is_none()
    }

    /// Those that threads have.
    #[inline]
    pub(super) fn cells(&self) -> impl Iterator<Item = &LocalCell> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| &rest.cells)).map(|cell| &**cell)
    }

    /// Lets go of cells that nobody else has, and gives them to `gone`.
    #[inline]
    pub(super) fn release(&mut self, mut gone: impl FnMut(&LocalCell)) {
        // Most are held, and then one look is enough.
        let mut is_gone = |cell: &mut Arc<LocalCell>| {
            let alone = if Arc::strong_count(cell) == 1 { Arc::get_mut(cell) } else { None };
            alone.map(|cell| gone(cell)).is_some()
        };
        if let Some(rest) = &mut self.rest {
            rest.cells.retain_mut(|cell| !is_gone(cell));
        }
        if self.first.as_mut().is_some_and(is_gone) {
            self.first = self.rest.as_mut().and_then(|rest| rest.cells.pop());
        }
    }

    /// Whether it is in its first life, with all that it ever had.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        !self.is_over && self.began_anew().is_none() && self.growth.is_first()
    }

    /// When it began, if it has begun anew after it was over.
    #[inline]
    pub(super) fn began_anew(&self) -> Option<Epoch> {
        self.rest.as_ref()?.began
    }

    /// What it held when it last ended.
    #[inline]
    pub(super) fn before(&self) -> Option<&Reading> {
        self.rest.as_ref()?.before.as_ref()
    }

    /// It begins anew: everything came after that moment.
    pub(super) fn begin(&mut self, began: Epoch) {
        self.rest.get_or_insert_default().began = Some(began);
        self.growth = Growth::default();
    }

    /// Ends its life with its latest reading, which every reader has seen.
    pub(crate) fn end(&mut self, reading: Reading) {
        self.rest.get_or_insert_default().before = Some(reading);
        self.is_over = true;
        self.cells().for_each(LocalCell::retire);
    }
}
