//! Which traces are kept. Metrics never ask here.

mod head;
mod limiter;
pub(crate) mod rules;

pub(crate) use head::HeadSampler;
pub(crate) use rules::Sampler;
pub use rules::Sampling;
