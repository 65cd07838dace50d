//! The collector: where everything comes together, and the only room that reads the environment.

mod adding;
mod builder;
mod by_hand;
mod changing;
mod config;
pub(crate) mod current;
mod engine;
mod exit;
mod fork;
mod guard;
mod handle;
mod pulled;
mod report;
mod resource;
mod self_metrics;
mod shutdown;
mod sink;

pub use builder::Builder;
pub use config::{CheckAtStart, Config, SelfMetrics};
pub use guard::Guard;
pub use handle::{Collector, ScopedFuture};
pub use report::Report;

pub(crate) use engine::Engine;
#[doc(hidden)]
pub use sink::{EventMetric, Sink};

#[cfg(test)]
mod tests;
