//! OTLP, the OpenTelemetry protocol: batches become the bodies of requests, in protobuf, and the bodies of answers are
//! read. All but the [exporter] itself is without a network.
//!
//! A [`Writer`] writes straight from the views of a batch: no objects are built on the way. What is constant of a call site
//! is encoded once. Spans and events are grouped by scope, which is their target. For receivers and files that want JSON,
//! [`put_json`] makes it of what was written. Nothing here does input or output, reads a clock or panics, whatever an answer
//! holds.
//!
//! Source: opentelemetry-proto 1.11 and OpenTelemetry's specification 1.60.

mod answer;
mod attributes;
mod call_sites;
mod events;
mod exporter;
mod json;
mod metrics;
mod pad;
mod points;
mod schema;
mod scopes;
mod spans;
mod writer;

pub use answer::Answer;
#[cfg(feature = "file")]
pub(crate) use exporter::add_json;
pub(crate) use exporter::{Encoding, Otlp};
pub use json::put_json;
pub use writer::Writer;

pub use super::protobuf::Malformed;
use super::wire;

#[cfg(test)]
mod tests;
