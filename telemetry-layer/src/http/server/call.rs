//! A request from its head to its end: the context that came with it, its span, and what is measured of it.

use std::sync::LazyLock;
use std::time::Duration;

#[cfg(feature = "axum")]
use axum::extract::MatchedPath;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use telemetry_core::__private::{Sink, Tick};
use telemetry_core::{Collector, Timer, UpDownCounter, timer, up_down_counter};
use tracing::Span;
use tracing::field::Empty;

use super::attributes::{OTHER, client, scheme, server, user_agent, version};
use super::query::redacted;
use super::request_span::{RequestSpan, Route, SpanName};
use super::settings::Settings;
use crate::context::{Context, current_trace_context};
use crate::http::headers::extract_headers;

static DURATION: LazyLock<Timer> = LazyLock::new(|| {
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    let duration = timer("http.server.request.duration").buckets(&bounds);
    duration.description("Duration of HTTP server requests.")
});

static ACTIVE: LazyLock<UpDownCounter> = LazyLock::new(|| {
    let active = up_down_counter("http.server.active_requests").unit("{request}");
    active.description("Number of active HTTP server requests.")
});

/// What nobody waited for.
const CANCELLED: &str = "cancelled";
const METHOD: &str = "http.request.method";
const STATUS: &str = "http.response.status_code";
const SCHEME: &str = "url.scheme";

/// The span of a request.
fn request_span(seen: &Seen<'_>) -> Span {
    let Seen { head, method, route, scheme, settings } = seen;
    let (method, route) = (method.as_ref(), route.as_ref().map(Route::as_str));
    let server = server(head, scheme, settings);
    tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = %SpanName { method, route },
        otel.status_code = Empty,
        otel.status_description = Empty,
        http.request.method = method.map_or(OTHER, Method::as_str),
        http.request.method_original = method.is_none().then(|| head.method.as_str()),
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
        url.scheme = *scheme,
        url.path = head.uri.path(),
        url.query = head.uri.query().map(|query| redacted(query, &settings.sensitive)).as_deref(),
        server.address = server.map(|(address, _)| address),
        server.port = server.map(|(_, port)| port),
        client.address = client(head, settings).map(tracing::field::display),
        user_agent.original = user_agent(head).as_deref(),
        network.protocol.version = version(head),
    )
}

/// What a span begins with.
struct Seen<'a> {
    head: &'a Parts,
    method: Option<Method>,
    route: Option<Route>,
    scheme: &'static str,
    settings: &'a Settings,
}

/// What goes on for a request, and what it goes on in: a default one has ended.
#[derive(Debug, Default)]
pub(super) struct Handling {
    /// The context that came with it: no filter that leaves out the span breaks the trace.
    came: Option<Context>,
    /// None for a request that is left out.
    call: Option<Call>,
}

impl Handling {
    /// Of a request that begins.
    pub(super) fn begin(settings: &Settings, head: &mut Parts) -> Self {
        let is_left_out = settings.skip.as_ref().is_some_and(|skip| skip(head));
        let came = extract_headers(&head.headers).map(Context::new);
        let attached = came.as_ref().map(Context::attach);
        let call = (!is_left_out).then(|| Call::begin(settings, head));
        drop(attached);
        Self { came, call }
    }

    /// Runs `f` in its context and span. A panic ends the request: what is left of its future may be kept.
    pub(super) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        struct Panics<'a>(&'a mut Option<Call>);
        impl Drop for Panics<'_> {
            fn drop(&mut self) {
                if let Some(mut call) = self.0.take() {
                    call.failed("panic");
                }
            }
        }
        let _attached = self.came.as_ref().map(Context::attach);
        let panics = Panics(&mut self.call);
        let result = match &*panics.0 {
            Some(call) => call.within(f),
            None => f(),
        };
        std::mem::forget(panics);
        result
    }

    /// There is an answer.
    pub(super) fn answered(&mut self, status: StatusCode, headers: &mut HeaderMap) {
        let _attached = self.came.as_ref().map(Context::attach);
        if let Some(call) = &mut self.call {
            call.answered(status, headers);
        }
    }

    /// It failed, and not by a status.
    pub(super) fn failed(&mut self, error: &'static str) {
        if let Some(call) = &mut self.call {
            call.failed(error);
        }
    }

    /// Whether it is known that no byte follows the head of its answer, whatever the body holds.
    pub(super) fn has_no_body(&self) -> bool {
        let Some(Call { method, status: Some(status), .. }) = &self.call else { return false };
        let is = |known| method.as_ref() == Some(&known);
        let is_empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(status);
        is(Method::HEAD)
            || status.is_informational()
            || is_empty
            || is(Method::CONNECT) && status.is_success()
    }

    /// It has come to its end, and was not cut off.
    pub(super) fn end(&mut self) {
        if let Some(mut call) = self.call.take() {
            call.has_ended = true;
        }
    }
}

/// A request until it is answered, or until nobody waits any more.
#[derive(Debug)]
struct Call {
    span: Span,
    /// The same for those who handle it.
    request: RequestSpan,
    /// The collector that was current when it began, and when that was.
    began: Option<(Sink, Tick)>,
    method: Option<Method>,
    scheme: &'static str,
    version: Option<&'static str>,
    trace_id_header: Option<HeaderName>,
    status: Option<StatusCode>,
    error: Option<&'static str>,
    has_ended: bool,
}

impl Call {
    fn begin(settings: &Settings, head: &mut Parts) -> Self {
        let began = Collector::current().map(|collector| collector.sink()).map(|sink| {
            let now = sink.clock().now();
            (sink, now)
        });
        let (method, scheme) = (settings.known(&head.method), scheme(head, settings));
        let seen = Seen { head, method, route: route(head), scheme, settings };
        let span = request_span(&seen);
        let Seen { method, route, .. } = seen;
        let request = RequestSpan::new(span.clone(), method.clone(), route);
        if let Some(on_request) = &settings.on_request {
            span.in_scope(|| on_request(head, &request));
        }
        head.extensions.insert(request.clone());
        let call = Self {
            span,
            request,
            began,
            method,
            scheme,
            version: version(head),
            trace_id_header: settings.trace_id_header.clone(),
            status: None,
            error: None,
            has_ended: false,
        };
        if call.began.is_some() {
            call.count(1);
        }
        call
    }

    /// Runs `f` in its span.
    fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.span.in_scope(f)
    }

    /// There is an answer.
    fn answered(&mut self, status: StatusCode, headers: &mut HeaderMap) {
        self.status = Some(status);
        self.span.record(STATUS, status.as_u16());
        if let Some(name) = &self.trace_id_header
            && let Some(span) = self.within(current_trace_context).and_then(|context| context.span)
            && let Ok(value) = HeaderValue::try_from(span.trace_id.to_string())
        {
            headers.insert(name, value);
        }
    }

    /// It failed, and not by a status.
    fn failed(&mut self, error: &'static str) {
        self.error = Some(error);
    }

    /// In the collector that is current.
    fn count(&self, n: i64) {
        ACTIVE.with(&[(METHOD, self.method_name()), (SCHEME, self.scheme)]).add(n);
    }

    fn method_name(&self) -> &str {
        self.method.as_ref().map_or(OTHER, Method::as_str)
    }

    fn measure(&self, duration: Duration, route: Option<&str>, error: Option<&str>) {
        let all = [
            Some((METHOD, self.method_name())),
            Some((SCHEME, self.scheme)),
            self.version.map(|version| ("network.protocol.version", version)),
            self.status.as_ref().map(|status| (STATUS, status.as_str())),
            route.map(|route| ("http.route", route)),
            error.map(|error| ("error.type", error)),
        ];
        let mut tags = [("", ""); 6];
        let mut n = 0;
        for tag in all.into_iter().flatten() {
            tags[n] = tag;
            n += 1;
        }
        DURATION.with(&tags[..n]).record(duration);
        self.count(-1);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_ended && self.error.is_none() {
            self.error = Some(if std::thread::panicking() { "panic" } else { CANCELLED });
        }
        let failed = self.status.as_ref().filter(|status| status.is_server_error());
        let error = failed.map(StatusCode::as_str).or(self.error);
        if let Some(error) = error {
            self.span.record("error.type", error);
            self.span.record("otel.status_code", "error");
            if error == CANCELLED {
                // As of every call that was cancelled.
                self.span.record("otel.status_description", CANCELLED);
            }
        }
        let route = self.request.end();
        if let Some((sink, began)) = &self.began {
            let duration = Duration::from_nanos(sink.clock().now().since(*began));
            let measure = || self.measure(duration, route.as_ref().map(Route::as_str), error);
            // In the span, which is an exemplar then.
            self.within(|| sink.collector().scoped(measure));
        }
    }
}

/// What axum's router has found by now.
fn route(head: &Parts) -> Option<Route> {
    #[cfg(feature = "axum")]
    return head.extensions.get::<MatchedPath>().cloned().map(Route::Matched);
    #[cfg(not(feature = "axum"))]
    {
        let _ = head;
        None
    }
}
