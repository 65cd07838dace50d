//! One unary call over gRPC, which is HTTP/2 with frames of its own and a status in the trailers.
//!
//! A message comes in, already encoded; out comes the message that the receiver answered, or an error that says whether to
//! try again. Nothing here waits between attempts, and nothing that a receiver says makes it panic.
//!
//! Source: gRPC, "gRPC over HTTP2"; OpenTelemetry protocol 1.11, "OTLP/gRPC".

mod client;
mod connector;
mod frame;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use client::Client;
