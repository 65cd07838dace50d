//! Exporters that are to be replaced or removed while the others go on: when their time has come, and what happens then.
//!
//! One that is replaced has its last share of the metrics, and then another one has its place: whatever is dispatched goes to one of
//! them. One that is removed is given what was recorded until then, as by a flush, and goes. Neither waits beyond its time.

use crossbeam_channel::Sender;

use super::books::Books;
use super::command::Replace;
use super::output::{Output, Sums};
use crate::clock::Tick;

/// All of them. Those that are replaced are in the order in which that was said.
#[derive(Default)]
pub(super) struct Changes {
    replacing: Vec<Replace>,
    removing: Vec<Removing>,
}

/// One that is to be removed.
pub(super) struct Removing {
    pub(super) number: usize,
    /// By then it is.
    pub(super) by: Tick,
    /// Its worker has until then.
    pub(super) until: Tick,
    pub(super) done: Sender<()>,
    /// After that reading of the metrics,
    pub(super) reading: u64,
    /// and what threads had recorded by then.
    pub(super) mark: u64,
}

impl Changes {
    pub(super) fn replace(&mut self, replace: Replace) {
        self.replacing.push(replace);
    }

    pub(super) fn remove(&mut self, removing: Removing) {
        self.removing.push(removing);
    }

    /// When the first of them is over, whatever keeps it.
    pub(super) fn next(&self) -> Option<Tick> {
        let replacing = self.replacing.iter().map(|replace| replace.by);
        replacing.chain(self.removing.iter().map(|removing| removing.by)).min()
    }

    /// Whether an exporter is to have its last share of the metrics.
    pub(super) fn concern(&self, number: usize) -> bool {
        self.replacing.iter().any(|replace| replace.number == number)
            || self.removing.iter().any(|removing| removing.number == number)
    }

    /// Takes over what those have left that were replaced, and sees to those whose time is over or who wait for nothing. So many readings
    /// have ended: who waits for another one is due. Whether outputs have changed.
    pub(super) fn go_on(&mut self, outputs: &mut Vec<Output>, books: &Books, ended: u64, now: Tick) -> bool {
        let mut has_changed = false;
        outputs.iter_mut().for_each(|output| output.take_over(books, false));
        while let Some(at) = self.replacing.iter().position(|it| {
            let takes_no_metrics = |output: &Output| output.number == it.number && !output.wants_metrics();
            now >= it.by || outputs.iter().any(takes_no_metrics)
        }) {
            let replace = self.replacing.remove(at);
            self.swap(replace, outputs, books, None);
            has_changed = true;
        }
        for removing in self.removing.extract_if(.., |removing| now >= removing.by).collect::<Vec<_>>() {
            self.take_out(&removing, outputs, books);
            has_changed = true;
        }
        for output in outputs {
            let is_due = self.replacing.iter().any(|replace| replace.number == output.number)
                || self.removing.iter().any(|it| it.number == output.number && it.reading > ended);
            if is_due {
                output.next_due = now;
            }
        }
        has_changed
    }

    /// Those that are to be replaced have had their share of a reading, or there is none any more. Whether outputs have changed.
    pub(super) fn swap_all(&mut self, outputs: &mut [Output], books: &Books, sums: Option<&Sums>) -> bool {
        let replacing = std::mem::take(&mut self.replacing);
        let has_changed = !replacing.is_empty();
        replacing.into_iter().for_each(|replace| self.swap(replace, outputs, books, sums));
        has_changed
    }

    /// All was moved on before that mark, and so many readings have ended: those go of whom that was all. Whether outputs have changed.
    pub(super) fn take_out_done(
        &mut self,
        outputs: &mut Vec<Output>,
        books: &Books,
        ended: u64,
        first_mark: Option<u64>,
    ) -> bool {
        let is_done =
            |it: &mut Removing| it.reading <= ended && first_mark.is_none_or(|first| it.mark < first);
        let done: Vec<_> = self.removing.extract_if(.., is_done).collect();
        done.iter().for_each(|removing| self.take_out(removing, outputs, books));
        !done.is_empty()
    }

    fn swap(&mut self, replace: Replace, outputs: &mut [Output], books: &Books, sums: Option<&Sums>) {
        let Replace { number, until, heir, done, .. } = replace;
        self.bring_in(number, outputs, books);
        if let Some(output) = outputs.iter_mut().find(|output| output.number == number) {
            let old = std::mem::replace(output, *heir);
            output.succeed(old, books, sums, until);
            let _ = done.send(());
        }
    }

    fn take_out(&mut self, removing: &Removing, outputs: &mut Vec<Output>, books: &Books) {
        self.bring_in(removing.number, outputs, books);
        for mut output in outputs.extract_if(.., |output| output.number == removing.number) {
            output.take_over(books, true);
            output.stop(removing.until);
        }
        let _ = removing.done.send(());
    }

    /// One that has not taken its place yet does so now.
    fn bring_in(&mut self, number: usize, outputs: &mut [Output], books: &Books) {
        let at = self.replacing.iter().position(|replace| replace.heir.number == number);
        if let Some(replace) = at.map(|at| self.replacing.remove(at)) {
            self.swap(replace, outputs, books, None);
        }
    }
}
