//! Two services that talk HTTP, and the one trace that a request through both of them is.
//!
//! `cargo run -p telemetry-examples --bin two_services`

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Memory;
use telemetry_layer::{HttpServerLayer, inject_headers};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Serves the routes on a free port of loopback; its address.
async fn serve(routes: Router) -> Result<String, AnyError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = routes.layer(HttpServerLayer::new());
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(format!("http://{address}"))
}

/// The service behind: it knows prices.
#[time_me]
async fn price() -> String {
    tracing::info!("asked for the price");
    tokio::time::sleep(Duration::from_millis(2)).await;
    "42".to_owned()
}

/// The service in front: it asks the other one, and hands the trace on.
#[time_me]
async fn order(back: String) -> Result<String, String> {
    let mut request = reqwest::Request::new(reqwest::Method::GET, back.parse().map_err(|e| format!("{e}"))?);
    inject_headers(request.headers_mut());
    let answer = reqwest::Client::new().execute(request).await.map_err(|e| e.to_string())?;
    Ok(format!("ordered for {}", answer.text().await.map_err(|e| e.to_string())?))
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let memory = Memory::new();
    let telemetry = telemetry_layer::init_with(Collector::builder().ignore_env().exporter(memory.clone()))?;
    let back = serve(Router::new().route("/price", get(price))).await?;
    let front = Router::new().route("/order", get(move || order(format!("{back}/price"))));
    let front = serve(front).await?;
    println!("{}", reqwest::get(format!("{front}/order")).await?.text().await?);
    telemetry.flush(Duration::from_secs(5));
    let kept = memory.kept();
    let traces: std::collections::HashSet<_> = kept.spans.iter().map(|span| span.trace_id).collect();
    println!("{} spans in {} trace:\n{}", kept.spans.len(), traces.len(), kept.tree());
    Ok(())
}
