//! Endpoints over sockets: what stands behind the colon and the options become the settings of a connection.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use super::Endpoint;
use super::escape::unescape;
use super::place::{with_port, without_user};
use super::scheme::{Table, row};
use super::tls::absolute;
use super::transport::named;
use crate::exporters::socket::{MOST_PACKET_BYTES, Place, Settings, Transport};

/// What every endpoint over sockets takes.
pub(super) const PACKETS: Table = Table {
    endpoints: "over UDP and datagrams of Unix sockets",
    rows: &[row(
        "packet_bytes",
        "`1432`; 8192 over a Unix socket",
        "8932",
        "a packet has at most so many bytes, 65507 at most",
    )],
    text: "",
};

impl Endpoint<'_> {
    /// Takes the options that every endpoint over sockets has, for one of these transports: the first one, where none is named.
    /// Where nothing stands behind the colon, it is this machine.
    pub(super) fn socket(
        &mut self,
        transports: &[(&'static str, Transport)],
        port: u16,
    ) -> Result<Settings, String> {
        let (word, transport) = *named(&self.scheme, transports, |(name, _)| name)?;
        let place = if transport.is_on_this_machine() {
            if cfg!(not(unix)) {
                return Err(format!("`+{word}` is a socket of Unix, which this system has not"));
            }
            Place::Path(path(self.rest, &self.scheme)?)
        } else {
            host(self.rest, port)?
        };
        let mut settings = Settings::new(transport, place);
        if transport == Transport::Tls {
            (settings.ca, settings.identity) = self.certificates()?;
        }
        if transport.is_packets()
            && let Some(bytes) = self.options.read("packet_bytes", packet_bytes)?
        {
            settings.packet_bytes = bytes;
        }
        Ok(settings)
    }
}

fn host(rest: &str, port: u16) -> Result<Place, String> {
    let Some(place) = rest.strip_prefix("//").or(rest.is_empty().then_some("")) else {
        return Err("`//` and a host are needed behind the colon".to_owned());
    };
    let (user, place) = without_user(place);
    if user.is_some() {
        return Err("nobody is told a user or a password there".to_owned());
    }
    let place = if place.is_empty() { "localhost" } else { place };
    let place = with_port(place, port);
    let (place, behind) = place.split_at(place.find(['/', '#']).unwrap_or(place.len()));
    // What is wrong may be a password that had to be escaped. The URL is shown beside, without it.
    if !matches!(behind, "" | "/") {
        return Err("nothing may stand behind host and port".to_owned());
    }
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    let number = port.parse().ok().filter(|port| *port > 0);
    let number = number.ok_or("its port is no number from 1 to 65535")?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => ip_v6(address)?,
        None if is_name(host) => host.to_owned(),
        None if host.is_empty() => return Err("a host is missing".to_owned()),
        None => {
            return Err(
                "its host is no name of letters, digits, `-`, `_` and dots, and no `[IPv6]`".to_owned()
            );
        }
    };
    Ok(Place::Host(host, number))
}

/// A name (in Punycode, where it has other letters) or an IPv4 address.
fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// With the interface that a link-local one belongs to, which stands behind `%25` (RFC 6874).
fn ip_v6(text: &str) -> Result<String, String> {
    let address = unescape(text)?;
    let (ip, interface) = address.split_once('%').unwrap_or((&address, "eth0"));
    if ip.parse::<Ipv6Addr>().is_ok() && is_name(interface) {
        return Ok(address);
    }
    Err("what stands in brackets is no IPv6 address".to_owned())
}

/// The path of a Unix socket: `///run/x.sock`, `/run/x.sock`.
fn path(rest: &str, scheme: &str) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(path) if !path.is_empty() && !path.starts_with('/') => {
            return Err(format!("behind `{scheme}://` stands a host; write `{scheme}:///run/NAME.sock`"));
        }
        Some(path) => path,
        None => rest,
    };
    if path.is_empty() {
        return Err(format!("the path of a socket is missing: `{scheme}:///run/NAME.sock`"));
    }
    let path = absolute(Path::new(&unescape(path)?))?;
    is_address(&path).map_err(|e| format!("`{}` is no path of a socket: {e}", path.display()))?;
    Ok(path)
}

/// The kernel takes about 100 bytes.
#[cfg(unix)]
fn is_address(path: &Path) -> std::io::Result<()> {
    std::os::unix::net::SocketAddr::from_pathname(path).map(drop)
}

#[cfg(not(unix))]
fn is_address(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn packet_bytes(text: &str) -> Result<usize, String> {
    let bytes = text.parse().ok().filter(|bytes| (1..=MOST_PACKET_BYTES).contains(bytes));
    bytes.ok_or_else(|| format!("a number of bytes is needed, 1 to {MOST_PACKET_BYTES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[(&str, Transport)] = &[
        ("tcp", Transport::Tcp),
        ("tls", Transport::Tls),
        ("udp", Transport::Udp),
        ("unix", Transport::Unix),
        ("unixgram", Transport::UnixDatagram),
    ];

    fn settings(url: &str) -> Result<Settings, String> {
        let mut endpoint = Endpoint::parse(url)?;
        let settings = endpoint.socket(ALL, 2003)?;
        endpoint.end().map_err(|(reason, _)| reason)?;
        Ok(settings)
    }

    #[test]
    fn a_url_says_where_and_how() {
        for (url, transport, place) in [
            ("graphite:", Transport::Tcp, "localhost:2003"),
            ("graphite://", Transport::Tcp, "localhost:2003"),
            ("graphite://db", Transport::Tcp, "db:2003"),
            ("graphite+tls://db.example_1:1/", Transport::Tls, "db.example_1:1"),
            ("graphite+udp://10.0.0.1", Transport::Udp, "10.0.0.1:2003"),
            ("graphite://[::1]", Transport::Tcp, "[::1]:2003"),
            ("graphite://[fe80::1%25eth0]:7", Transport::Tcp, "[fe80::1%eth0]:7"),
            #[cfg(unix)]
            ("graphite+unix:///run/a%20b.sock", Transport::Unix, "/run/a b.sock"),
            #[cfg(unix)]
            ("graphite+unixgram:/run/x", Transport::UnixDatagram, "/run/x"),
        ] {
            let settings = settings(url).unwrap();
            assert_eq!((settings.transport, &*settings.place.to_string()), (transport, place), "{url}");
        }
        assert_eq!(settings("graphite+udp:?packet_bytes=8932").unwrap().packet_bytes, 8932);
        assert_eq!(settings("graphite+udp:").unwrap().packet_bytes, 1432);
        let tls = settings("graphite+tls:?ca=/a%20b&cert=/c&key=/k").unwrap();
        assert_eq!((tls.ca, tls.identity.unwrap().key), (Some("/a b".into()), "/k".into()));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_wrong_is_named() {
        let long = format!("graphite+unix:///{}", "x".repeat(120));
        for (url, said) in [
            (
                "graphite+http:",
                "`http` is no transport of it; its transports are tcp, tls, udp, unix, unixgram",
            ),
            ("graphite:db", "`//` and a host are needed behind the colon"),
            ("graphite://me:secret@db", "nobody is told a user or a password there"),
            ("graphite+udp://me@db", "nobody is told a user or a password there"),
            ("graphite://db/path", "nothing may stand behind host and port"),
            ("graphite://me:se/cret@db", "nothing may stand behind host and port"),
            ("graphite://db:0", "its port is no number from 1 to 65535"),
            ("graphite://db:65536/", "its port is no number from 1 to 65535"),
            ("graphite://db:", "its port is no number from 1 to 65535"),
            ("graphite://:1", "a host is missing"),
            ("graphite://a b", "its host is no name of letters, digits, `-`, `_` and dots, and no `[IPv6]`"),
            ("graphite://::1", "its host is no name of letters, digits, `-`, `_` and dots, and no `[IPv6]`"),
            ("graphite://[::x]", "what stands in brackets is no IPv6 address"),
            ("graphite://[::1%25a b]", "what stands in brackets is no IPv6 address"),
            ("graphite+unix:", "the path of a socket is missing: `graphite+unix:///run/NAME.sock`"),
            ("graphite+unix://", "the path of a socket is missing: `graphite+unix:///run/NAME.sock`"),
            (
                "graphite+unix://run/x",
                "behind `graphite+unix://` stands a host; write `graphite+unix:///run/NAME.sock`",
            ),
            ("graphite+udp:?packet_bytes=0", "`packet_bytes=0`: a number of bytes is needed, 1 to 65507"),
            (
                "graphite+udp:?packet_bytes=65508",
                "`packet_bytes=65508`: a number of bytes is needed, 1 to 65507",
            ),
            ("graphite+tls:?cert=/c", "`cert` and `key` belong together"),
            ("graphite:?packet_bytes=1", "`graphite:` has no option `packet_bytes`; its options are "),
            ("graphite:?ca=x", "`graphite:` has no option `ca`; its options are "),
        ] {
            assert_eq!(settings(url).unwrap_err(), said, "{url}");
        }
        let said = settings(&long).unwrap_err();
        assert!(said.contains("is no path of a socket") && said.contains("xxx"), "{said}");
        assert!(settings("graphite+unix:///a%00b").is_err());
    }
}
