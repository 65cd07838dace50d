//! What a client is told.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::place::Place;
use super::secret::{Auth, Secret};
use crate::exporters::tls::Identity;

/// Where requests go, and how. Its `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct Settings {
    url: Place,
    pub(super) headers: HeaderMap,
    /// Who we say to be.
    pub(crate) auth: Option<Auth>,
    /// What stands before a token in the header: `Bearer` where nothing is said.
    pub(crate) token_scheme: &'static str,
    /// A file of certificates (PEM) that are trusted beside those of the platform.
    pub(crate) ca: Option<PathBuf>,
    /// Who we are, where the receiver wants to know that of its clients.
    pub(crate) identity: Option<Identity>,
    /// How bodies are compressed: not at all where nothing is said.
    pub(crate) compression: Compression,
    /// A connection, with TLS, has to stand within that time: 5 s where nothing is said. What the whole may take, the route
    /// says.
    pub(crate) connect_timeout: Duration,
    /// `telemetry/` and the version where nothing is said.
    pub(crate) user_agent: String,
    /// So much of an answer is read: 4 MiB where nothing is said.
    pub(crate) max_response_bytes: usize,
    /// 500 and its like are tried again: not where nothing is said, as OTLP forbids it. Other receivers answer so while they
    /// are overloaded.
    pub(crate) retry_server_errors: bool,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By gzip (RFC 1952), level 1.
    Gzip,
    /// By zlib (RFC 1950), which HTTP calls deflate (RFC 9110, 8.4.1.2), level 1.
    Deflate,
    /// By zstd (RFC 8878), level 1.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Settings {
    /// Requests go to that URL, or to paths below it.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|e| format!("its URL is wrong: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}` is neither `http` nor `https`", url.scheme()));
        }
        Ok(Self {
            url: Place(url),
            headers: HeaderMap::new(),
            auth: None,
            token_scheme: "Bearer",
            ca: None,
            identity: None,
            compression: Compression::None,
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("telemetry/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_response_bytes: 4 << 20,
            retry_server_errors: false,
        })
    }

    #[cfg(test)]
    pub(crate) fn url(&self) -> String {
        self.url.0.to_string()
    }

    /// Adds a header to each request, in the place of one of that name.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of `{name}` can't stand in a header"))?;
        value.set_sensitive(true);
        self.headers.insert(known, value);
        Ok(())
    }

    /// Adds an option to the URL of each request, or a word that is one. It is never shown.
    #[cfg(any(feature = "influxdb", feature = "opentsdb"))]
    pub(crate) fn query(&mut self, key: &str, value: Option<&str>) {
        let mut query = self.url.0.query_pairs_mut();
        match value {
            Some(value) => query.append_pair(key, value),
            None => query.append_key_only(key),
        };
    }

    /// Whether a header says who we are.
    #[cfg(feature = "opentsdb")]
    pub(crate) fn has_credentials(&self) -> bool {
        self.headers.contains_key(reqwest::header::AUTHORIZATION)
    }

    /// Whether nobody on the way can read a secret that is not encrypted itself: over TLS, or within this machine.
    #[cfg(feature = "opentsdb")]
    pub(crate) fn keeps_secrets(&self) -> bool {
        self.is_tls() || self.is_loopback()
    }

    /// The URL itself, or what that path is below it.
    pub(super) fn at(&self, path: &str) -> Place {
        let mut url = self.url.0.clone();
        if !path.is_empty()
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.pop_if_empty().extend(path.split('/'));
        }
        Place(url)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.0.scheme() == "https"
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.url.is_loopback()
    }

    /// Whether something has to be read again for each request.
    pub(super) fn has_files(&self) -> bool {
        let secret = self.auth.as_ref().is_some_and(|auth| matches!(auth.secret(), Secret::File(_)));
        secret || self.ca.is_some() || self.identity.is_some()
    }
}
