//! What programs call: counters, gauges, histograms, timers, meters.
//!
//! A handle names what is measured. One from a function of this module ([`counter`]) feeds whatever collector
//! is current when it is used; one from a collector (`Collector::counter`) always feeds that one. Without a
//! collector nothing happens. Recording never blocks, never fails, and passes by the log filter and sampling.
//!
//! Names have letters, digits and `. - _ /`, by custom dotted and lower-case.

mod base;
#[doc(hidden)]
pub(crate) mod inherited;
mod kinds;
#[doc(hidden)]
pub(crate) mod private;
mod route;
mod timer;

pub use kinds::{
    Counter, Gauge, Histogram, Meter, Tagged, Timer, UpDownCounter, counter, gauge, histogram, meter, timer,
    up_down_counter,
};
pub use timer::TimerGuard;

#[cfg(test)]
mod tests;
