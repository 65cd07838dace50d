//! A request's span, for those who handle it: what they learn of the request goes into that span, and into its metric.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "axum")]
use axum::extract::MatchedPath;
use http::Method;
use telemetry_core::model::Text;
use tracing::Span;
use tracing::field::display;

/// The span of a request, found in the request's extensions by whoever handles it, and whichever span is the current one
/// there: `#[time_me]` gives a handler one of its own.
///
/// ```
/// use telemetry_layer::RequestSpan;
///
/// fn handle(request: &http::Request<()>) {
///     if let Some(span) = request.extensions().get::<RequestSpan>() {
///         span.set_route("/users/{id}");
///     }
/// }
/// # handle(&http::Request::new(()));
/// ```
///
/// After the answer it does nothing any more.
#[derive(Clone, Debug)]
pub struct RequestSpan(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// None once the request has ended: whoever keeps this keeps no span open.
    span: Span,
    method: Option<Method>,
    route: Option<Route>,
    has_name: bool,
}

/// A span's name: `GET /users/{id}`.
pub(super) struct SpanName<'a> {
    pub(super) method: Option<&'a Method>,
    pub(super) route: Option<&'a str>,
}

impl fmt::Display for SpanName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.map_or("HTTP", Method::as_str))?;
        self.route.map_or(Ok(()), |route| write!(f, " {route}"))
    }
}

/// The pattern of a path.
#[derive(Clone, Debug)]
pub(super) enum Route {
    Text(Text),
    #[cfg(feature = "axum")]
    Matched(MatchedPath),
}

impl Route {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(route) => route,
            #[cfg(feature = "axum")]
            Self::Matched(route) => route.as_str(),
        }
    }
}

impl RequestSpan {
    pub(super) fn new(span: Span, method: Option<Method>, route: Option<Route>) -> Self {
        Self(Arc::new(Mutex::new(State { span, method, route, has_name: false })))
    }

    /// Says which route the request has: the pattern of its path, as `/users/{id}`, never the path itself, as each route is
    /// a series. It becomes `http.route` of the span and of `http.server.request.duration`, and a part of the span's name.
    /// Of several the last one counts.
    pub fn set_route(&self, route: impl Into<Text>) {
        self.route_is(Route::Text(route.into()));
    }

    /// Gives the span another name than that of its method and route.
    pub fn set_name(&self, name: impl fmt::Display) {
        self.lock().has_name = true;
        self.span().record("otel.name", display(name));
    }

    /// The span itself, for its other fields. Kept beyond the answer it keeps the span open.
    pub fn span(&self) -> Span {
        self.lock().span.clone()
    }

    pub(super) fn route_is(&self, route: Route) {
        let (span, method, has_name) = {
            let state = self.lock();
            (state.span.clone(), state.method.clone(), state.has_name)
        };
        // Subscribers run code of others: not while it is locked.
        span.record("http.route", route.as_str());
        if !has_name {
            let name = SpanName { method: method.as_ref(), route: Some(route.as_str()) };
            span.record("otel.name", display(name));
        }
        self.lock().route = Some(route);
    }

    /// The request has ended: lets go of its span, and gives its route.
    pub(super) fn end(&self) -> Option<Route> {
        let (span, route) = {
            let mut state = self.lock();
            (std::mem::replace(&mut state.span, Span::none()), state.route.take())
        };
        drop(span);
        route
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
