//! How a collector is shut down, and what a builder is told of that: how long it may take, and whether it comes with the end of the
//! process. It waits for nobody beyond its deadline.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::builder::Builder;
#[cfg(doc)]
use super::config::Config;
use super::engine::{Engine, aside, say_late};
use super::report::Report;
use crate::clock::{Tick, deadline_in};
use crate::diagnostics;
use crate::exporters::Signal;
use crate::pipeline::command::Command;
use crate::pipeline::ledger::Reason;
use crate::sync::lock;

/// Standard error has that much time at the end, if it is a pipe that nobody reads.
const SOON: Duration = Duration::from_millis(200);
/// So long the closure of `on_export` may take for the last reports.
const REPORTS: Duration = Duration::from_secs(1);

impl Builder {
    /// Sets [`Config::shutdown_timeout`].
    pub fn shutdown_timeout(self, time: Duration) -> Self {
        self.configure(move |c| c.shutdown_timeout = time)
    }

    /// Sets [`Config::shutdown_on_exit`]: where the process ends while the collector runs, it is shut down first, as by its guard, within
    /// [`Config::shutdown_timeout`]; a shutdown that is under way has no more time than that either. What could not be delivered is
    /// in the spool of its exporter then, or is said to be lost on standard error. Where something hangs, the process waits three
    /// seconds longer, and ends.
    ///
    /// | the process ends | with it | without |
    /// | --- | --- | --- |
    /// | `main` returns, or a panic unwinds it, and drops the guard | as without | shut down by the guard |
    /// | `main` returns, and the guard is kept elsewhere: in a `static`, by another thread, forgotten | shut down | not |
    /// | `std::process::exit`, on any thread, also where a thread of the program handles a signal | shut down | not |
    /// | a panic in a program with `panic = "abort"`, once the hooks that were set before have run | shut down | not |
    /// | `exit` in a child that was forked off | only the collectors that it started so itself | not |
    /// | `abort`, `_exit`, `exec`, a signal that is not handled | not | not |
    ///
    /// Where it is not shut down, what a spool has committed is sent by the next process, and all else is lost.
    ///
    /// C's `atexit` tells of the end. On Windows `std::process::exit` does not call what stands there: only panics that abort are seen.
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use telemetry_core::{Collector, Guard};
    ///
    /// // Never dropped.
    /// static TELEMETRY: OnceLock<Guard> = OnceLock::new();
    ///
    /// let builder = Collector::builder().endpoint("console:").shutdown_on_exit(true);
    /// let telemetry = TELEMETRY.get_or_init(|| builder.install().expect("a collector"));
    /// telemetry.counter("jobs").inc();
    /// // It is on the console then.
    /// std::process::exit(0);
    /// ```
    pub fn shutdown_on_exit(self, wanted: bool) -> Self {
        self.configure(move |c| c.shutdown_on_exit = wanted)
    }
}

impl Engine {
    /// For the program, which has the report then.
    pub(super) fn shutdown(&self, deadline: Duration) -> Report {
        let report = self.end_in(deadline);
        // A child takes no lock.
        if self.is_enabled() {
            *lock(&self.is_told) = true;
        }
        report
    }

    /// Shuts down, or waits for whoever is at it.
    fn end_in(&self, deadline: Duration) -> Report {
        let until = deadline_in(deadline);
        let is_first = !self.closed.swap(true, Relaxed);
        if !self.is_enabled() {
            return self.report_of_nothing();
        }
        if is_first {
            self.say_if_nobody_takes();
            self.say_kept_back();
            self.end(deadline, until);
        }
        let report = self.report_of_end(until);
        // The program may end now.
        diagnostics::flush(SOON);
        report
    }

    fn end(&self, deadline: Duration, until: Instant) {
        // What callbacks of the program take goes off the time of the exporters, so it is not all of it.
        self.table.stop_callbacks_by(deadline_in(deadline / 4));
        let (done, moved) = bounded(1);
        let stop_by = self.end_of_workers(deadline);
        let stop = Command::Stop(stop_by, done);
        let is_stopped = self.commands.send(stop).is_ok() && moved.recv_deadline(until).is_ok();
        if let Some(thread) = lock(&self.dispatcher).take().filter(|_| is_stopped) {
            let _ = thread.join();
        }
        self.buffers.close();
        // Where neither holds it has served, say in a test, and what still runs has no guard to keep.
        if self.is_global.load(Relaxed) || !self.has_recorded() {
            self.buffers.tell_of_late();
            self.table.tell_of_late();
        }
        let abandon = || lock(&self.exporters).iter().for_each(|exporter| exporter.lanes.abandon());
        if !is_stopped {
            // It is not there, or late: nobody else would tell them.
            abandon();
        }
        // Those that are on their way out may have had more time.
        lock(&self.exporters).iter().for_each(|exporter| exporter.lanes.end_by(stop_by));
        let late = self.books.wait_ended(None, until);
        abandon();
        say_late(&self.lost_late());
        self.end_user_code(until);
        self.books.finish(late);
    }

    /// They end a little before, so that they can say how.
    pub(super) fn end_of_workers(&self, deadline: Duration) -> Tick {
        let reserve = (deadline / 10).min(Duration::from_millis(100));
        self.clock.now().plus(deadline.saturating_sub(reserve))
    }

    /// Who lost how much at a deadline.
    pub(super) fn lost_late(&self) -> Vec<(String, Signal, u64)> {
        let ledger = self.ledger();
        let all = ledger.exporters().flat_map(|name| Signal::EACH.map(|signal| (name, signal)));
        let lost = |name, signal| Some(ledger.exporter(name, signal)?.dropped.by(Reason::Deadline));
        all.map(|(name, signal)| (name.to_owned(), signal, lost(name, signal).unwrap_or_default())).collect()
    }

    /// Lets go of readers, callbacks and the closure of `on_export`, each of which may hang or panic.
    fn end_user_code(&self, until: Instant) {
        let reports = self.reports.finish();
        // First, as it may still be asked for what its reader shows.
        #[cfg(feature = "prometheus")]
        self.server.stop(until);
        let readers = std::mem::take(&mut *lock(&self.readers));
        let mut ends: Vec<_> = readers.into_iter().filter_map(|reader| aside(|| reader.end()).ok()).collect();
        if self.table.has_callbacks() {
            let table = Arc::clone(&self.table);
            ends.extend(aside(move || table.forget_callbacks()));
        }
        // Whoever waits for reports wants the last ones too, but a closure that hangs has no claim on the deadline.
        let soon = deadline_in(REPORTS).min(until);
        for (end, until) in ends.iter().map(|end| (end, until)).chain(reports.iter().map(|end| (end, soon))) {
            let _ = end.recv_deadline(until);
        }
    }

    /// Shuts down, if nobody has, and says what was lost.
    pub(super) fn end_and_say(&self) {
        if !self.closed.load(Relaxed) {
            self.end_with_process();
        }
    }

    /// The same where nobody goes on: whoever is at it is waited for, has no more time than this, and what they would say is said.
    pub(super) fn end_with_process(&self) {
        let deadline = self.config.shutdown_timeout;
        if self.is_enabled() {
            let end = self.end_of_workers(deadline);
            lock(&self.exporters).iter().for_each(|exporter| exporter.lanes.end_by(end));
        }
        let report = self.end_in(deadline);
        let lost = report.ledger().lost();
        let mut is_told = lock(&self.is_told);
        if !std::mem::replace(&mut *is_told, true) && (lost > 0 || !report.is_complete()) {
            let items = if lost == 1 { "item was" } else { "items were" };
            diagnostics::warn_report(format_args!("{lost} {items} lost\n{report}"));
        }
        drop(is_told);
        diagnostics::flush(SOON);
    }
}
