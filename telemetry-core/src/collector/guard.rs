//! What keeps the global collector running.

use super::current;
use super::handle::Collector;
use crate::Error;
use std::ops::Deref;

/// Shuts the global collector down when it is dropped, and says on standard error what was lost, if anything.
///
/// Keep it in `main` until the end: `let _telemetry = ..`, not `let _ = ..`. [`Collector::shutdown`], which can
/// be called through it as everything else of the collector, does the same and returns the report.
///
/// `std::process::exit` drops no guard, nor does a panic where these abort: see [`shutdown_on_exit`](crate::Builder::shutdown_on_exit).
#[must_use = "dropped at once it shuts the collector down at once: write `let _telemetry = ..`"]
#[derive(Debug)]
pub struct Guard {
    collector: Collector,
}

impl Collector {
    /// Makes it the global collector, which all threads feed that have no scoped one. A program has one, once.
    pub fn install(self) -> Result<Guard, Error> {
        if current::install(&self.engine) {
            Ok(Guard { collector: self })
        } else {
            Err(Error::AlreadyInstalled)
        }
    }
}

impl Guard {
    /// Of a set-up from the environment.
    #[doc(hidden)]
    pub fn say_if_nobody_is_there(&self) {
        self.collector.engine.say_if_nobody_is_there();
    }
}

impl Deref for Guard {
    type Target = Collector;

    fn deref(&self) -> &Collector {
        &self.collector
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.collector.engine.end_and_say();
    }
}
