//! Trace context in and out of HTTP headers.

use http::{HeaderMap, HeaderValue};
use telemetry_core::Collector;
use telemetry_core::model::{Propagator, TraceContext};

use crate::context::current_trace_context;
use crate::layer::TelemetryLayer;

/// The context that came with a request, if there is one: in the formats of the collector that the current subscriber's layer
/// feeds ([`Config::propagators`](crate::Config::propagators)), or that is current.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
/// assert!(telemetry_layer::extract_headers(&headers).is_some());
/// ```
pub fn extract_headers(headers: &HeaderMap) -> Option<TraceContext> {
    let formats = formats();
    let names = formats.iter().flat_map(|format| format.headers());
    let came: Vec<(&str, String)> = names.map(|name| (*name, joined(headers, name))).collect();
    TraceContext::extract_as(&formats, |name| {
        let (_, value) = came.iter().find(|(known, _)| *known == name)?;
        (!value.is_empty()).then_some(value)
    })
}

/// A list may be spread over several lines. Where one of them is no text, that is seen in what they are together.
fn joined(headers: &HeaderMap, name: &str) -> String {
    let mut joined = String::new();
    for line in headers.get_all(name) {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&String::from_utf8_lossy(line.as_bytes()));
    }
    joined
}

/// Adds the context that this thread is in to the headers of a request, so that what the other program does for it is a
/// part of the same trace: [`current_trace_context`], in the formats that [`extract_headers`] reads. Outside of spans and
/// contexts nothing is added.
///
/// With reqwest: `telemetry_layer::inject_headers(request.headers_mut())`.
pub fn inject_headers(headers: &mut HeaderMap) {
    let Some(context) = current_trace_context() else { return };
    let formats = formats();
    if context.span.is_some() && formats.contains(&Propagator::TraceContext) {
        // Of a request that is handed on with its headers: that state belongs to another parent.
        headers.remove("tracestate");
    }
    context.inject_as(&formats, |name, value| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    });
}

/// Of the layer that sees this thread's spans, else of the collector that is current.
fn formats() -> Vec<Propagator> {
    let of_layer = tracing::dispatcher::get_default(|dispatch| {
        let layer = dispatch.downcast_ref::<TelemetryLayer>()?;
        Some(layer.tracer().sink.propagators().to_vec())
    });
    let current = || Some(Collector::current()?.config().propagators.clone());
    of_layer.or_else(current).unwrap_or_else(|| Propagator::DEFAULT.to_vec())
}
