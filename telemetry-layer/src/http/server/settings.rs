//! What a layer for HTTP servers was told, by code and by the environment. It reads no request.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, Method};
use telemetry_core::__private::warn_once;
use telemetry_core::model::Text;

use super::request_span::RequestSpan;

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) methods: Arc<[Method]>,
    /// What the scheme is where a request does not say it.
    pub(super) scheme: &'static str,
    pub(super) trusts_forwarded: bool,
    /// Keys of queries whose values are not to be seen, beside those of the conventions.
    pub(super) sensitive: Vec<Text>,
    pub(super) skip: Option<Hook<Skip>>,
    pub(super) client: Option<Hook<Client>>,
    pub(super) on_request: Option<Hook<OnRequest>>,
    pub(super) trace_id_header: Option<HeaderName>,
}

/// Whether a request is left out.
type Skip = dyn Fn(&Parts) -> bool + Send + Sync;
/// The address of the client.
type Client = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;
/// Says more of a request.
type OnRequest = dyn Fn(&Parts, &RequestSpan) + Send + Sync;

/// A function of the program.
pub(super) struct Hook<F: ?Sized>(pub(super) Arc<F>);

impl<F: ?Sized> Clone for Hook<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: ?Sized> fmt::Debug for Hook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl<F: ?Sized> Deref for Hook<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

/// Those of RFC 9110, PATCH of RFC 5789, and QUERY.
const METHODS: [Method; 10] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::PATCH,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
    Method::QUERY,
];

const KNOWN_METHODS: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

impl Settings {
    /// As OpenTelemetry's variable has it.
    pub(super) fn from_env() -> Self {
        let methods = std::env::var_os(KNOWN_METHODS).and_then(|list| listed(&list.to_string_lossy()));
        Self {
            methods: methods.map_or_else(|| Arc::new(METHODS) as Arc<[Method]>, Into::into),
            scheme: "http",
            trusts_forwarded: false,
            sensitive: Vec::new(),
            skip: None,
            client: None,
            on_request: None,
            trace_id_header: None,
        }
    }

    /// The method of a request, if it is a known one: others would each be a series.
    pub(super) fn known(&self, method: &Method) -> Option<Method> {
        self.methods.contains(method).then(|| method.clone())
    }
}

/// The methods of a list, which says all that are known; none where it is empty.
fn listed(list: &str) -> Option<Vec<Method>> {
    let mut methods = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match Method::from_bytes(name.as_bytes()) {
            Ok(method) => methods.push(method),
            Err(_) => {
                warn_once(format_args!("`{KNOWN_METHODS}`: {name:?} is no HTTP method; it is left out"));
            }
        }
    }
    (!methods.is_empty()).then_some(methods)
}
