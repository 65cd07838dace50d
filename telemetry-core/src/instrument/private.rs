//! For what the macros expand to. Nothing here is for users, and all of it may change.

use std::borrow::Cow;
use std::sync::Arc;

use super::timer::{Running, borrowed, owned};
use super::{CellKind, Number, Site, SiteRef, TimerGuard, current};
use crate::clock::machine;
use crate::collector::{Collector, Core, Sink};

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
}

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            machine::hold();
        }
    }
}

/// The machine's counter; held where a span ends.
#[inline]
fn counter_of<const SPAN: bool>() -> u64 {
    if SPAN { machine::counter() } else { machine::read_counter() }
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

impl<const SPAN: bool> Measures for CallOf<SPAN> {
    #[inline]
    fn began(&self) -> Option<u64> {
        self.running.counter()
    }
}

impl<const SPAN: bool> Measures for OutcomeOf<SPAN> {
    #[inline]
    fn began(&self) -> Option<u64> {
        self.running.counter()
    }
}

impl Measures for TimerGuard {
    fn began(&self) -> Option<u64> {
        self.running.counter()
    }
}

impl Measures for TaggedOutcomeTimer {
    fn began(&self) -> Option<u64> {
        self.guard.began()
    }
}

pub type CallTimer = CallOf<false>;
pub type SpanTimer = CallOf<true>;
pub type OutcomeTimer = OutcomeOf<false>;
pub type SpanOutcomeTimer = OutcomeOf<true>;

/// Measures a call for a static site, without tags known only now. With a span it ends when that ends.
#[derive(Debug)]
pub struct CallOf<const SPAN: bool> {
    site: &'static Site,
    running: Running,
}

impl<const SPAN: bool> CallOf<SPAN> {
    #[inline]
    pub fn start(site: &'static Site) -> Self {
        Self { site, running: Running::start(site, None) }
    }
}

impl<const SPAN: bool> Drop for CallOf<SPAN> {
    #[inline]
    fn drop(&mut self) {
        self.running.stop(self.site, &[], counter_of::<SPAN>);
    }
}

/// Measures a call, with a series for each outcome, in the order of [`Outcome`].
#[derive(Debug)]
pub struct OutcomeOf<const SPAN: bool> {
    running: Running,
    sites: &'static [Site; 4],
}

impl<const SPAN: bool> OutcomeOf<SPAN> {
    #[inline]
    pub fn start(sites: &'static [Site; 4]) -> Self {
        Self { running: Running::start(&sites[0], None), sites }
    }

    #[inline]
    pub fn end(&mut self, outcome: Outcome) {
        self.running.stop(&self.sites[outcome as usize], &[], counter_of::<SPAN>);
    }

    /// The same with the kind of error, if it is one.
    #[inline]
    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        match error_type {
            None => self.end(outcome),
            Some(kind) => {
                let (site, tags) = (&self.sites[outcome as usize], [(ERROR_TYPE.to_owned(), kind)]);
                self.running.stop(site, &tags, counter_of::<SPAN>);
            }
        }
    }
}

impl<const SPAN: bool> Drop for OutcomeOf<SPAN> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.running, Running::Not) {
            self.end(unfinished());
        }
    }
}

#[cold]
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
