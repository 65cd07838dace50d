//! Timers that run.

use std::sync::Arc;

use super::{SiteRef, observe_tagged};
use crate::clock::{Tick, machine};
use crate::collector::{Core, current};
use crate::metrics::page::{self, Started};
use crate::metrics::{Site, Task};
use crate::model::Number;

/// Measures the time until it is dropped, for the collector that was current when it was made.
#[must_use = "dropped at once it measures nothing: write `let _timer = ..`"]
#[derive(Debug)]
pub struct TimerGuard {
    pub(super) running: Running,
    pub(super) site: SiteRef,
    pub(super) tags: Vec<(String, String)>,
    /// For a long task.
    task: Option<Task>,
}

impl TimerGuard {
    pub(super) fn start(site: SiteRef, tags: &[(&str, &str)], bound: Option<&Arc<Core>>) -> Self {
        let running = Running::start(&site, bound);
        let task = if site.is_long_task { running.task(&site, tags) } else { None };
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self { running, site, tags, task }
    }

    /// Forgets the measurement.
    pub fn discard(mut self) {
        (self.running, self.task) = (Running::Not, None);
    }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        self.running.stop(&self.site, &self.tags);
        machine::let_go();
    }
}

/// Since when a timer runs, and for whom.
#[derive(Debug)]
pub(super) enum Running {
    /// For nobody.
    Not,
    /// By the machine's counter: the quick way.
    Counter(Started),
    /// Since that tick of the collector's clock.
    For(Arc<Core>, Tick),
}

impl Running {
    #[inline]
    pub(super) fn start(site: &Site, bound: Option<&Arc<Core>>) -> Self {
        match Started::now(site) {
            Some(started) if bound.is_none() => Self::Counter(started),
            _ if page::is_any() => Self::start_by_clock(bound),
            _ => Self::Not,
        }
    }

    #[cold]
    fn start_by_clock(bound: Option<&Arc<Core>>) -> Self {
        let core = bound.cloned().or_else(current::get).filter(|core| core.is_enabled());
        core.map_or(Self::Not, |core| {
            let now = core.clock().now();
            Self::For(core, now)
        })
    }

    /// The reading of the machine's counter with which it began.
    #[inline]
    pub(super) fn counter(&self) -> Option<u64> {
        match self {
            Self::Counter(started) => Some(started.counter),
            Self::Not | Self::For(..) => None,
        }
    }

    /// It is one that is seen while it runs.
    #[cold]
    fn task(&self, site: &Site, tags: &[(&str, &str)]) -> Option<Task> {
        match self {
            Self::Not => None,
            Self::Counter(started) => current::by_number(started.collector)?.table().begin_task(site, tags),
            Self::For(core, _) => core.table().begin_task(site, tags),
        }
    }

    /// Takes the time until now, once.
    #[expect(
        clippy::inline_always,
        reason = "what was stored at the start stays where it is: 3% of a timer, measured"
    )]
    #[inline(always)]
    pub(super) fn stop(&mut self, site: &Site, tags: &[(String, String)]) {
        if let Self::Counter(started) = *self {
            *self = Self::Not;
            if tags.is_empty() {
                if let Err(seconds) = started.stop(site) {
                    record_elsewhere(started.collector, site, tags, seconds);
                }
            } else {
                record_elsewhere(started.collector, site, tags, started.seconds());
            }
        } else {
            self.stop_by_clock(site, tags);
        }
    }

    #[cold]
    fn stop_by_clock(&mut self, site: &Site, tags: &[(String, String)]) {
        if let Self::For(core, start) = std::mem::replace(self, Self::Not) {
            record(&core, site, tags, core.clock().now().since(start) as f64 / 1e9);
        }
    }
}

/// It has tags, or ends on another thread than it began, or under another collector, or where it has no cell.
#[cold]
fn record_elsewhere(collector: u64, site: &Site, tags: &[(String, String)], seconds: f64) {
    if let Some(core) = current::by_number(collector) {
        record(&core, site, tags, seconds);
    }
}

fn record(core: &Core, site: &Site, tags: &[(String, String)], seconds: f64) {
    let tags: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    observe_tagged(Some(core), site, &tags, Number::Float(seconds));
}
