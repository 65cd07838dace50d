//! Programs that others wrote for `tracing`, with our layer at TRACE: every exported trace is a tree with times that nest,
//! nothing of our own is among it, nothing is lost.

use std::collections::HashMap;
use std::time::Duration;

use telemetry_layer::model::{Span, SpanId};
use telemetry_layer::prelude::*;
use telemetry_layer::{HttpServerLayer, inject_headers};
use telemetry_tests::{Kept, SOON, collector};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::instrument::WithSubscriber as _;
use tracing::{Dispatch, Instrument as _, info_span};
use tracing_subscriber::registry;

/// Every span lies inside its parent, which is there; nothing is telemetry's own.
fn check(kept: &Kept) {
    let by_id: HashMap<SpanId, &Span> = kept.spans.iter().map(|span| (span.span_id, span)).collect();
    assert_eq!(by_id.len(), kept.spans.len(), "ids are unique");
    for span in &kept.spans {
        assert!(!span.target.starts_with("telemetry_core"), "{span:?}");
        let Some(parent) = span.parent_span_id else { continue };
        let Some(parent) = by_id.get(&parent) else { panic!("the parent of {span:?} is not there") };
        assert_eq!(parent.trace_id, span.trace_id);
        // The Registry holds parents open for their children.
        assert!(parent.start_unix_nano <= span.start_unix_nano, "{parent:?} begins after {span:?}");
        assert!(parent.end_unix_nano() >= span.end_unix_nano(), "{parent:?} ends before {span:?}");
    }
    for event in &kept.events {
        assert!(event.span_id.is_none_or(|id| by_id.contains_key(&id)), "the span of {event:?} is not there");
        assert!(!event.target.starts_with("telemetry_core"), "{event:?}");
    }
}

/// Runs a program with the layer at TRACE, on a runtime of its own; what was exported.
fn traced<F: Future<Output = ()> + Send>(program: impl FnOnce() -> F) -> Kept {
    let (collector, memory) = collector(|b| b.flush_interval(Duration::from_millis(50)));
    let dispatch = Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Threads of the runtime have the subscriber for as long as they live.
    let own = dispatch.clone();
    let on_start = move || std::mem::forget(tracing::dispatcher::set_default(&own));
    let runtime = runtime.worker_threads(2).enable_all().on_thread_start(on_start).build().unwrap();
    runtime.block_on(program().with_subscriber(dispatch.clone()));
    runtime.shutdown_timeout(SOON);
    drop(dispatch);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    memory.kept()
}

#[test]
fn mini_redis_under_load() {
    let kept = traced(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(mini_redis::server::run(listener, async move { drop(stopped.await) }));
        let clients = (0..8).map(|client| {
            let work = async move {
                let mut redis = mini_redis::client::connect(address).await.unwrap();
                for n in 0..50 {
                    let key = format!("{client}.{n}");
                    redis.set(&key, key.clone().into()).await.unwrap();
                    assert_eq!(redis.get(&key).await.unwrap().unwrap(), key);
                }
            };
            tokio::spawn(work.instrument(info_span!("client", client)))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        drop(stop);
        server.await.unwrap().unwrap();
    });
    check(&kept);
    let count = |name: &str| kept.spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("client"), count("set"), count("get")), (8, 400, 400));
}

#[test]
fn axum_tower_http_and_reqwest_join_in_one_trace() {
    let kept = traced(|| async {
        let back = axum::Router::new()
            .route("/price/{id}", axum::routing::get(|| async { info_span!("look up").in_scope(|| "42") }))
            .layer(tower_http::trace::TraceLayer::new_for_http())
            .layer(HttpServerLayer::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, back).await });
        let client = reqwest::Client::new();
        for n in 0..100 {
            let ask = async {
                let url = format!("http://{address}/{}", if n % 10 == 9 { "missing" } else { "price/7" });
                let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
                inject_headers(request.headers_mut());
                client.execute(request).await.unwrap().text().await.unwrap()
            };
            ask.instrument(info_span!("order", n)).await;
        }
        server.abort();
        let _ = server.await;
    });
    check(&kept);
    let of = |name: &str| kept.spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let orders: HashMap<SpanId, &Span> = of("order").into_iter().map(|span| (span.span_id, span)).collect();
    let (handled, looked) = (of("request"), of("look up"));
    // tower-http's spans are called so too.
    let ours: Vec<_> = handled.iter().filter(|span| span.target.starts_with("telemetry_layer")).collect();
    assert_eq!((orders.len(), ours.len(), looked.len()), (100, 100, 90));
    for span in ours {
        let caller = orders[&span.parent_span_id.unwrap()];
        assert_eq!(caller.trace_id, span.trace_id);
    }
    assert!(kept.spans.iter().any(|span| span.target.starts_with("tower_http")));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_over_many_requests() {
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let collector = Collector::builder().ignore_env().export("discard:").start().unwrap();
    let dispatch = Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    // A debug build is slow; what could grow grows with each request.
    let many: u64 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let requests = |from: u64, to: u64| {
        let work = |from: u64, to: u64| {
            for n in from..to {
                let request = info_span!("request", n, late = tracing::field::Empty);
                let _entered = request.enter();
                info_span!("query", sql = "select 1").in_scope(|| tracing::info!(n, "asked"));
                request.record("late", "a text that comes later, and is rather long".repeat(4));
            }
        };
        std::thread::scope(|scope| {
            for half in [(from, from.midpoint(to)), (from.midpoint(to), to)] {
                let dispatch = dispatch.clone();
                scope.spawn(move || tracing::dispatcher::with_default(&dispatch, || work(half.0, half.1)));
            }
        });
    };
    requests(0, many / 4);
    let before = resident();
    requests(many / 4, many);
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 40 << 20,
        "{grown} bytes more: buffers alone may take 16 MiB and as much again on their way"
    );
    drop(dispatch);
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances());
    assert_eq!(report.ledger().signal(telemetry_layer::Signal::Spans).recorded, 2 * many);
}
