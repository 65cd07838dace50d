//! Receivers that refuse, break off, hang, lie and come back: what arrives, what is counted, what is said. Every exporter over
//! a network goes through all of it, each in its [`Form`](telemetry_tests::receiver::Form).

mod answers;
mod chaos;
mod connections;
mod ending;
mod grpc;
mod mistaken;
mod nginx;
mod own;
mod refusals;
mod tls;
mod waits;

/// What a program of these tests exports.
const BOTH: &str = "signals=spans,events";
