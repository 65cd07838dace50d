//! Trace context in and out of HTTP headers.

use http::{HeaderMap, HeaderValue};
use telemetry_core::model::TraceContext;

use crate::span_ext::current_trace_context;

/// The context that came with a request, if there is one.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
/// assert!(telemetry_layer::extract_headers(&headers).is_some());
/// ```
pub fn extract_headers(headers: &HeaderMap) -> Option<TraceContext> {
    // A list may be spread over several lines.
    let joined = TraceContext::HEADERS.map(|name| {
        let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
        (name, lines.join(","))
    });
    TraceContext::extract(|name| {
        let (_, value) = joined.iter().find(|(known, _)| *known == name)?;
        (!value.is_empty()).then_some(value)
    })
}

/// Adds the context of the current span to the headers of a request, so that what the other program does for it is a
/// part of the same trace. Outside of spans nothing is added.
///
/// With reqwest: `telemetry_layer::inject_headers(request.headers_mut())`.
pub fn inject_headers(headers: &mut HeaderMap) {
    let Some(context) = current_trace_context() else { return };
    context.inject(|name, value| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    });
}
