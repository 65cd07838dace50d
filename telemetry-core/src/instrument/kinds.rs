//! The kinds of instruments, and what can be done with each.

use std::future::Future;
use std::time::Duration;

use tracing_core::Level;

use super::base::Instrument;
use super::timer::TimerGuard;
use crate::collector::Collector;
use crate::diagnostics::warn_once;
use crate::metrics::CellKind;
use crate::model::{Number, Text};

macro_rules! instruments {
    ($($(#[$doc:meta])* $name:ident, $function:ident, $kind:ident, $unit:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            #[must_use = "an instrument measures nothing until it is given values"]
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

                /// The same with that unit, in UCUM: `s`, `By`, `1`. Timers measure seconds, whatever is said here.
                pub fn unit(self, unit: &'static str) -> Self {
                    if !$unit.is_empty() && unit != $unit {
                        warn_once(format_args!(
                            "metric `{}`: its values are in `{}`, so the unit `{unit}` is left out; \
                             `histogram(..)` takes any",
                            self.0.site.name, $unit
                        ));
                        return self;
                    }
                    Self(self.0.change(|site| site.unit = unit))
                }

                /// The same with that description.
                pub fn description(self, description: &'static str) -> Self {
                    Self(self.0.change(|site| site.description = description))
                }

                /// For values whose tags are known only now. A series that exists costs no allocation.
                pub fn with<'a>(&'a self, tags: &'a [(&'a str, &'a str)]) -> Tagged<'a, Self> {
                    Tagged { instrument: self, tags }
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
                    $name(Instrument::new(CellKind::$kind, name.into(), $unit, Some(self.engine())))
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
#[must_use = "an instrument measures nothing until it is given values"]
pub struct Tagged<'a, I> {
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
    ///
    /// Whole numbers add up exactly to `u64::MAX`. Beyond that the series begins anew, with a new start time, which is said
    /// once; nothing is lost. Where a float was added too the sum is a float.
    #[inline]
    pub fn add(&self, n: impl Into<Number>) {
        self.0.add(n.into());
    }
}

impl Tagged<'_, Counter> {
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

impl Tagged<'_, UpDownCounter> {
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

impl Tagged<'_, Gauge> {
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

impl Tagged<'_, Histogram> {
    /// Takes a value.
    pub fn record(&self, value: impl Into<Number>) {
        self.instrument.0.observe_with(self.tags, value.into());
    }
}

impl Meter {
    /// Counts so many.
    #[inline]
    pub fn mark(&self, n: impl Into<Number>) {
        self.0.record(&[], n.into());
    }
}

impl Tagged<'_, Meter> {
    /// Counts so many.
    pub fn mark(&self, n: impl Into<Number>) {
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

impl Tagged<'_, Timer> {
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
