//! Pages that are pulled, as those who pull see them: over sockets, from a real Prometheus, in a program's own server.

mod endings;
mod endpoints;
mod monitored;
mod process;
mod service;

use std::net::SocketAddr;

use telemetry_layer::{Builder, Collector};
use telemetry_tests::{asked, eventually};

/// A collector that serves a page at a port of its own, and where that is.
fn serving(options: &str, change: impl FnOnce(Builder) -> Builder) -> (Collector, SocketAddr) {
    let builder = Collector::builder().ignore_env().endpoint(format!("prometheus://127.0.0.1:0{options}"));
    let collector = change(builder).start().unwrap();
    let address = address_of(&collector.served_at()[0]);
    (collector, address)
}

fn address_of(url: &str) -> SocketAddr {
    let place = url.strip_prefix("http://").unwrap();
    place.split('/').next().unwrap().parse().unwrap()
}

/// What is at that path.
fn got(address: SocketAddr, path: &str) -> String {
    let (status, head, body) = asked(address, &format!("GET {path} HTTP/1.0\r\nhost: {address}"));
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, 200, "{path}: {head}{body}");
    body
}

/// The page in the text format.
fn page(address: SocketAddr) -> String {
    got(address, "/metrics")
}
