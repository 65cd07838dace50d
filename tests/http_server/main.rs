//! `HttpServerLayer` in real services on loopback: what spans and metrics tell of requests, and when these end.

mod attributes;
mod bodies;
mod ends;
mod hooks;
mod routes;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use telemetry_layer::Collector;
use telemetry_layer::metrics::{MetricRef, Snapshot};
use telemetry_layer::model::Span;
use telemetry_layer::prelude::*;
use telemetry_tests::{Kept, collector, exported};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::filter::LevelFilter;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What came of some requests.
struct Served {
    /// What the client read.
    answers: Vec<String>,
    kept: Kept,
    metrics: Snapshot,
}

/// Runs a program, server and client, on this thread with a layer and a collector of its own.
fn run<R>(program: impl AsyncFnOnce(&Collector) -> R) -> (R, Kept, Snapshot) {
    run_at(LevelFilter::TRACE, program)
}

fn run_at<R>(level: LevelFilter, program: impl AsyncFnOnce(&Collector) -> R) -> (R, Kept, Snapshot) {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing_subscriber::registry().with(level).with(TelemetryLayer::new(&collector));
    let result = tracing::subscriber::with_default(subscriber, || {
        collector.scoped(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(program(&collector))
        })
    });
    let metrics = collector.snapshot();
    (result, exported(&collector, &memory), metrics)
}

/// Serves what is routed there, on a free port.
async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// A connection on which that head of a request was sent.
async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// All that comes.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Asks for each of these, one after the other.
fn served(routes: Router, heads: &[&str]) -> Served {
    let (answers, kept, metrics) = run(async |_| {
        let address = serve(routes).await;
        let mut answers = Vec::new();
        for head in heads {
            answers.push(read(send(address, head).await).await);
        }
        answers
    });
    Served { answers, kept, metrics }
}

/// A request of that method and path, with a host.
fn head(request: &str) -> String {
    format!("{request} HTTP/1.1\r\nhost: shop.example:8080")
}

fn fields(span: &Span) -> BTreeMap<String, String> {
    span.fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The only span of a request.
fn request(kept: &Kept) -> &Span {
    let mut requests = kept.spans.iter().filter(|span| span.target.starts_with("telemetry_layer::http"));
    let request = requests.next().expect("a request");
    assert!(requests.next().is_none(), "{}", kept.tree());
    request
}

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";

/// The only series of durations.
fn duration(metrics: &Snapshot) -> MetricRef<'_> {
    let all: Vec<_> = metrics.named(DURATION).collect();
    assert_eq!(all.len(), 1, "series of {DURATION}");
    all[0]
}

/// A tag of a metric, or `-`.
fn tag<'a>(metric: &MetricRef<'a>, key: &str) -> &'a str {
    metric.tag(key).unwrap_or("-")
}
