//! Where requests go, as it may be shown.

use std::fmt;

use reqwest::Url;

/// A URL. It prints neither user, password, query nor fragment: each of them may be a secret.
#[derive(Clone)]
pub(super) struct Place(pub(super) Url);

impl Place {
    /// This machine, which no proxy stands in front of.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        ip || host == "localhost" || host.ends_with(".localhost")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        url.set_query(None);
        url.set_fragment(None);
        // These fail where a URL has no host, and so none of both.
        let _ = (url.set_username(""), url.set_password(None));
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
