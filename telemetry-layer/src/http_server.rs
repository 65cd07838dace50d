//! A span and metrics for each request that a server is given, for everything that is built on tower.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Response};
use telemetry_core::{timer, up_down_counter};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;
use tracing::field::Empty;

use crate::{extract_headers, with_remote_parent};

/// Opens a span for each request, as a child of the span that the caller's `traceparent` names, and measures it.
///
/// The span is called `request`, with OpenTelemetry's fields `http.request.method`, `url.path` and
/// `http.response.status_code`; a status from 500 up is an error. A handler that knows its route can record
/// `http.route`, and a better name in `otel.name`. Neither headers nor the query are recorded.
///
/// The metrics are `http.server.request.duration` (in seconds, tagged with method and status, or
/// `error.type=cancelled` where nobody waited for the answer) and `http.server.active_requests`, in the collector that is
/// current.
///
/// With axum: `Router::new().route(..).layer(HttpServerLayer::new())`.
///
/// Source: OpenTelemetry semantic conventions for HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpServerLayer(());

impl HttpServerLayer {
    /// For any service that takes HTTP requests.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = HttpServer<S>;

    fn layer(&self, service: S) -> HttpServer<S> {
        HttpServer { service }
    }
}

/// See [`HttpServerLayer`].
#[derive(Clone, Debug)]
pub struct HttpServer<S> {
    service: S,
}

impl<S, B, R> Service<Request<B>> for HttpServer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HttpServerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = known(request.method());
        let span = with_remote_parent(extract_headers(request.headers()), || {
            tracing::info_span!(
                "request",
                otel.kind = "server",
                otel.name = Empty,
                otel.status_code = Empty,
                http.request.method = method,
                http.route = Empty,
                http.response.status_code = Empty,
                url.path = request.uri().path(),
            )
        });
        let call = Call::begin(method, span);
        let future = call.span.in_scope(|| self.service.call(request));
        HttpServerFuture { future, call }
    }
}

/// Methods have a name that nobody can make up.
fn known(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// A request until it is answered, or until nobody waits any more.
#[derive(Debug)]
struct Call {
    method: &'static str,
    span: Span,
    begin: Instant,
    status: Option<u16>,
    has_failed: bool,
}

impl Call {
    fn begin(method: &'static str, span: Span) -> Self {
        active(method, 1);
        Self { method, span, begin: Instant::now(), status: None, has_failed: false }
    }
}

fn active(method: &'static str, n: i64) {
    up_down_counter("http.server.active_requests").with(&[("http.request.method", method)]).add(n);
}

impl Drop for Call {
    fn drop(&mut self) {
        active(self.method, -1);
        let status = self.status.map(|status| status.to_string());
        let end = match &status {
            Some(status) => ("http.response.status_code", status.as_str()),
            None if self.has_failed => ("error.type", "error"),
            None => ("error.type", "cancelled"),
        };
        let duration = timer("http.server.request.duration");
        duration.with(&[("http.request.method", self.method), end]).record(self.begin.elapsed());
    }
}

pin_project_lite::pin_project! {
    /// See [`HttpServerLayer`].
    #[derive(Debug)]
    pub struct HttpServerFuture<F> {
        #[pin]
        future: F,
        call: Call,
    }
}

impl<F, R, E> Future for HttpServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = {
            let _entered = this.call.span.enter();
            ready!(this.future.poll(cx))
        };
        let status = answer.as_ref().ok().map(Response::status);
        this.call.status = status.map(|status| status.as_u16());
        this.call.has_failed = status.is_none();
        if let Some(status) = status {
            this.call.span.record("http.response.status_code", status.as_u16());
        }
        if status.is_none_or(|status| status.is_server_error()) {
            this.call.span.record("otel.status_code", "error");
        }
        Poll::Ready(answer)
    }
}
