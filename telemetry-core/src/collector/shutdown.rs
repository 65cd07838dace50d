//! What a builder is told of the shutdown: how long it may take, and whether it comes with the end of the process.

use std::time::Duration;

use super::builder::Builder;
#[cfg(doc)]
use super::config::Config;

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
