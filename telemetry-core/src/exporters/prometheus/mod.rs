//! A page of all metrics of a collector, for Prometheus and whoever else scrapes: a snapshot comes in, and what goes out is a
//! page in the form that a scraper asks for. Nothing here listens anywhere, and nothing is ever sent.

mod answer;
mod listen;
mod page;
mod translation;

pub use answer::Answer;
pub use page::{Prometheus, source_of};
pub use translation::Translation;
