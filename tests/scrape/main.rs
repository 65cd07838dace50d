//! Pages that are pulled, as those who pull see them: over sockets, from a real Prometheus, in a program's own server.

mod endings;
mod endpoints;
mod monitored;
mod process;
mod server;
mod service;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use telemetry_layer::{Builder, Collector};
use telemetry_tests::SOON;

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

/// What comes to a request with that head, after which the connection is closed: the status, the head and the body.
fn asked(address: SocketAddr, head: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
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

/// Tries until there is something.
#[track_caller]
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < 2 * SOON, "{what}: not in time");
        std::thread::yield_now();
    }
}
