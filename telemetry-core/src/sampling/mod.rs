//! Which traces are kept. Metrics never ask here.

mod head;

pub use head::{BadRatio, HeadSampler};
