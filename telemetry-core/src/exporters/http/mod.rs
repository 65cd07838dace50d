//! One attempt over HTTP, for the protocols that are spoken over it.
//!
//! A body comes in; out comes what the receiver answered, or an error that says whether to try again. Nothing here waits
//! between attempts or follows a redirect, and no secret shows in an error or in `Debug`.

mod client;
mod connection;
mod contents;
#[cfg(feature = "otlp-grpc")]
pub(crate) mod grpc;
mod message;
mod packer;
mod place;
mod refusal;
mod renewed;
mod rpc_status;
mod secret;
mod settings;
#[cfg(test)]
mod tests;

#[cfg(any(feature = "influxdb", feature = "opentsdb"))]
pub(crate) use client::Answer;
pub(crate) use client::Client;
pub(crate) use secret::{Auth, Secret};
pub(crate) use settings::{Compression, Settings};
