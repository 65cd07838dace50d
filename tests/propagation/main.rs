//! What a program makes of the headers that tell of a trace: what it takes, what it sends on, and that no log filter breaks it.

mod b3;
mod baggage;
mod context;
mod sampled;
mod services;
mod w3c;

use http::{HeaderMap, HeaderName, HeaderValue};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, extract_headers, inject_headers, with_remote_parent};
use telemetry_tests::collector;
use tracing::info_span;
use tracing_subscriber::filter::LevelFilter;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A line for each of these.
fn headers<V: AsRef<[u8]>>(lines: &[(&str, V)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    headers
}

/// What a server sends on, out of the span that it opens for a request with these lines.
fn sent_on<V: AsRef<[u8]>>(lines: &[(&str, V)]) -> HeaderMap {
    sent_on_by(|b| b, LevelFilter::INFO, lines)
}

/// The same if a filter leaves out the span.
fn passed_through<V: AsRef<[u8]>>(lines: &[(&str, V)]) -> HeaderMap {
    sent_on_by(|b| b, LevelFilter::WARN, lines)
}

/// The same with a collector as it is made.
fn sent_on_by<V: AsRef<[u8]>>(
    change: impl FnOnce(Builder) -> Builder,
    filter: LevelFilter,
    lines: &[(&str, V)],
) -> HeaderMap {
    let (collector, _) = collector(change);
    let (came, mut sent) = (headers(lines), HeaderMap::new());
    let subscriber = tracing_subscriber::registry().with(filter).with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        with_remote_parent(extract_headers(&came), || {
            info_span!("server").in_scope(|| inject_headers(&mut sent));
        });
    });
    sent
}

/// That header.
fn of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}
