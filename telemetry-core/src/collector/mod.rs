//! The collector: where everything comes together, and the only room that reads the environment.

mod builder;
mod config;
mod core;
pub(crate) mod current;
mod guard;
mod handle;
mod report;

pub use builder::Builder;
pub use config::{CheckAtStart, Config};
pub use guard::Guard;
pub use handle::{Collector, ScopedFuture};
pub use report::Report;

pub(crate) use core::Core;
#[doc(hidden)]
pub use core::Sink;

#[cfg(test)]
mod tests;
