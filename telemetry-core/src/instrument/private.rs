//! For what the macros expand to. Nothing here is for users, and all of it may change.

use std::borrow::Cow;
use std::sync::Arc;

use super::timer::{self, borrowed, owned, record_rare};
use super::{CellKind, Number, Site, SiteRef, TimerGuard, current};
use crate::clock::machine;
use crate::collector::{Collector, Core, Sink};
use crate::metrics::LocalHistogram;
use crate::metrics::page::{self, Stopwatch};

/// Adds to a static counter.
#[inline]
pub fn count(site: &'static Site, value: impl Into<Number>) {
    super::add(None, site, value.into());
}

/// Adds to a static counter, with tags known only now.
pub fn count_with(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    super::add_with(None, site, tags, value.into());
}

/// Takes a value for a static gauge, with tags known only now.
pub fn record(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    let value = value.into();
    current::with(|core| core.table().record(site, tags, value));
}

/// Takes a value for a static histogram.
#[inline]
pub fn observe(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    super::observe_tagged(None, site, tags, value.into());
}

/// Sends a finished data point.
pub fn record_point(name: &'static str, value: impl Into<Number>) {
    if let Some(collector) = Collector::current() {
        collector.record(name, value);
    }
}

/// Counts a call as long as it runs, for the collector that was current when it began.
#[derive(Debug)]
pub struct Active {
    site: &'static Site,
    core: Option<Arc<Core>>,
}

impl Active {
    pub fn start(site: &'static Site) -> Self {
        let core = current::get();
        if let Some(core) = &core {
            super::add(Some(core), site, Number::Int(1));
        }
        Self { site, core }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            super::add(Some(core), self.site, Number::Int(-1));
        }
    }
}

/// Starts a timer for a static site, with tags known only now.
pub fn start(site: &'static Site, tags: &[(&str, &str)]) -> TimerGuard {
    TimerGuard::start(SiteRef::Static(site), tags, None)
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Error,
    Panic,
    Cancelled,
}

/// What measures a call.
pub trait Measures {
    /// The reading of the machine's counter with which it began, where it measures by that.
    fn began(&self) -> Option<u64>;

    /// What it measures, of all its outcomes the first.
    fn site(&self) -> Option<&'static Site>;
}

/// What is told how a call ended.
pub trait Ends {
    /// With the kind of error, if it is one.
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>);
}

/// The span that opens next belongs to that call, and begins with the same reading of the clock.
#[inline]
pub fn announce(timer: &impl Measures) {
    machine::announce(timer.began().unwrap_or_default());
}

/// The span is open.
#[inline]
pub fn opened() {
    machine::announce(0);
}

/// Dropped when the call is over, before its span, which ends together with its timer: with one reading of the clock.
#[derive(Debug)]
pub struct End(bool);

impl End {
    /// Of that call, whose span is open.
    #[inline]
    pub fn of(timer: &impl Measures) -> Self {
        opened();
        Self(timer.began().is_some())
    }

    /// It ends now, if it has not before.
    #[inline]
    pub fn now(&mut self) {
        if std::mem::take(&mut self.0) {
            machine::hold();
        }
    }
}

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        self.now();
    }
}

/// Dropped when a call, its span and its timer are over: the clock runs again.
#[derive(Debug)]
pub struct Over;

impl Drop for Over {
    #[inline]
    fn drop(&mut self) {
        machine::let_go();
    }
}

impl<W: Way> Measures for CallOf<W> {
    #[inline]
    fn began(&self) -> Option<u64> {
        self.started.counter()
    }

    #[inline]
    fn site(&self) -> Option<&'static Site> {
        Some(self.site)
    }
}

impl<W: Way> Measures for OutcomeOf<W> {
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

impl<W: Way> Ends for OutcomeOf<W> {
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.end_with(outcome, error_type);
    }
}

impl Ends for TaggedOutcomeTimer {
    fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.end_with(outcome, error_type);
    }
}

/// This thread's own histogram of a site.
#[derive(Clone, Copy, Debug)]
pub struct Own(&'static LocalHistogram);

impl Own {
    #[inline]
    fn of(site: &Site) -> Self {
        Self(page::histogram(site))
    }

    /// The same, where it is seldom asked for: not a part of each annotated function.
    fn of_late(site: &Site) -> Self {
        Self::of(site)
    }
}

/// What a timer knows from the start of where its time will go, and how it reads the clock at its end.
pub trait Way: Copy {
    fn of(site: &Site) -> Self;
    /// This thread's own histogram of a site, which may be the likely one.
    fn histogram(self, site: &Site, is_likely: bool) -> Own;
    fn read() -> u64;
}

/// Of a call that ends on the thread on which it began. Its histogram is looked up before the clock is read: what comes
/// before that is not measured, and reading waits for it. With a span it ends when that ends.
#[derive(Clone, Copy, Debug)]
pub struct Sync<const SPAN: bool>(Own);

impl<const SPAN: bool> Way for Sync<SPAN> {
    #[inline]
    fn of(site: &Site) -> Self {
        Self(Own::of(site))
    }

    #[inline]
    fn histogram(self, site: &Site, is_likely: bool) -> Own {
        if is_likely { self.0 } else { Own::of_late(site) }
    }

    #[inline]
    fn read() -> u64 {
        if SPAN { machine::counter() } else { machine::read_counter() }
    }
}

/// Of a future, which holds no more than it has to.
#[derive(Clone, Copy, Debug)]
pub struct Async;

impl Way for Async {
    #[inline]
    fn of(_: &Site) -> Self {
        Self
    }

    #[inline]
    fn histogram(self, site: &Site, _: bool) -> Own {
        Own::of_late(site)
    }

    #[inline]
    fn read() -> u64 {
        machine::read_counter()
    }
}

pub type CallTimer = CallOf<Sync<false>>;
pub type SpanTimer = CallOf<Sync<true>>;
pub type FutureTimer = CallOf<Async>;
pub type OutcomeTimer = OutcomeOf<Sync<false>>;
pub type SpanOutcomeTimer = OutcomeOf<Sync<true>>;
pub type FutureOutcomeTimer = OutcomeOf<Async>;

/// Measures a call for a static site, without tags known only now.
#[derive(Debug)]
pub struct CallOf<W: Way> {
    site: &'static Site,
    started: Stopwatch,
    way: W,
}

impl<W: Way> CallOf<W> {
    #[inline]
    pub fn start(site: &'static Site) -> Self {
        let way = W::of(site);
        Self { site, way, started: timer::start(None) }
    }
}

impl<W: Way> Drop for CallOf<W> {
    #[inline]
    fn drop(&mut self) {
        let Self { site, started, way } = *self;
        if !started.is_for_nobody() {
            let own = way.histogram(site, true).0;
            timer::record(started, own, site, W::read());
        }
    }
}

/// Measures a call, with a series for each outcome, in the order of [`Outcome`].
#[derive(Debug)]
pub struct OutcomeOf<W: Way> {
    sites: &'static [Site; 4],
    /// For nobody once it has ended.
    started: Stopwatch,
    way: W,
}

impl<W: Way> OutcomeOf<W> {
    #[inline]
    pub fn start(sites: &'static [Site; 4]) -> Self {
        let way = W::of(&sites[0]);
        Self { sites, way, started: timer::start(None) }
    }

    #[expect(clippy::inline_always, reason = "what began is not in memory then")]
    #[inline(always)]
    pub fn end(&mut self, outcome: Outcome) {
        let Self { sites, started, way } = *self;
        self.started = Stopwatch::FOR_NOBODY;
        if !started.is_for_nobody() {
            let site = &sites[outcome as usize];
            let own = way.histogram(site, outcome == Outcome::Ok).0;
            timer::record(started, own, site, W::read());
        }
    }

    /// The same with the kind of error, if it is one.
    #[inline]
    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        match error_type {
            Some(kind) if !self.started.is_for_nobody() => {
                let started = std::mem::replace(&mut self.started, Stopwatch::FOR_NOBODY);
                let tags = [(ERROR_TYPE.to_owned(), kind)];
                record_rare(started, &self.sites[outcome as usize], &tags, W::read());
            }
            _ => self.end(outcome),
        }
    }
}

impl<W: Way> Drop for OutcomeOf<W> {
    #[inline]
    fn drop(&mut self) {
        #[cold]
        fn end<W: Way>(timer: &mut OutcomeOf<W>) {
            timer.end(unfinished());
        }
        if !self.started.is_for_nobody() {
            end(self);
        }
    }
}

fn unfinished() -> Outcome {
    if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled }
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

/// Counts a call when it is over, with a series for each outcome.
#[derive(Debug)]
pub struct OutcomeCounter {
    sites: &'static [Site; 4],
    tags: Vec<(String, String)>,
    /// None once it is counted.
    value: Option<Number>,
    core: Option<Arc<Core>>,
}

impl OutcomeCounter {
    pub fn start(sites: &'static [Site; 4], tags: &[(&str, &str)], value: impl Into<Number>) -> Self {
        let core = current::get();
        let tags = owned(if core.is_some() { tags } else { &[] });
        Self { sites, tags, value: Some(value.into()), core }
    }

    pub fn end(&mut self, outcome: Outcome) {
        let (core, site) = (self.core.as_deref(), &self.sites[outcome as usize]);
        if let (Some(value), true) = (self.value.take(), core.is_some()) {
            let tags = borrowed(&self.tags);
            if tags.is_empty() {
                super::add(core, site, value);
            } else {
                super::add_with(core, site, &tags, value);
            }
        }
    }

    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.tags.extend(error_type.map(|kind| (ERROR_TYPE.to_owned(), kind)));
        self.end(outcome);
    }
}

impl Drop for OutcomeCounter {
    fn drop(&mut self) {
        if self.value.is_some() {
            self.end(unfinished());
        }
    }
}

/// Finds out whether a value is an `Err`, also through an alias of `Result`: its own method, which only
/// `Result` has, goes before that of [`AnyOutcome`].
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

impl<T, E> Probe<'_, Result<T, E>> {
    pub fn outcome(&self) -> Outcome {
        if self.0.is_ok() { Outcome::Ok } else { Outcome::Error }
    }
}

pub trait AnyOutcome {
    fn outcome(&self) -> Outcome {
        Outcome::Ok
    }
}

impl<T: ?Sized> AnyOutcome for Probe<'_, T> {}

/// OpenTelemetry's tag for the kind of an error.
const ERROR_TYPE: &str = "error.type";

/// The kind of the error, if it is one: what `of` says of it.
pub fn error_type<T, E, K: std::fmt::Display>(
    result: &Result<T, E>,
    of: impl FnOnce(&E) -> K,
) -> Option<String> {
    result.as_ref().err().map(|error| of(error).to_string())
}

/// The name of a type, as the compiler writes it.
pub fn type_name<E>(_: &E) -> &'static str {
    std::any::type_name::<E>()
}

/// Calls a closure whose type is to be inferred as that of a function.
pub fn call<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Turns the value of a tag into text: what is text already is borrowed, anything else is displayed. The two
/// traits are told apart by how often the receiver is borrowed.
#[derive(Debug)]
pub struct Tag<'a, T: ?Sized>(pub &'a T);

pub trait TextTag {
    fn text(&self) -> Cow<'_, str>;
}

impl<T: AsRef<str> + ?Sized> TextTag for Tag<'_, T> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0.as_ref())
    }
}

#[diagnostic::on_unimplemented(
    message = "the value of a tag is text or implements `Display`, which `{Self}` does not",
    label = "neither text nor `Display`"
)]
pub trait DisplayTag {
    fn text(&self) -> Cow<'_, str>;
}

impl<T: std::fmt::Display + ?Sized> DisplayTag for &Tag<'_, T> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

/// The series of one kind of span that is measured.
#[derive(Debug)]
pub struct SpanSites {
    /// In the order of [`Outcome`], without the last.
    durations: [Site; 3],
    active: Site,
}

impl SpanSites {
    pub fn new(function: &str, level: tracing_core::Level) -> Self {
        let site = |kind, name: &'static str, outcome: Option<&'static str>| {
            let mut site = Site::new(kind, name, &[]).level(level);
            let tags = [("code.function.name", function.to_owned())];
            let tags = tags.into_iter().chain(outcome.map(|outcome| ("outcome", outcome.to_owned())));
            for (key, value) in tags {
                let _ = site.add_tag(key.into(), value.into());
            }
            site
        };
        let duration = |outcome| site(CellKind::Histogram, "function.duration", Some(outcome)).unit("s");
        Self {
            durations: ["ok", "error", "panic"].map(duration),
            active: site(CellKind::UpDownCounter, "function.active", None),
        }
    }

    /// One begins.
    pub fn begin(&self, sink: &Sink) {
        super::add(Some(sink.core()), &self.active, Number::Int(1));
    }

    /// One ends after so many seconds.
    pub fn end(&self, sink: &Sink, tags: &[(&str, &str)], outcome: Outcome, seconds: f64) {
        super::add(Some(sink.core()), &self.active, Number::Int(-1));
        if let Some(site) = self.durations.get(outcome as usize) {
            super::observe_tagged(Some(sink.core()), site, tags, Number::Float(seconds));
        }
    }
}
