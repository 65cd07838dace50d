//! What a proxy in front says of a request as its client made it: `Forwarded` (RFC 7239), else `X-Forwarded-*`. It decides
//! not whether that is to be believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

/// The scheme.
pub(super) fn proto(headers: &HeaderMap) -> Option<&str> {
    said(headers, "proto", &HeaderName::from_static("x-forwarded-proto"))
}

/// The host, perhaps with a port.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    said(headers, "host", &HeaderName::from_static("x-forwarded-host"))
}

/// The client, where it is told by its address.
pub(super) fn client(headers: &HeaderMap) -> Option<IpAddr> {
    address(said(headers, "for", &HeaderName::from_static("x-forwarded-for"))?)
}

/// Each proxy adds to the end: the first one saw the client.
fn said<'a>(headers: &'a HeaderMap, parameter: &str, or: &HeaderName) -> Option<&'a str> {
    let first = |name| unquoted(headers.get::<&HeaderName>(name)?.to_str().ok()?, ',').next();
    let forwarded = first(&header::FORWARDED).and_then(|hop| {
        let pairs = unquoted(hop, ';').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(parameter));
        plain(values.next()?.1)
    });
    forwarded.or_else(|| plain(first(or)?))
}

/// The parts between separators that stand outside of quotes.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}

/// A value without its quotes; no scheme, host or address needs an escape.
fn plain(value: &str) -> Option<&str> {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    (!inner.is_empty() && !inner.contains(['"', '\\'])).then_some(inner)
}

/// An address, with or without a port, with or without brackets. `unknown` and hidden names are none.
fn address(node: &str) -> Option<IpAddr> {
    let bracketed = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || node.parse().ok().map(|address: SocketAddr| address.ip());
    node.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_first_proxy_is_the_one_that_saw_the_client() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let headers = headers(lines);
            let text = |said: Option<&str>| said.unwrap_or("-").to_owned();
            let client = client(&headers).map_or("-".to_owned(), |client| client.to_string());
            [text(proto(&headers)), text(host(&headers)), client].join(" ")
        };
        assert_eq!(of(&[]), "- - -");
        let rfc = (
            "forwarded",
            "for=192.0.2.43:80;Proto=https;host=\"shop.example:8443\", for=10.0.0.1;proto=http",
        );
        assert_eq!(of(&[rfc, ("forwarded", "for=10.0.0.2")]), "https shop.example:8443 192.0.2.43");
        let quoted =
            ("forwarded", "host=\"a,b;for=1.1.1.1\"; for=\"[2001:db8:cafe::17]:4711\" ,for=10.0.0.1");
        assert_eq!(of(&[quoted]), "- a,b;for=1.1.1.1 2001:db8:cafe::17");
        let by_custom = [
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-for", "2001:db8::1, 10.0.0.1"),
        ];
        assert_eq!(of(&by_custom), "https shop.example 2001:db8::1");
        // What `Forwarded` says nothing of, or nothing usable, the others may say.
        assert_eq!(
            of(&[&by_custom[..], &[("forwarded", "for=1.2.3.4;proto=\"\\\"\"")]].concat()),
            "https shop.example 1.2.3.4"
        );
        for hidden in ["for=unknown", "for=_gazonk", "for=", "for", "=", "for=\"[::1\"", "for=1.2.3.4.5"] {
            assert_eq!(of(&[("forwarded", hidden)]), "- - -", "{hidden}");
        }
    }
}
