//! A span and metrics for each request that a server is given, for everything that is built on tower.

mod attributes;
mod body;
mod call;
mod forwarded;
mod future;
mod query;
mod request_span;
#[cfg(feature = "axum")]
mod route;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderName, Method, Request, Response};
use telemetry_core::model::Text;
use tower_layer::Layer;
use tower_service::Service;

pub use body::{HttpServerBody, HttpServerBodyFuture, HttpServerBodyLayer, HttpServerWithBody};
pub use future::HttpServerFuture;
pub use request_span::RequestSpan;
#[cfg(feature = "axum")]
pub use route::{HttpRoute, HttpRouteLayer};
use settings::{Hook, Settings};

/// Opens a span for each request, as a child of the span that the caller's `traceparent` names, and measures it, as
/// OpenTelemetry's semantic conventions for HTTP have it.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get};
/// use telemetry_layer::HttpServerLayer;
///
/// let layer = HttpServerLayer::new().skip(|request| ["/health", "/metrics"].contains(&request.uri.path()));
/// let routes: Router = Router::new().route("/users/{id}", get(|| async { "hello" })).layer(layer);
/// # drop(routes);
/// ```
///
/// The span is called after method and route (`GET /users/{id}`), after the method alone where no route is known, and
/// `HTTP` instead of a method that is not known. With the feature `axum` the route is the `MatchedPath` of the router that
/// this is a layer of; around a finished router `HttpRouteLayer` tells it. Every other service says it by a
/// [`RequestSpan`].
///
/// | field | what it says |
/// | --- | --- |
/// | `http.request.method` | one of the known methods, else `_OTHER`, with `http.request.method_original` beside it |
/// | `http.route` | where a route is known |
/// | `http.response.status_code` | where there is an answer |
/// | `error.type` | where it failed: a status from 500 up, the type of the service's or the body's error, `panic`, or `cancelled` where nobody waited for the end. The span's status is error then, and only then |
/// | `url.scheme`, `url.path`, `url.query` | what was asked for; in the query `REDACTED` stands for values of signatures and keys |
/// | `server.address`, `server.port` | what the request's authority or `Host` says; without a port that of the scheme |
/// | `client.address` | only [by choice](Self::client_address) |
/// | `user_agent.original` | the header `User-Agent` |
/// | `network.protocol.version` | `1.1`, `2` |
///
/// `TelemetryLayer::without_fields` leaves out those that are not wanted. What looks at a span when it opens (filters,
/// `Sampling`, `SpanMetrics`) sees the name `request`; to leave single routes out there is [`skip`](Self::skip).
///
/// The metrics are `http.server.request.duration`, in seconds, in the buckets of the conventions, tagged with
/// `http.request.method`, `url.scheme`, `network.protocol.version`, and `http.response.status_code`, `http.route` and
/// `error.type` where there are any; and `http.server.active_requests`, tagged with method and scheme. They go to the
/// collector that is current when the request begins. All of it ends with the answer, whose body may still be on its
/// way; see [`until_body_ends`](Self::until_body_ends).
///
/// Source: OpenTelemetry semantic conventions 1.44, HTTP. `OTEL_SEMCONV_STABILITY_OPT_IN` has no effect: there are only the
/// stable names.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing before a service is built with it"]
pub struct HttpServerLayer {
    settings: Arc<Settings>,
}

impl Default for HttpServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpServerLayer {
    /// For any service that takes HTTP requests. `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, a list with commas, names the
    /// methods that are known.
    pub fn new() -> Self {
        Self { settings: Arc::new(Settings::from_env()) }
    }

    /// These methods are known, whatever the environment says, and no others. Without: those of RFC 9110, `PATCH` and
    /// `QUERY`. Upper and lower case differ.
    pub fn known_methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.change(|settings| settings.methods = methods.into_iter().collect())
    }

    /// `url.scheme` is `https` where a request does not say it, as none does over HTTP/1.1. For a server that speaks TLS
    /// itself.
    pub fn https(self) -> Self {
        self.change(|settings| settings.scheme = "https")
    }

    /// Believes what a proxy in front says in `Forwarded`, or in `X-Forwarded-Proto`, `-Host` and `-For`, for `url.scheme`,
    /// `server.address`, and `client.address` where that is told. Only behind a proxy that sets them: anybody else can say
    /// there what he likes.
    pub fn trust_forwarded(self) -> Self {
        self.change(|settings| settings.trusts_forwarded = true)
    }

    /// Tells `client.address`: with [`trust_forwarded`](Self::trust_forwarded) the one that the proxy names, else what
    /// `peer` says. In axum that is
    /// `|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip())`.
    pub fn client_address(self, peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.change(|settings| settings.client = Some(Hook(Arc::new(peer))))
    }

    /// Puts `REDACTED` in place of the values of these keys in `url.query` too, beside those that the conventions name:
    /// `sig`, `Signature`, `AWSAccessKeyId`, `X-Goog-Signature`, `X-Amz-Signature`, `X-Amz-Credential`,
    /// `X-Amz-Security-Token`. Upper and lower case differ.
    pub fn redact_query<T: Into<Text>>(self, keys: impl IntoIterator<Item = T>) -> Self {
        self.change(|settings| settings.sensitive.extend(keys.into_iter().map(Into::into)))
    }

    /// Leaves out the requests for which `skip` says so: they have no span and are not measured, and what they call
    /// is a part of their caller's trace all the same. Health checks, say, and the page that is scraped.
    pub fn skip(self, skip: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.change(|settings| settings.skip = Some(Hook(Arc::new(skip))))
    }

    /// Looks at each request, in its span, and may say more of it: another name, a route, values of fields; `set_attribute`
    /// of [`SpanExt`](crate::SpanExt) adds fields of one's own.
    ///
    /// ```
    /// # use telemetry_layer::HttpServerLayer;
    /// let layer = HttpServerLayer::new().on_request(|request, span| {
    ///     if request.headers.contains_key("x-synthetic") {
    ///         span.set_name("probe");
    ///     }
    /// });
    /// ```
    pub fn on_request(self, f: impl Fn(&Parts, &RequestSpan) + Send + Sync + 'static) -> Self {
        self.change(|settings| settings.on_request = Some(Hook(Arc::new(f))))
    }

    /// Puts the id of the trace into that header of each answer, as 32 hexadecimal digits.
    pub fn trace_id_header(self, name: HeaderName) -> Self {
        self.change(|settings| settings.trace_id_header = Some(name))
    }

    /// Lets requests end with the last byte of their answer, and makes a body that is not sent to its end a request that
    /// was cancelled. The last choice of all: it makes a layer of another type, as the body of an answer is another one.
    pub fn until_body_ends(self) -> HttpServerBodyLayer {
        HttpServerBodyLayer::new(self.settings)
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = HttpServer<S>;

    fn layer(&self, service: S) -> HttpServer<S> {
        HttpServer { service, settings: Arc::clone(&self.settings) }
    }
}

/// The service that [`HttpServerLayer`] makes.
#[derive(Clone, Debug)]
#[must_use = "a service does nothing before it is called"]
pub struct HttpServer<S> {
    service: S,
    settings: Arc<Settings>,
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
        HttpServerFuture::of(&mut self.service, request, &self.settings)
    }
}
