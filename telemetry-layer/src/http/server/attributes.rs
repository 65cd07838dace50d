//! What the conventions tell of a request, read off its head. Nothing here keeps anything, or fails: what a request does
//! not say, or says wrongly, is not told.
//!
//! Source: OpenTelemetry semantic conventions 1.44, "HTTP server span".

use std::borrow::Cow;
use std::net::IpAddr;

use http::request::Parts;
use http::{Version, header};

use super::forwarded;
use super::settings::Settings;

/// What stands for a method that is not known.
pub(super) const OTHER: &str = "_OTHER";

/// `url.scheme`. Only these two: whoever asks could make up others, and each would be a series.
pub(super) fn scheme(head: &Parts, settings: &Settings) -> &'static str {
    let known = |named: &str| ["http", "https"].into_iter().find(|known| named.eq_ignore_ascii_case(known));
    let forwarded = || forwarded::proto(&head.headers).filter(|_| settings.trusts_forwarded);
    forwarded().and_then(known).or_else(|| known(head.uri.scheme_str()?)).unwrap_or(settings.scheme)
}

/// `server.address` and `server.port`: what the client asked for. Without a port it is that of the scheme.
pub(super) fn server<'a>(head: &'a Parts, scheme: &str, settings: &Settings) -> Option<(&'a str, u16)> {
    let forwarded = || forwarded::host(&head.headers).filter(|_| settings.trusts_forwarded);
    let asked = || head.uri.authority().map(http::uri::Authority::as_str);
    let host = || head.headers.get(header::HOST)?.to_str().ok();
    let (host, port) = host_and_port(forwarded().or_else(asked).or_else(host)?)?;
    Some((host, port.unwrap_or(if scheme == "https" { 443 } else { 80 })))
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // A user and a password are nobody's business.
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => match v6.split_once(']')? {
            (host, "") => (host, ""),
            (host, port) => (host, port.strip_prefix(':')?),
        },
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    // The characters of RFC 3986's hosts.
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:".contains(&b);
    (!host.is_empty() && host.bytes().all(is_valid)).then_some((host, port))
}

/// `client.address`, where the program wants it.
pub(super) fn client(head: &Parts, settings: &Settings) -> Option<IpAddr> {
    let peer = settings.client.as_ref()?;
    let forwarded = settings.trusts_forwarded.then(|| forwarded::client(&head.headers)).flatten();
    forwarded.or_else(|| peer(head))
}

/// `user_agent.original`.
pub(super) fn user_agent(head: &Parts) -> Option<Cow<'_, str>> {
    head.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()))
}

/// `network.protocol.version`.
pub(super) fn version(head: &Parts) -> Option<&'static str> {
    match head.version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (authority, read) in [
            ("example.com", Some(("example.com", None))),
            ("example.com:8080", Some(("example.com", Some(8080)))),
            ("example.com:", Some(("example.com", None))),
            ("me:secret@example.com:1", Some(("example.com", Some(1)))),
            ("[::1]", Some(("::1", None))),
            ("[::1]:8080", Some(("::1", Some(8080)))),
            ("[::1", None),
            ("[::1]8080", None),
            ("::1", None),
            ("example.com:http", None),
            ("example.com:65536", None),
            (":80", None),
            ("a b", None),
            ("a/b", None),
            ("caf\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(host_and_port(authority), read, "{authority}");
        }
    }
}
