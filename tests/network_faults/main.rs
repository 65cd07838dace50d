//! Receivers that refuse, break off, hang, lie and come back: what arrives, what is counted, what is said. Every exporter over
//! a network goes through all of it, each in its [`Form`](telemetry_tests::receiver::Form); the [`table`] says who does not, and
//! why.

mod answers;
mod chaos;
mod connections;
mod ending;
mod grpc;
mod mistaken;
mod nginx;
mod own;
mod refusals;
mod spools;
mod streams;
mod table;
mod tls;
mod waits;
