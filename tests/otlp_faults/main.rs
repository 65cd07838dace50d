//! Receivers of OTLP over HTTP that refuse, break off, hang, lie and come back: what arrives, what is counted, what is said.

mod answers;
mod chaos;
mod connections;
mod ending;
mod refusals;
mod tls;
mod waits;

use std::net::SocketAddr;

/// Where a program of these tests exports spans and events to.
fn url(address: SocketAddr) -> String {
    format!("otlp://{address}?signals=spans,events")
}

/// The paths of both.
const PATHS: [&str; 2] = ["/v1/traces", "/v1/logs"];
