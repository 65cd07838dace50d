//! `export_endpoints`: a URL goes in, an exporter with the terms of its route comes out.

#[cfg(feature = "console")]
mod console;
mod escape;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "http")]
mod http;
mod list;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(all(test, feature = "full"))]
mod page;
mod place;
mod points;
#[cfg(feature = "prometheus")]
mod prometheus;
mod scheme;
#[cfg(feature = "socket")]
mod socket;
#[cfg(any(feature = "http", feature = "socket"))]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "some of it is for HTTP"))]
mod tls;
#[cfg(any(feature = "http", feature = "socket"))]
mod transport;

use std::error::Error as StdError;

use self::list::SCHEMES;
use self::options::Options;
use super::error::EndpointError;
use super::redaction::{HIDDEN, redacted};
use super::route::{Route, Terms};

pub(crate) use self::escape::{escape, unescape};
pub(crate) use self::list::split_urls;
pub(crate) use self::place::{with_port, without_user};

/// Where a token stands that an endpoint needs and its URL does not have.
pub(crate) const TOKEN: &str = "TELEMETRY_TOKEN";

/// What stands behind the `+` of a scheme, the scheme of HTTP that it is, and the port on this machine, which is that of every
/// other one too where there is no TLS.
#[cfg(feature = "http")]
type Transport = (&'static str, &'static str, u16);

#[cfg(feature = "http")]
const HTTP: Transport = ("http", "http", 80);
#[cfg(feature = "http")]
const HTTPS: Transport = ("https", "https", 443);

/// The parts of an endpoint: `scheme:rest?options`.
#[derive(Debug)]
struct Endpoint<'a> {
    scheme: String,
    rest: &'a str,
    options: Options<'a>,
    /// What the URL does not say, the environment may (`TELEMETRY_TOKEN`).
    #[cfg_attr(not(feature = "opentsdb"), allow(dead_code, reason = "no other endpoint asks"))]
    reads_env: bool,
}

impl<'a> Endpoint<'a> {
    fn parse(url: &'a str) -> Result<Self, String> {
        let missing = || {
            let is_scheme = SCHEMES.contains(&url.to_ascii_lowercase().as_str());
            if is_scheme {
                "a colon is missing at its end".to_owned()
            } else {
                format!("a scheme is missing; {KNOWN}")
            }
        };
        // What stands before the colon may be a user, where there is no scheme.
        let has_scheme = !redacted(url).starts_with(HIDDEN);
        let (scheme, rest) = url.split_once(':').filter(|_| has_scheme).ok_or_else(missing)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let scheme = scheme.to_ascii_lowercase();
        let options =
            Options::parse(query, scheme::options_of(scheme.split('+').next().unwrap_or_default()))?;
        Ok(Self { scheme, rest, options, reads_env: true })
    }

    /// The scheme without its transport.
    fn name(&self) -> &str {
        self.scheme.split('+').next().unwrap_or_default()
    }

    fn end(&self) -> Result<(), (String, Cause)> {
        self.options.end(&self.scheme).map_err(plain)
    }
}

const KNOWN: &str = "known are `chrome-trace:FILE`, `console:`, `console:stderr`, `discard:`, `file:DIR`, `graphite://HOST`, \
                     `http://HOST`, `https://HOST`, `influxdb://HOST`, `librato://HOST`, `opentsdb://HOST`, `otlp://HOST`, \
                     `prometheus://HOST`, `statsd://HOST`";

type Cause = Option<Box<dyn StdError + Send + Sync>>;

/// What was made, or a reason with its cause.
type Made = Result<Route, (String, Cause)>;

fn plain(reason: impl Into<String>) -> (String, Cause) {
    (reason.into(), None)
}

/// Makes the exporter that a URL names. What it needs from the outside (a directory that can be written to)
/// is tried at once.
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
    let terms = terms.map_err(plain)?;
    let route = make(endpoint, &terms)?;
    // Some exporters want one where nothing is said.
    let host_tag = if says_host { terms.host_tag } else { route.terms.host_tag };
    Ok(Route { terms: Terms { host_tag, ..terms }, target: route.target })
}

fn make(endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    match endpoint.name() {
        #[cfg(feature = "otlp")]
        "otlp" => otlp::make(endpoint, terms),
        "graphite" | "influxdb" | "librato" | "opentsdb" | "statsd" => points::make(endpoint, terms),
        name if name != endpoint.scheme && name != "otlp" => {
            Err(plain(format!("`{}` is no known scheme; {KNOWN}", endpoint.scheme)))
        }
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
        known if SCHEMES.contains(&known) => Err(missing(known)),
        other => Err(plain(format!("`{other}` is no known scheme; {KNOWN}"))),
    }
}

/// A feature is not there; the line that adds it.
fn missing(feature: &str) -> (String, Cause) {
    plain(format!(
        "it needs the feature `{feature}`: in Cargo.toml, `telemetry-layer = {{ version = \"{}\", features = [\"{feature}\"] }}`",
        env!("CARGO_PKG_VERSION")
    ))
}

#[cfg(all(test, feature = "console", feature = "file"))]
mod tests;
