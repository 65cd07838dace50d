//! Timers that run: from a reading of the clock to the drop of a guard.

use std::sync::Arc;

use super::base::SiteRef;
use super::route::observe_tagged;
use crate::clock::machine;
use crate::collector::{Engine, current};
use crate::metrics::page::{self, Stopwatch};
use crate::metrics::{LocalHistogram, LongTask, Site};
use crate::model::{Number, cut};

/// Measures the time until it is dropped, for the collector that was current when it was made.
#[must_use = "dropped at once it measures nothing: write `let _timer = ..`"]
#[derive(Debug)]
pub struct TimerGuard {
    pub(super) started: Stopwatch,
    pub(super) site: SiteRef,
    pub(super) tags: Vec<(String, String)>,
    /// For a long task.
    task: Option<LongTask>,
}

impl TimerGuard {
    pub(super) fn start(site: SiteRef, tags: &[(&str, &str)], bound: Option<&Arc<Engine>>) -> Self {
        let started = start(bound);
        let task = if site.is_long_task { task(started, &site, tags) } else { None };
        let tags = owned(tags);
        Self { started, site, tags, task }
    }

    /// Forgets the measurement.
    pub fn discard(mut self) {
        (self.started, self.task) = (Stopwatch::FOR_NOBODY, None);
    }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        let Self { started, site, tags, .. } = self;
        if started.is_for_nobody() {
            return;
        }
        let end = machine::counter();
        if tags.is_empty() {
            record(*started, page::histogram(site), site, end);
        } else {
            record_rare(*started, site, tags, end);
        }
    }
}

/// It is one that is seen while it runs.
#[cold]
fn task(started: Stopwatch, site: &Site, tags: &[(&str, &str)]) -> Option<LongTask> {
    current::by_number(started.collector())?.table().begin_task(site, tags)
}

/// Starts to measure for a collector, or for the current one.
#[inline]
pub(super) fn start(bound: Option<&Arc<Engine>>) -> Stopwatch {
    match Stopwatch::now() {
        Some(started) if bound.is_none() => started,
        _ if page::is_any() => start_without_page(bound).unwrap_or(Stopwatch::FOR_NOBODY),
        _ => Stopwatch::FOR_NOBODY,
    }
}

#[cold]
fn start_without_page(bound: Option<&Arc<Engine>>) -> Option<Stopwatch> {
    let engine = bound.cloned().or_else(current::get).filter(|engine| engine.is_enabled())?;
    Stopwatch::without_page(engine.number(), engine.clock())
}

/// Takes the time to that reading of the machine's counter, where it ends for a site whose own histogram that is.
pub(super) fn record(started: Stopwatch, histogram: &LocalHistogram, site: &Site, end: u64) {
    if !started.record(histogram, end) {
        record_rare(started, site, &[], end);
    }
}

/// It ends on another thread than it began, or under another collector, or where it has no cell, or has tags.
#[cold]
pub(super) fn record_rare(started: Stopwatch, site: &Site, tags: &[(String, String)], end: u64) {
    if let Some(engine) = current::by_number(started.collector()) {
        let seconds = Number::Float(started.seconds(end, engine.clock()));
        observe_tagged(Some(&engine), site, &borrowed(tags), seconds);
    }
}

/// Tags that are kept until a call is over.
#[inline]
pub(super) fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    // Mostly there are none.
    if tags.is_empty() { Vec::new() } else { owned_some(tags) }
}

#[inline(never)]
fn owned_some(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(k, v)| (cut::name(k).into_owned(), cut::name(v).into_owned())).collect()
}

pub(super) fn borrowed(tags: &[(String, String)]) -> Vec<(&str, &str)> {
    tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}
