//! A span and metrics for each request that a server is given, for everything that is built on tower.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Response};
use telemetry_core::Collector;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;
use tracing::field::Empty;

use super::headers::extract_headers;
use crate::context;

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
#[must_use = "a layer does nothing before a service is built with it"]
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

macro_rules! request_span {
    ($method:expr, $path:expr) => {
        tracing::info_span!(
            "request",
            otel.kind = "server",
            otel.name = Empty,
            otel.status_code = Empty,
            http.request.method = $method,
            http.route = Empty,
            http.response.status_code = Empty,
            url.path = $path,
        )
    };
}

/// The service that [`HttpServerLayer`] makes.
#[derive(Clone, Debug)]
#[must_use = "a service does nothing before it is called"]
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
        let path = request.uri().path();
        // Whatever span the connection is in: the caller says what this is a part of.
        let came = extract_headers(request.headers()).map(context::Context::new);
        let _attached = came.as_ref().map(context::Context::attach);
        let call = Call::begin(method, request_span!(method, path));
        let future = call.span.in_scope(|| self.service.call(request));
        HttpServerFuture { future: Some(future), call, came }
    }
}

/// Methods have a name that nobody can make up: other ones would each be a series.
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
    /// The one that was current when it began.
    collector: Option<Collector>,
}

impl Call {
    fn begin(method: &'static str, span: Span) -> Self {
        let collector = Collector::current();
        let call = Self { method, span, begin: Instant::now(), status: None, has_failed: false, collector };
        call.count(1);
        call
    }

    fn count(&self, n: i64) {
        if let Some(collector) = &self.collector {
            let active = collector.up_down_counter("http.server.active_requests");
            active.with(&[("http.request.method", self.method)]).add(n);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.count(-1);
        let Some(collector) = &self.collector else { return };
        let status = self.status.map(|status| status.to_string());
        let end = match &status {
            Some(status) => ("http.response.status_code", status.as_str()),
            None if self.has_failed => ("error.type", "error"),
            None if std::thread::panicking() => ("error.type", "panic"),
            None => ("error.type", "cancelled"),
        };
        let duration = collector.timer("http.server.request.duration");
        duration.with(&[("http.request.method", self.method), end]).record(self.begin.elapsed());
    }
}

pin_project_lite::pin_project! {
    /// The answer of an [`HttpServer`], with the span of its request.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct HttpServerFuture<F> {
        #[pin]
        future: Option<F>,
        call: Call,
        // Attached whenever the future runs, so that no filter that leaves out the span breaks the trace.
        came: Option<context::Context>,
    }

    impl<F> PinnedDrop for HttpServerFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _attached = this.came.as_ref().map(context::Context::attach);
            let _entered = this.call.span.enter();
            this.future.set(None);
        }
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
            let _attached = this.came.as_ref().map(context::Context::attach);
            let _entered = this.call.span.enter();
            let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
            ready!(future.poll(cx))
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use telemetry_core::{Builder, metrics::Snapshot};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::layer::TelemetryLayer;

    /// Answers at once with that status, never with 0, and panics with 1.
    #[derive(Clone)]
    struct Answer(u16);

    impl Service<Request<()>> for Answer {
        type Response = Response<()>;
        type Error = std::convert::Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<Response<()>, Self::Error>>>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let status = self.0;
            Box::pin(async move {
                match status {
                    0 => std::future::pending().await,
                    1 => panic!("in a handler"),
                    status => Ok(Response::builder().status(status).body(()).unwrap()),
                }
            })
        }
    }

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// Handles one request, polled once, inside of another span.
    fn handled(status: u16, change: impl FnOnce(Builder) -> Builder) -> Snapshot {
        let collector = change(Collector::builder().ignore_env()).start().unwrap();
        let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
        tracing::subscriber::with_default(subscriber, || {
            let _connection = tracing::info_span!("connection").entered();
            let request = Request::builder().uri("/a?b=c").header("traceparent", CALLER).body(()).unwrap();
            let mut future =
                Box::pin(collector.scoped(|| HttpServerLayer::new().layer(Answer(status)).call(request)));
            assert_eq!(collector.snapshot().total("http.server.active_requests"), 1.0);
            let poll = || drop(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
            drop(future);
        });
        collector.snapshot()
    }

    #[test]
    fn every_way_in_which_a_request_ends_is_measured() {
        for (status, key, value) in [
            (200, "http.response.status_code", "200"),
            (503, "http.response.status_code", "503"),
            (0, "error.type", "cancelled"),
            (1, "error.type", "cancelled"),
        ] {
            let metrics = handled(status, |b| b);
            assert_eq!(metrics.total("http.server.active_requests"), 0.0, "{status}");
            let duration = metrics.named("http.server.request.duration").next().unwrap();
            assert_eq!(
                (duration.tag(key), duration.tag("http.request.method")),
                (Some(value), Some("GET")),
                "{status}"
            );
        }
    }

    #[cfg(feature = "testing")]
    #[test]
    fn a_request_is_a_part_of_its_callers_trace_whatever_span_it_comes_in() {
        let memory = crate::testing::Memory::new();
        handled(503, |b| b.exporter(memory.clone()));
        let kept = memory.kept();
        let request = kept.span("request");
        assert_eq!(request.trace_id.to_string(), CALLER[3..35]);
        assert_eq!(request.parent_span_id.unwrap().to_string(), CALLER[36..52]);
        assert!(request.status.as_ref().is_error());
        let path =
            request.fields.iter().find(|(name, _)| name == "url.path").map(|(_, value)| value.to_string());
        assert_eq!(path.as_deref(), Some("/a"), "without the query");
    }
}
