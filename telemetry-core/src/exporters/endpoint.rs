//! `export_endpoints`: a URL goes in, an exporter with the terms of its route comes out.

#[cfg(feature = "console")]
mod console;
mod declared;
mod escape;
#[cfg(feature = "file")]
mod file;
mod home;
#[cfg(feature = "http")]
mod http;
mod list;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(all(test, feature = "full"))]
mod page;
mod parts;
mod place;
mod points;
#[cfg(feature = "prometheus")]
mod prometheus;
mod scheme;
#[cfg(feature = "socket")]
#[cfg_attr(
    not(any(feature = "graphite", feature = "statsd")),
    allow(dead_code, reason = "packets, or all of it, are for one of them")
)]
mod socket;
#[cfg(any(feature = "http", feature = "socket"))]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "some of it is for HTTP"))]
mod tls;
#[cfg(any(feature = "http", feature = "socket"))]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "no endpoint over sockets may be there"))]
mod transport;

use self::list::SCHEMES;
use self::parts::{Endpoint, Made, missing, plain, unknown};
#[cfg(feature = "http")]
use self::parts::{HTTP, HTTPS, Transport};
use super::error::EndpointError;
use super::route::{Route, Terms};

pub(crate) use self::escape::{escape, unescape};
pub(crate) use self::list::split_urls;
pub(crate) use self::parts::TOKEN;
pub(crate) use self::place::{with_port, without_user};

/// Makes the exporter that a URL names. [`Builder::endpoint`](crate::Builder::endpoint) and the variable
/// `TELEMETRY_EXPORT_ENDPOINTS` take the same URLs; here more can be said of one:
///
/// ```
/// use telemetry_core::Collector;
/// use telemetry_core::exporters::from_url;
///
/// let quiet = from_url("discard:?min_level=warn&tag=env:prod")?.name("quiet");
/// let collector = Collector::builder().exporter(quiet).start()?;
/// # drop(collector);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If there is no such exporter, if it has no such option, or if what it needs from the outside is not there (a directory that can
/// be written to, a file of certificates), which is tried at once. Whether a server is there, the collector looks when it starts
/// ([`Config::check_at_start`](crate::Config::check_at_start)).
///
/// # Endpoints
///
#[doc = include_str!("endpoint/endpoints.md")]
pub fn from_url(url: &str) -> Result<Route, EndpointError> {
    named(url, true)
}

/// The same. What a URL does not say is looked for in `TELEMETRY_*` only where that is wanted.
pub(crate) fn named(url: &str, reads_env: bool) -> Result<Route, EndpointError> {
    let url = url.trim();
    route(url, reads_env).map_err(|(reason, source)| EndpointError::new(url, reason, source))
}

fn route(url: &str, reads_env: bool) -> Made {
    let mut endpoint = Endpoint { reads_env, ..Endpoint::parse(url).map_err(plain)? };
    let says_host = endpoint.options.has("host_tag");
    let terms = match endpoint.name() {
        "prometheus" => endpoint.options.terms_of_any(),
        _ => endpoint.options.terms(),
    };
    let mut terms = terms.map_err(plain)?;
    terms.destination = Some(endpoint.destination());
    let route = make(endpoint, &terms)?;
    // Some exporters want one where nothing is said.
    let host_tag = if says_host { terms.host_tag } else { route.terms.host_tag };
    Ok(Route { terms: Terms { host_tag, ..terms }, target: route.target })
}

impl<'a> Endpoint<'a> {
    /// With the options that are declared of its scheme.
    fn parse(url: &'a str) -> Result<Self, String> {
        Self::of(url, declared::options_of)
    }
}

fn make(endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    match endpoint.name() {
        #[cfg(feature = "otlp")]
        "otlp" => otlp::make(endpoint, terms),
        "graphite" | "influxdb" | "librato" | "opentsdb" | "statsd" => points::make(endpoint, terms),
        name if name != endpoint.scheme && name != "otlp" => Err(unknown(&endpoint.scheme)),
        "discard" if !matches!(endpoint.rest, "" | "//") => Err(plain("nothing may stand behind `discard:`")),
        "discard" => {
            endpoint.end()?;
            Ok(super::Discard::new().into())
        }
        #[cfg(feature = "console")]
        "console" => console::make(endpoint),
        #[cfg(feature = "file")]
        "file" => file::make(endpoint),
        #[cfg(feature = "chrome-trace")]
        "chrome-trace" => file::make_chrome_trace(endpoint),
        #[cfg(feature = "prometheus")]
        "prometheus" => prometheus::make(endpoint),
        #[cfg(feature = "http")]
        "http" => http::make(endpoint, HTTP),
        #[cfg(feature = "http")]
        "https" => http::make(endpoint, HTTPS),
        // There, `http` is the trace context in headers.
        #[cfg(not(feature = "http"))]
        "http" | "https" => Err(missing("http-exporter")),
        #[cfg(not(feature = "otlp"))]
        "otlp" if endpoint.scheme.contains("+grpc") => Err(missing("otlp-grpc")),
        known if SCHEMES.contains(&known) => Err(missing(known)),
        other => Err(unknown(other)),
    }
}

#[cfg(all(test, feature = "console", feature = "file"))]
mod tests;
