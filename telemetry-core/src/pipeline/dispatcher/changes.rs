//! Exporters that are replaced or removed while the others go on.
//!
//! One that is replaced has its last share of the metrics, and then another one has its place: whatever is dispatched goes to one of
//! them. One that is removed is given what was recorded until then, as by a flush, and goes. Neither is waited for beyond its time.

use crossbeam_channel::Sender;

use super::Dispatcher;
use crate::clock::Tick;
use crate::pipeline::command::Replace;
use crate::pipeline::output::{Output, Sums};

/// One that is to be removed.
pub(super) struct Removing {
    number: usize,
    by: Tick,
    until: Tick,
    done: Sender<()>,
    /// After that reading of the metrics,
    reading: u64,
    /// and what threads had recorded by then.
    mark: u64,
}

impl Dispatcher {
    pub(super) fn begin_replacing(&mut self, replace: Replace) {
        self.state.replacing.push(replace);
    }

    pub(super) fn begin_removing(&mut self, number: usize, [by, until]: [Tick; 2], done: Sender<()>) {
        self.state.marks += 1;
        self.buffers.mark(self.state.marks);
        let (mut reading, mark) = (self.state.begun + 1, self.state.marks);
        if let Some(output) = self.outputs.iter().find(|output| output.number == number) {
            output.lanes.hurry(until);
            reading = if output.wants_metrics() { reading } else { 0 };
        }
        self.state.removing.push(Removing { number, by, until, done, reading, mark });
    }

    /// When the first of them is over, whatever keeps it.
    pub(super) fn next_change(&self) -> Option<Tick> {
        let replacing = self.state.replacing.iter().map(|replace| replace.by);
        replacing.chain(self.state.removing.iter().map(|removing| removing.by)).min()
    }

    /// Whether an exporter is to have its last share of the metrics.
    pub(super) fn is_leaving(&self, number: usize) -> bool {
        self.state.replacing.iter().any(|replace| replace.number == number)
            || self.state.removing.iter().any(|removing| removing.number == number)
    }

    /// Sees to what they wait for, and takes over what those have left that were replaced.
    pub(super) fn go_on_changing(&mut self, now: Tick) {
        self.outputs.iter_mut().for_each(|output| output.take_over(&self.books, false));
        while let Some(at) = self.state.replacing.iter().position(|it| {
            let takes_no_metrics = |output: &Output| output.number == it.number && !output.wants_metrics();
            now >= it.by || self.outputs.iter().any(takes_no_metrics)
        }) {
            let replace = self.state.replacing.remove(at);
            self.swap(replace, None);
        }
        while let Some(at) = self.state.removing.iter().position(|removing| now >= removing.by) {
            let removing = self.state.removing.remove(at);
            self.take_out(removing);
        }
        // Somebody waits for their last share.
        let ended = self.state.ended;
        for output in &mut self.outputs {
            let is_due = self.state.replacing.iter().any(|replace| replace.number == output.number)
                || self.state.removing.iter().any(|it| it.number == output.number && it.reading > ended);
            if is_due {
                output.next_due = now;
            }
        }
    }

    /// The metrics were read, and those that are to be replaced have had their share.
    pub(super) fn swap_all(&mut self, sums: Option<&Sums>) {
        for replace in std::mem::take(&mut self.state.replacing) {
            self.swap(replace, sums);
        }
    }

    /// All was moved on before that mark: those go of whom that was all.
    pub(super) fn take_out_done(&mut self, first_mark: Option<u64>) {
        let ended = self.state.ended;
        let is_done =
            |it: &mut Removing| it.reading <= ended && first_mark.is_none_or(|first| it.mark < first);
        let done: Vec<_> = self.state.removing.extract_if(.., is_done).collect();
        done.into_iter().for_each(|removing| self.take_out(removing));
    }

    fn swap(&mut self, replace: Replace, sums: Option<&Sums>) {
        let Replace { number, until, heir, done, .. } = replace;
        self.bring_in(number);
        if let Some(output) = self.outputs.iter_mut().find(|output| output.number == number) {
            let old = std::mem::replace(output, *heir);
            output.succeed(old, &self.books, sums, until);
            self.outputs_changed();
            let _ = done.send(());
        }
    }

    fn take_out(&mut self, removing: Removing) {
        self.bring_in(removing.number);
        let number = removing.number;
        for mut output in self.outputs.extract_if(.., |output| output.number == number) {
            output.take_over(&self.books, true);
            output.stop(removing.until);
        }
        self.outputs_changed();
        let _ = removing.done.send(());
    }

    /// One that has not taken its place yet does so now.
    fn bring_in(&mut self, number: usize) {
        let at = self.state.replacing.iter().position(|replace| replace.heir.number == number);
        if let Some(replace) = at.map(|at| self.state.replacing.remove(at)) {
            self.swap(replace, None);
        }
    }

    /// Others are there now.
    pub(super) fn outputs_changed(&mut self) {
        let wanted = self.outputs.iter().map(|output| output.patience).filter(|it| it.is_wanted);
        self.buffers.be_patient(wanted.map(|patience| patience.time).max());
        if self.outputs.iter().any(|output| output.is_live) {
            self.state.watch.begin(self.clock.now());
        } else {
            self.state.watch.end();
        }
    }
}
