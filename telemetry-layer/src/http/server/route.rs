//! The route that axum's router finds, for a layer that stands outside of it.

use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::request_span::{RequestSpan, Route};

/// Tells an [`HttpServerLayer`](crate::HttpServerLayer) that is wrapped around a finished router, or around a service that a
/// router is nested in, which route a request has. Where that layer is on the router itself it is not needed.
///
/// ```
/// use axum::{Router, routing::get};
/// use telemetry_layer::{HttpRouteLayer, HttpServerLayer};
/// use tower_layer::Layer as _;
///
/// let routes: Router = Router::new().route("/users/{id}", get(|| async { "hello" })).layer(HttpRouteLayer::new());
/// let service = HttpServerLayer::new().layer(routes);
/// # drop(service);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a layer does nothing before a service is built with it"]
pub struct HttpRouteLayer(());

impl HttpRouteLayer {
    /// For `Router::layer`.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for HttpRouteLayer {
    type Service = HttpRoute<S>;

    fn layer(&self, service: S) -> HttpRoute<S> {
        HttpRoute { service }
    }
}

/// The service that [`HttpRouteLayer`] makes.
#[derive(Clone, Debug)]
#[must_use = "a service does nothing before it is called"]
pub struct HttpRoute<S> {
    service: S,
}

impl<S, B> Service<Request<B>> for HttpRoute<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let extensions = request.extensions();
        if let (Some(path), Some(span)) = (extensions.get::<MatchedPath>(), extensions.get::<RequestSpan>()) {
            span.route_is(Route::Matched(path.clone()));
        }
        self.service.call(request)
    }
}
