//! Which traces are kept. Metrics never ask here.

mod head;
mod rules;

pub use head::{BadRatio, HeadSampler};
pub use rules::{Sampler, Sampling};
