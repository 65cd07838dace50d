//! The lines that `tracing_subscriber::fmt` writes, with the ids that are exported: for people who read a line and look for its
//! trace.
//!
//! An event comes in, with the context in which `fmt` formats it; its line goes out with `trace_id` and `span_id`. What the
//! line says besides is up to `fmt`. Nothing here takes a lock or allocates for a line, and nothing decides what is exported.

#[cfg(feature = "fmt-json")]
mod json;
mod link;
mod text;
mod with_trace_ids;

pub use link::span_context;
pub use with_trace_ids::{LineFormat, WithTraceIds};
