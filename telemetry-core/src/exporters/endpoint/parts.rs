//! The parts of an endpoint, and what is said where one of them is wrong. No exporter is known here.

use std::error::Error as StdError;

use super::list::SCHEMES;
use super::options::Options;
use super::scheme::Row;
use crate::exporters::redaction::{HIDDEN, redacted};
use crate::exporters::route::Route;
use crate::exporters::words::did_you_mean;

/// Where a token stands that an endpoint needs and its URL does not have.
pub(crate) const TOKEN: &str = "TELEMETRY_TOKEN";

/// What stands behind the `+` of a scheme, the scheme of HTTP that it is, and the port on this machine, which is that of every
/// other one too where there is no TLS.
#[cfg(feature = "http")]
pub(super) type Transport = (&'static str, &'static str, u16);

#[cfg(feature = "http")]
pub(super) const HTTP: Transport = ("http", "http", 80);
#[cfg(feature = "http")]
pub(super) const HTTPS: Transport = ("https", "https", 443);

/// The parts of an endpoint: `scheme:rest?options`.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) scheme: String,
    pub(super) rest: &'a str,
    pub(super) options: Options<'a>,
    /// What the URL does not say, the environment may (`TELEMETRY_TOKEN`).
    #[cfg_attr(not(feature = "opentsdb"), allow(dead_code, reason = "no other endpoint asks"))]
    pub(super) reads_env: bool,
}

impl<'a> Endpoint<'a> {
    /// Of a scheme, `declared` gives the options.
    pub(super) fn of(url: &'a str, declared: impl FnOnce(&str) -> Vec<&'static Row>) -> Result<Self, String> {
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
        let options = Options::parse(query, declared(scheme.split('+').next().unwrap_or_default()))?;
        Ok(Self { scheme, rest, options, reads_env: true })
    }

    /// The scheme without its transport.
    pub(super) fn name(&self) -> &str {
        self.scheme.split('+').next().unwrap_or_default()
    }

    /// Where it leads to, without secrets; its terms were taken.
    pub(super) fn destination(&self) -> String {
        let mut url = format!("{}:{}", self.scheme, self.rest);
        for (i, (key, value)) in self.options.of_place().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.extend([key, "=", value]);
        }
        redacted(&url)
    }

    pub(super) fn end(&self) -> Result<(), (String, Cause)> {
        self.options.end(&self.scheme).map_err(plain)
    }
}

pub(super) const KNOWN: &str = "known are `chrome-trace:FILE`, `console:`, `console:stderr`, `discard:`, `file:DIR`, `graphite://HOST`, \
                     `http://HOST`, `https://HOST`, `influxdb://HOST`, `librato://HOST`, `opentsdb://HOST`, `otlp://HOST`, \
                     `prometheus://HOST`, `statsd://HOST`";

pub(super) type Cause = Option<Box<dyn StdError + Send + Sync>>;

/// What was made, or a reason with its cause.
pub(super) type Made = Result<Route, (String, Cause)>;

pub(super) fn plain(reason: impl Into<String>) -> (String, Cause) {
    (reason.into(), None)
}

/// A feature is not there; the command that adds it, wherever the crate comes from.
pub(super) fn missing(feature: &str) -> (String, Cause) {
    plain(format!("it needs the feature `{feature}`: `cargo add telemetry-layer --features {feature}`"))
}

/// There is no such scheme; which one may be meant, and those that there are.
pub(super) fn unknown(scheme: &str) -> (String, Cause) {
    let name = scheme.split('+').next().unwrap_or_default();
    plain(format!("`{scheme}` is no known scheme{}; {KNOWN}", did_you_mean(name, &SCHEMES)))
}
