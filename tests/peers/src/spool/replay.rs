//! How long it takes to send what is stored, by the process that stored it and by the next one; beside the same bodies that the same
//! client sends straight to the same receiver, as many at once, and beside bare sockets.
//!
//! All by the receiver's clock, from its first answer to its last: whether it is back one request tries alone.

use super::{Directory, LONG, frames, span4};
use crate::budgets::median;
use crate::export::receiver::Receiver;
use serde::{Deserialize, Serialize};
use std::future::{Future as _, poll_fn};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;
use telemetry_core::__private::{Protocol, protocol_of};
use telemetry_layer::exporters::from_url;
use telemetry_layer::{Collector, Signal, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt;

const SPANS: u64 = 200_000;
/// Spans of a flush.
const FLUSH: u64 = 10_000;
/// Requests that are out at once, by default.
const AT_ONCE: usize = 2;

/// Seconds from the first answer to the last.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Replayed {
    pub same: f64,
    pub next: f64,
    pub straight: f64,
    pub sockets: f64,
    pub bytes: u64,
    pub bodies: u64,
}

impl Replayed {
    pub fn ratio(&self) -> f64 {
        self.same / self.straight
    }
}

pub fn one(delay_ms: u64) -> Replayed {
    let directory = Directory::new();
    let first = Receiver::start(delay_ms);
    let port = first.port;
    first.end();
    let endpoint = format!("otlp://127.0.0.1:{port}?signals=spans");
    let spooled = format!("{endpoint}&spool={}", directory.path().display());
    let collector = store(&spooled);
    let bodies: Vec<bytes::Bytes> =
        frames::since(0, directory.path()).into_iter().map(|stored| stored.body.into()).collect();
    let mut receiver = Receiver::start_at(delay_ms, port);
    collector.flush(LONG);
    let same = drained(&collector, &mut receiver);
    collector.shutdown(LONG);
    assert!(frames::since(0, directory.path()).is_empty());
    let mut times = [0.0; 4];
    // The wire before and behind it.
    for time in &mut times {
        send(&endpoint, &bodies);
        *time = receiver.seen().answering;
    }
    sockets(port, &bodies);
    let sockets = receiver.seen().answering;
    assert_eq!(receiver.seen().spans, 6 * SPANS, "spans that came");
    receiver.end();
    store(&spooled).shutdown(LONG);
    let mut receiver = Receiver::start_at(delay_ms, port);
    let collector = start(&spooled);
    let next = drained(&collector, &mut receiver);
    assert_eq!(collector.ledger().exporter("otlp", Signal::Spans).map(|account| account.recovered), Some(SPANS));
    collector.shutdown(LONG);
    assert_eq!(receiver.seen().spans, SPANS, "spans that came");
    receiver.end();
    let bytes = bodies.iter().map(|body| body.len() as u64).sum();
    Replayed { same, next, straight: median(times.into()), sockets, bytes, bodies: bodies.len() as u64 }
}

fn start(url: &str) -> Collector {
    let builder = Collector::builder().ignore_env().endpoint(url);
    let builder = builder.configure(|c| (c.buffer_size, c.buffer_bytes) = (1 << 17, 64 << 20));
    builder.flush_interval(Duration::from_secs(3600)).start().expect("a collector")
}

/// One that has stored all, as nobody listens.
fn store(url: &str) -> Collector {
    let collector = start(url);
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        for n in 0..SPANS {
            span4(n);
            if n % FLUSH == FLUSH - 1 {
                assert!(collector.flush(LONG).is_complete(), "{}", collector.ledger());
            }
        }
    });
    assert_eq!(spooled(&collector), SPANS, "{}", collector.ledger());
    collector
}

fn spooled(collector: &Collector) -> u64 {
    collector.ledger().exporter("otlp", Signal::Spans).map_or(0, |account| account.spooled)
}

/// Waits until all is delivered; looking takes from two cores that have enough to do, so it is not looked often.
fn drained(collector: &Collector, receiver: &mut Receiver) -> f64 {
    while collector.ledger().exporter("otlp", Signal::Spans).is_none_or(|account| account.delivered < SPANS) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(spooled(collector), 0);
    receiver.seen().answering
}

/// The same client without a pipeline before it.
fn send(url: &str, bodies: &[bytes::Bytes]) {
    let protocol = protocol_of(from_url(url).expect("an endpoint")).expect("it has a network");
    let next = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let protocol: &dyn Protocol = &*protocol;
        let one_by_one = || async {
            while let Some(body) = bodies.get(next.fetch_add(1, SeqCst)) {
                protocol.send(Signal::Spans, body.clone()).await.expect("an answer");
            }
        };
        let mut all: Vec<_> = (0..AT_ONCE).map(|_| Box::pin(one_by_one())).collect();
        poll_fn(|cx| {
            all.retain_mut(|one| one.as_mut().poll(cx).is_pending());
            if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
}

/// Two threads with a connection each that write requests by hand, and read no more of an answer than has to be there.
fn sockets(port: u16, bodies: &[bytes::Bytes]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..AT_ONCE {
            s.spawn(|| {
                let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the receiver");
                connection.set_nodelay(true).expect("a connection");
                let mut answer = [0; 4096];
                while let Some(body) = bodies.get(next.fetch_add(1, SeqCst)) {
                    let head = format!(
                        "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    connection.write_all(head.as_bytes()).expect("it reads");
                    connection.write_all(body).expect("it reads");
                    let read = connection.read(&mut answer).expect("an answer");
                    assert!(answer[..read].ends_with(b"\r\n\r\n"), "a whole answer");
                }
            });
        }
    });
}
