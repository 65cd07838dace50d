//! What programs call: counters, gauges, histograms, timers, meters.
//!
//! A handle names what is measured. One from a function of this module ([`counter`]) feeds whatever collector
//! is current when it is used; one from a collector ([`Collector::counter`]) always feeds that one. Without a
//! collector nothing happens. Recording never blocks, never fails, and passes by the log filter and sampling.
//!
//! Names have letters, digits and `. - _ /`, by custom dotted and lower-case.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tracing_core::Level;

use crate::collector::{Collector, Core, current};
use crate::diagnostics::warn_once;
use crate::metrics::{CellKind, Site, page};
use crate::model::{Number, Text};

/// The site of a handle.
#[derive(Clone, Debug)]
enum SiteRef {
    Static(&'static Site),
    Owned(Arc<Site>),
}

impl std::ops::Deref for SiteRef {
    type Target = Site;

    fn deref(&self) -> &Site {
        match self {
            Self::Static(site) => site,
            Self::Owned(site) => site,
        }
    }
}

/// What all instruments share.
#[derive(Clone, Debug)]
struct Instrument {
    site: SiteRef,
    bound: Option<Arc<Core>>,
}

impl Instrument {
    #[track_caller]
    fn new(kind: CellKind, name: Text, unit: &'static str, bound: Option<Arc<Core>>) -> Self {
        let place = std::panic::Location::caller();
        Self { site: SiteRef::Owned(Arc::new(Site::owned(kind, name, unit, place))), bound }
    }

    fn change(self, change: impl FnOnce(&mut Site)) -> Self {
        let mut site = self.site.copy();
        change(&mut site);
        Self { site: SiteRef::Owned(Arc::new(site)), bound: self.bound }
    }

    fn tag(self, key: Text, value: Text) -> Self {
        self.change(|site| {
            if let Err(e) = site.add_tag(key, value) {
                warn_once(format_args!("metric `{}`: {e}; it is left out", site.name()));
            }
        })
    }

    fn with_core(&self, f: impl FnOnce(&Core)) {
        with_core(self.bound.as_deref(), f);
    }

    /// A value that no thread keeps for itself.
    fn record(&self, tags: &[(&str, &str)], value: Number) {
        self.with_core(|core| core.table().record(&self.site, tags, value));
    }

    /// A value of a sum, with tags known only now.
    fn add_with(&self, tags: &[(&str, &str)], value: Number) {
        add_with(self.bound.as_deref(), &self.site, tags, value);
    }

    /// A value of a histogram, with tags known only now.
    fn observe_with(&self, tags: &[(&str, &str)], value: Number) {
        observe_with(self.bound.as_deref(), &self.site, tags, value);
    }

    fn observe_by(&self, read: impl Fn() -> Number + Send + Sync + 'static) {
        // Not inside of `current::with`: what an earlier `read` had captured goes now, and may do anything.
        let core = self.bound.clone().or_else(current::get).filter(|core| core.is_enabled());
        if let Some(core) = core {
            core.table().observe(&self.site, read);
        }
    }

    /// Buckets with these upper bounds.
    fn buckets(self, bounds: &[f64]) -> Self {
        self.change(|site| match Site::keep_bounds(bounds) {
            Ok(kept) => site.bounds = kept,
            Err(e) => warn_once(format_args!(
                "metric `{}`: the buckets {bounds:?} are refused: {e}; it has exponential ones",
                site.name()
            )),
        })
    }

    /// A value of a sum.
    #[inline]
    fn add(&self, value: Number) {
        add(self.bound.as_deref(), &self.site, value);
    }

    /// A value of a histogram.
    #[inline]
    fn observe(&self, value: Number) {
        observe(self.bound.as_deref(), &self.site, value);
    }
}

/// Adds to this thread's own cell where it can: whole numbers, from 0 up for sums that only grow. All whole numbers
/// of one series go the same way, so that a snapshot does not see one of a pair and miss the other.
#[inline]
fn add(bound: Option<&Core>, site: &Site, value: Number) {
    if !page::is_any() {
        return;
    }
    match value {
        Number::Int(n)
            if (n >= 0 || site.kind == CellKind::UpDownCounter)
                && page::add(bound.map(Core::number), site, n.cast_unsigned()) => {}
        value => share(bound, site, value),
    }
}

/// Records in this thread's own histogram where it can.
#[inline]
fn observe(bound: Option<&Core>, site: &Site, value: Number) {
    let x = value.as_f64();
    if !(x.is_finite() && page::record(bound.map(Core::number), site, x)) && page::is_any() {
        share(bound, site, value);
    }
}

fn add_with(bound: Option<&Core>, site: &Site, tags: &[(&str, &str)], value: Number) {
    let own =
        |n: i64| page::with_tagged(bound.map(Core::number), site, tags, |cell| cell.add(n.cast_unsigned()));
    match value {
        Number::Int(n) if (n >= 0 || site.kind == CellKind::UpDownCounter) && own(n) => {}
        value if page::is_any() => share_with(bound, site, tags, value),
        _ => {}
    }
}

/// A value of a histogram, with tags that may be none.
fn observe_tagged(bound: Option<&Core>, site: &Site, tags: &[(&str, &str)], value: Number) {
    if tags.is_empty() {
        observe(bound, site, value);
    } else {
        observe_with(bound, site, tags, value);
    }
}

fn observe_with(bound: Option<&Core>, site: &Site, tags: &[(&str, &str)], value: Number) {
    let x = value.as_f64();
    let own = || page::with_tagged(bound.map(Core::number), site, tags, |cell| cell.record(x));
    if !(x.is_finite() && own()) && page::is_any() {
        share_with(bound, site, tags, value);
    }
}

#[cold]
fn share_with(bound: Option<&Core>, site: &Site, tags: &[(&str, &str)], value: Number) {
    attach(bound, site, true);
    with_core(bound, |core| core.table().record_tagged(site, tags, value));
}

/// Makes the current collector's page of this thread the hot one, if the value is for that collector.
fn attach(bound: Option<&Core>, site: &Site, is_tagged: bool) {
    current::with(|core| {
        if bound.is_none_or(|bound| std::ptr::eq(bound, core)) {
            core.table().attach(site, is_tagged);
        }
    });
}

/// Takes a value into the shared cell, and sees to it that the next one finds a cell of this thread's own.
#[cold]
fn share(bound: Option<&Core>, site: &Site, value: Number) {
    attach(bound, site, false);
    with_core(bound, |core| core.table().record(site, &[], value));
}

#[inline]
fn with_core(bound: Option<&Core>, f: impl FnOnce(&Core)) {
    match bound {
        Some(core) if core.is_enabled() => f(core),
        Some(_) => {}
        None => current::with(f),
    }
}

macro_rules! instruments {
    ($($(#[$doc:meta])* $name:ident, $function:ident, $kind:ident, $unit:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name(Instrument);

            impl $name {
                /// The same with that tag beside its others.
                pub fn tag(self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
                    Self(self.0.tag(key.into(), value.into()))
                }

                /// The same at that level, which the collector's least level and exporters' filters look at.
                pub fn level(self, level: Level) -> Self {
                    Self(self.0.change(|site| site.level = Some(level)))
                }

                /// The same with that unit, in UCUM: `s`, `By`, `1`.
                pub fn unit(self, unit: &'static str) -> Self {
                    Self(self.0.change(|site| site.unit = unit))
                }

                /// The same with that description.
                pub fn description(self, description: &'static str) -> Self {
                    Self(self.0.change(|site| site.description = description))
                }

                /// For values whose tags are known only now. A series that exists costs no allocation.
                pub fn with<'a>(&'a self, tags: &'a [(&'a str, &'a str)]) -> With<'a, Self> {
                    With { instrument: self, tags }
                }
            }

            $(#[$doc])*
            ///
            /// It feeds the collector that is current when it is used.
            #[track_caller]
            pub fn $function(name: impl Into<Text>) -> $name {
                $name(Instrument::new(CellKind::$kind, name.into(), $unit, None))
            }
        )*

        /// Instruments that always feed this collector.
        impl Collector {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $function(&self, name: impl Into<Text>) -> $name {
                    $name(Instrument::new(CellKind::$kind, name.into(), $unit, Some(self.core())))
                }
            )*
        }
    };
}

instruments! {
    /// A sum that only grows: requests, bytes sent.
    Counter, counter, Counter, "";
    /// A sum that grows and shrinks: requests in flight.
    UpDownCounter, up_down_counter, UpDownCounter, "";
    /// The last value: a temperature, the length of a queue.
    Gauge, gauge, Gauge, "";
    /// A distribution of values: sizes of responses.
    Histogram, histogram, Histogram, "";
    /// A distribution of durations, in seconds.
    Timer, timer, Histogram, "s";
    /// A count with its rates, exported as gauges behind its name, a second: `.mean_rate`, and `.m1_rate`,
    /// `.m5_rate`, `.m15_rate`, which forget with a time constant of so many minutes.
    Meter, meter, Meter, "";
}

/// An instrument together with tags for one measurement.
#[derive(Clone, Copy, Debug)]
pub struct With<'a, I> {
    instrument: &'a I,
    tags: &'a [(&'a str, &'a str)],
}

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds a number from 0 up. A negative one is refused, counted, and said once.
    #[inline]
    pub fn add(&self, n: impl Into<Number>) {
        self.0.add(n.into());
    }
}

impl With<'_, Counter> {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds a number from 0 up.
    pub fn add(&self, n: impl Into<Number>) {
        self.instrument.0.add_with(self.tags, n.into());
    }
}

impl UpDownCounter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds any number.
    #[inline]
    pub fn add(&self, n: impl Into<Number>) {
        self.0.add(n.into());
    }
}

impl With<'_, UpDownCounter> {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds any number.
    pub fn add(&self, n: impl Into<Number>) {
        self.instrument.0.add_with(self.tags, n.into());
    }
}

impl Gauge {
    /// Sets the value, and the time to now.
    #[inline]
    pub fn set(&self, value: impl Into<Number>) {
        self.0.record(&[], value.into());
    }
}

macro_rules! observable {
    ($($name:ident: $(#[$what:meta])*;)*) => {$(
        impl $name {
            $(#[$what])*
            ///
            /// It replaces an earlier `read` of the same series, is for the collector that is current now (without
            /// one, never), and goes when that is shut down. It runs on a thread for callbacks. One that panics is
            /// caught and counted; one that takes longer than [`Config::callback_timeout`](crate::Config) is left out
            /// until it returns.
            pub fn observe<N: Into<Number>>(&self, read: impl Fn() -> N + Send + Sync + 'static) {
                self.0.observe_by(move || read().into());
            }
        }
    )*};
}

observable! {
    Counter:
        /// Lets `read` give the whole sum at each export, from 0 up: a number that something else counts. Where it
        /// became less it has begun anew: what it was is kept, and the new sum added.
        ;
    UpDownCounter:
        /// Lets `read` give the whole sum at each export.
        ;
    Gauge:
        /// Lets `read` give the value at each export.
        ;
}

impl With<'_, Gauge> {
    /// Sets the value, and the time to now.
    pub fn set(&self, value: impl Into<Number>) {
        self.instrument.0.record(self.tags, value.into());
    }
}

impl Histogram {
    /// The same with buckets that have these upper bounds, finite and ascending, at most 256. What the first
    /// declaration of a metric says counts. Without, buckets are exponential.
    pub fn buckets(self, bounds: &[f64]) -> Self {
        Self(self.0.buckets(bounds))
    }

    /// Takes a value. One that is not finite is refused, counted, and said once.
    #[inline]
    pub fn record(&self, value: impl Into<Number>) {
        self.0.observe(value.into());
    }
}

impl With<'_, Histogram> {
    /// Takes a value.
    pub fn record(&self, value: impl Into<Number>) {
        self.instrument.0.observe_with(self.tags, value.into());
    }
}

impl Meter {
    /// Counts one.
    #[inline]
    pub fn mark(&self) {
        self.mark_many(1);
    }

    /// Counts that many.
    #[inline]
    pub fn mark_many(&self, n: impl Into<Number>) {
        self.0.record(&[], n.into());
    }
}

impl With<'_, Meter> {
    /// Counts one.
    pub fn mark(&self) {
        self.mark_many(1);
    }

    /// Counts that many.
    pub fn mark_many(&self, n: impl Into<Number>) {
        self.instrument.0.record(self.tags, n.into());
    }
}

impl Timer {
    /// Takes a duration that was measured elsewhere.
    pub fn record(&self, duration: Duration) {
        self.0.observe(Number::Float(duration.as_secs_f64()));
    }

    /// The same with buckets that have these upper bounds, in seconds, finite and ascending, at most 256. What the
    /// first declaration of a metric says counts. Without, buckets are exponential.
    pub fn buckets(self, bounds: &[f64]) -> Self {
        Self(self.0.buckets(bounds))
    }

    /// The same for long tasks, whose measurements are seen while they run: behind its name, `.active` is how many
    /// there are, and the gauge `.active.longest` how long the oldest one has run, in seconds.
    pub fn long_task(self) -> Self {
        Self(self.0.change(|site| site.is_long_task = true))
    }

    /// Measures until the guard is dropped: at the end of a scope, by a panic, by a cancelled future.
    pub fn start(&self) -> TimerGuard {
        TimerGuard::start(self.0.site.clone(), &[], self.0.bound.as_ref())
    }

    /// Measures a closure.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.start();
        f()
    }

    /// Measures a future from its first poll until it is done or dropped.
    pub async fn time_async<F: Future>(&self, future: F) -> F::Output {
        let _guard = self.start();
        future.await
    }
}

impl With<'_, Timer> {
    /// Takes a duration that was measured elsewhere.
    pub fn record(&self, duration: Duration) {
        self.instrument.0.observe_with(self.tags, Number::Float(duration.as_secs_f64()));
    }

    /// Measures until the guard is dropped.
    pub fn start(&self) -> TimerGuard {
        let timer = &self.instrument.0;
        TimerGuard::start(timer.site.clone(), self.tags, timer.bound.as_ref())
    }

    /// Measures a closure.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.start();
        f()
    }
}

#[doc(hidden)]
pub mod private;
mod timer;

pub use timer::TimerGuard;

#[cfg(test)]
mod tests;
