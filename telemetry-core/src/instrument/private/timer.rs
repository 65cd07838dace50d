//! Timers of annotated calls.

use super::call_mode::{CallMode, InFuture, OnThread};
use super::outcome::{ERROR_TYPE, Outcome, unfinished};
use super::with_span::Measures;
use crate::instrument::base::SiteRef;
use crate::instrument::timer::{self, TimerGuard, record_rare};
use crate::metrics::Site;
use crate::metrics::page::Stopwatch;

/// Starts a timer for a static site, with tags known only now.
pub fn start(site: &'static Site, tags: &[(&str, &str)]) -> TimerGuard {
    TimerGuard::start(SiteRef::Static(site), tags, None)
}

/// What is told how a call ended.
pub trait Ends {
    /// With the kind of error, if it is one.
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>);
}

pub type CallTimer = CallOf<OnThread<false>>;
pub type SpanTimer = CallOf<OnThread<true>>;
pub type FutureTimer = CallOf<InFuture>;
pub type OutcomeTimer = OutcomeOf<OnThread<false>>;
pub type SpanOutcomeTimer = OutcomeOf<OnThread<true>>;
pub type FutureOutcomeTimer = OutcomeOf<InFuture>;

/// Measures a call for a static site, without tags known only now.
#[derive(Debug)]
pub struct CallOf<M: CallMode> {
    site: &'static Site,
    started: Stopwatch,
    mode: M,
}

impl<M: CallMode> CallOf<M> {
    #[inline]
    pub fn start(site: &'static Site) -> Self {
        let mode = M::of(site);
        Self { site, mode, started: timer::start(None) }
    }
}

impl<M: CallMode> Drop for CallOf<M> {
    #[inline]
    fn drop(&mut self) {
        let Self { site, started, mode } = *self;
        if !started.is_for_nobody() {
            let own = mode.histogram(site, true).0;
            timer::record(started, own, site, M::read());
        }
    }
}

/// Measures a call, with a series for each outcome, in the order of [`Outcome`].
#[derive(Debug)]
pub struct OutcomeOf<M: CallMode> {
    sites: &'static [Site; 4],
    /// For nobody once it has ended.
    started: Stopwatch,
    mode: M,
}

impl<M: CallMode> OutcomeOf<M> {
    #[inline]
    pub fn start(sites: &'static [Site; 4]) -> Self {
        let mode = M::of(&sites[0]);
        Self { sites, mode, started: timer::start(None) }
    }

    #[expect(clippy::inline_always, reason = "what began is not in memory then")]
    #[inline(always)]
    pub fn end(&mut self, outcome: Outcome) {
        let Self { sites, started, mode } = *self;
        self.started = Stopwatch::FOR_NOBODY;
        if !started.is_for_nobody() {
            let site = &sites[outcome as usize];
            let own = mode.histogram(site, outcome == Outcome::Ok).0;
            timer::record(started, own, site, M::read());
        }
    }

    /// The same with the kind of error, if it is one.
    #[inline]
    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        match error_type {
            Some(kind) if !self.started.is_for_nobody() => {
                let started = std::mem::replace(&mut self.started, Stopwatch::FOR_NOBODY);
                let tags = [(ERROR_TYPE.to_owned(), kind)];
                record_rare(started, &self.sites[outcome as usize], &tags, M::read());
            }
            _ => self.end(outcome),
        }
    }
}

impl<M: CallMode> Drop for OutcomeOf<M> {
    #[inline]
    fn drop(&mut self) {
        #[cold]
        fn end<M: CallMode>(timer: &mut OutcomeOf<M>) {
            timer.end(unfinished());
        }
        if !self.started.is_for_nobody() {
            end(self);
        }
    }
}

/// The same with tags known only now.
#[derive(Debug)]
pub struct TaggedOutcomeTimer {
    guard: TimerGuard,
    sites: &'static [Site; 4],
    outcome: Option<Outcome>,
}

impl TaggedOutcomeTimer {
    pub fn start(sites: &'static [Site; 4], tags: &[(&str, &str)]) -> Self {
        Self { guard: start(&sites[0], tags), sites, outcome: None }
    }

    pub fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.guard.tags.extend(error_type.map(|kind| (ERROR_TYPE.to_owned(), kind)));
        self.end(outcome);
    }
}

impl Drop for TaggedOutcomeTimer {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(unfinished);
        self.guard.site = SiteRef::Static(&self.sites[outcome as usize]);
    }
}

impl<M: CallMode> Measures for CallOf<M> {
    #[inline]
    fn began(&self) -> Option<u64> {
        self.started.counter()
    }

    #[inline]
    fn site(&self) -> Option<&'static Site> {
        Some(self.site)
    }
}

impl<M: CallMode> Measures for OutcomeOf<M> {
    #[inline]
    fn began(&self) -> Option<u64> {
        self.started.counter()
    }

    #[inline]
    fn site(&self) -> Option<&'static Site> {
        self.sites.first()
    }
}

impl Measures for TimerGuard {
    fn began(&self) -> Option<u64> {
        self.started.counter()
    }

    fn site(&self) -> Option<&'static Site> {
        None
    }
}

impl Measures for TaggedOutcomeTimer {
    fn began(&self) -> Option<u64> {
        self.guard.began()
    }

    fn site(&self) -> Option<&'static Site> {
        self.sites.first()
    }
}

impl<M: CallMode> Ends for OutcomeOf<M> {
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.end_with(outcome, error_type);
    }
}

impl Ends for TaggedOutcomeTimer {
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.end_with(outcome, error_type);
    }
}
