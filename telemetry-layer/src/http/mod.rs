//! HTTP: trace context in headers, and a span for each request that a server is given.

mod headers;
#[cfg(all(feature = "prometheus", feature = "tower"))]
mod prometheus;
#[cfg(feature = "tower")]
mod server;

pub use headers::{extract_headers, inject_headers};
#[cfg(all(feature = "prometheus", feature = "tower"))]
pub use prometheus::{PrometheusBody, PrometheusFuture, PrometheusService};
#[cfg(feature = "axum")]
pub use server::{HttpRoute, HttpRouteLayer};
#[cfg(feature = "tower")]
pub use server::{
    HttpServer, HttpServerBody, HttpServerBodyFuture, HttpServerBodyLayer, HttpServerFuture, HttpServerLayer,
    HttpServerWithBody, RequestSpan,
};
