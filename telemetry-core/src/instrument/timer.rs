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
        let tags = owned(tags);
        Self { running, site, tags, task }
    }

    /// Forgets the measurement.
    pub fn discard(mut self) {
        (self.running, self.task) = (Running::Not, None);
    }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        self.running.stop(&self.site, &self.tags, machine::counter);
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
            _ if page::is_any() => {
                start_by_clock(bound).map_or(Self::Not, |(core, start)| Self::For(core, start))
            }
            _ => Self::Not,
        }
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

    /// Takes the time until now, as `read` reads it from the machine's counter, once. Nothing that is seldom done is given
    /// a reference to what runs, so that this stays in registers.
    #[expect(clippy::inline_always, reason = "what began is not in memory then: 4% of a timer, measured")]
    #[inline(always)]
    pub(super) fn stop(&mut self, site: &Site, tags: &[(String, String)], read: impl FnOnce() -> u64) {
        match std::mem::replace(self, Self::Not) {
            Self::Counter(started) if tags.is_empty() => {
                if let Err(seconds) = started.stop(site, read) {
                    record_elsewhere(started.collector, site, tags, seconds);
                }
            }
            Self::Counter(started) => record_elsewhere(started.collector, site, tags, started.seconds()),
            Self::For(core, start) => record_by_clock(core, start, site, tags),
            Self::Not => {}
        }
    }
}

#[cold]
fn start_by_clock(bound: Option<&Arc<Core>>) -> Option<(Arc<Core>, Tick)> {
    let core = bound.cloned().or_else(current::get).filter(|core| core.is_enabled())?;
    let now = core.clock().now();
    Some((core, now))
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "its last owner is here")]
fn record_by_clock(core: Arc<Core>, start: Tick, site: &Site, tags: &[(String, String)]) {
    record(&core, site, tags, core.clock().now().since(start) as f64 / 1e9);
}

/// It has tags, or ends on another thread than it began, or under another collector, or where it has no cell.
#[cold]
fn record_elsewhere(collector: u64, site: &Site, tags: &[(String, String)], seconds: f64) {
    if let Some(core) = current::by_number(collector) {
        record(&core, site, tags, seconds);
    }
}

fn record(core: &Core, site: &Site, tags: &[(String, String)], seconds: f64) {
    observe_tagged(Some(core), site, &borrowed(tags), Number::Float(seconds));
}

/// Tags that are kept until a call is over.
pub(super) fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(super) fn borrowed(tags: &[(String, String)]) -> Vec<(&str, &str)> {
    tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}
