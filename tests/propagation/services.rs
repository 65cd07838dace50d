//! Two services that talk HTTP over loopback: one trace, and baggage that arrives, whatever their log filters leave out.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Kept;
use telemetry_layer::{HttpServerLayer, in_current_context, inject_headers};
use telemetry_tests::{collector, exported};
use tokio::net::TcpListener;
use tracing::{Dispatch, warn_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::{EnvFilter, registry};

use crate::{PARENT, SPAN, TRACE};

/// Serves the routes on a free port of loopback; its address.
async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = routes.layer(HttpServerLayer::new());
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

async fn ask(url: String, change: impl FnOnce(&mut HeaderMap)) -> String {
    let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    change(request.headers_mut());
    reqwest::Client::new().execute(request).await.unwrap().text().await.unwrap()
}

/// What came, in one line.
async fn behind(came: HeaderMap) -> String {
    warn_span!(target: "myapp", "behind").in_scope(|| ());
    let header = |name| came.get(name).map_or("-", |value| value.to_str().unwrap());
    format!("{} {} {}", header("traceparent"), header("tracestate"), header("baggage"))
}

/// Asks the other service in a task of its own.
async fn in_front(back: String) -> String {
    let asks = async { ask(back, inject_headers).await };
    tokio::spawn(in_current_context(asks)).await.unwrap()
}

/// What the service behind got of a request to the one in front, and what was recorded.
fn told(subscriber: impl FnOnce(TelemetryLayer) -> Dispatch) -> (String, Kept) {
    let (collector, memory) = collector(|b| b);
    let dispatch = subscriber(TelemetryLayer::new(&collector));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = tracing::dispatcher::with_default(&dispatch, || {
        runtime.block_on(async {
            let back = serve(Router::new().route("/", get(behind))).await;
            let front = serve(Router::new().route("/", get(move || in_front(back)))).await;
            ask(front, |headers| {
                headers.insert("traceparent", PARENT.parse().unwrap());
                headers.insert("tracestate", "v=1".parse().unwrap());
                headers.insert("baggage", "tenant=a;secret".parse().unwrap());
            })
            .await
        })
    });
    drop((runtime, dispatch));
    (told, exported(&collector, &memory))
}

#[test]
fn two_services_keep_one_trace_under_every_filter() {
    let warn = || EnvFilter::new("warn");
    let myapp = || EnvFilter::new("myapp=info");
    let subscribers: [Box<dyn FnOnce(TelemetryLayer) -> Dispatch>; 5] = [
        Box::new(|layer| registry().with(warn()).with(layer).into()),
        Box::new(|layer| registry().with(myapp()).with(layer).into()),
        Box::new(|layer| registry().with(layer.with_filter(LevelFilter::WARN)).into()),
        Box::new(|layer| registry().with(layer.with_filter(warn())).into()),
        Box::new(|layer| registry().with(layer.with_filter(myapp())).into()),
    ];
    for subscriber in subscribers {
        let (told, kept) = told(subscriber);
        assert_eq!(told, format!("{PARENT} v=1 tenant=a;secret"));
        assert_eq!(kept.spans.len(), 1, "the requests are filtered out");
        let behind = kept.span("behind");
        assert_eq!((behind.trace_id.to_string(), &*behind.trace_state), (TRACE.to_owned(), "v=1"));
        assert_eq!(behind.parent_span_id.unwrap().to_string(), SPAN);
    }
}

#[test]
fn with_their_spans_recorded_each_service_adds_one() {
    let (told, kept) = told(|layer| registry().with(LevelFilter::INFO).with(layer).into());
    assert!(kept.spans.iter().all(|span| span.trace_id.to_string() == TRACE), "{}", kept.tree());
    let named = |id: &str| kept.spans.iter().find(|span| span.span_id.to_string() == id);
    let parent = |span: &telemetry_layer::model::Span| span.parent_span_id.unwrap().to_string();
    let back = named(&parent(kept.span("behind"))).expect("the request behind");
    let front = named(&parent(back)).expect("the request in front");
    assert_eq!(parent(front), SPAN);
    assert_eq!(told, format!("00-{TRACE}-{}-01 v=1 tenant=a;secret", front.span_id));
}
