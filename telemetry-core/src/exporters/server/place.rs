//! Where a page is: `host[:port][/path]` goes in; what is listened at, and the path, come out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

/// So long a path may be.
const MOST_OF_PATH: usize = 256;

/// A host, a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    host: String,
    port: u16,
    path: String,
}

impl Place {
    /// Reads it; what is missing is as in `default`.
    pub(crate) fn parse(text: &str, (port, path): (u16, &str)) -> Result<Self, String> {
        let (authority, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
        if authority.contains('@') {
            return Err("it can't have a user: whoever reaches the port may read the page".to_owned());
        }
        let path = if rest.len() > 1 { rest } else { path };
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"?#"<>\^`{|}"#.contains(&byte);
        if path.len() > MOST_OF_PATH || !path.bytes().all(is_plain) {
            return Err(format!("its path is no path of a URL, of {MOST_OF_PATH} bytes at most"));
        }
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            None => (authority, port),
            Some((host, port)) => {
                let number = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
                let number = number.and_then(|port| port.parse().ok());
                (
                    host,
                    number
                        .ok_or_else(|| format!("`{port}` is no port: a number from 0 to 65535 is needed"))?,
                )
            }
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if bare.contains(':') && bare.len() == host.len() {
            return Err(format!("an address of IPv6 stands in brackets: `[{host}]`"));
        }
        if bare.is_empty() {
            return Err("a host is missing; `0.0.0.0` is every address of this machine".to_owned());
        }
        Ok(Self { host: bare.to_ascii_lowercase(), port, path: path.to_owned() })
    }

    /// What is listened at. A name may have to be looked up, which may take long.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        // Whoever looks the name up finds this one, with IPv6 or without.
        if self.host == "localhost" {
            return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port));
        }
        let mut found = (&*self.host, self.port).to_socket_addrs()?;
        found.next().ok_or_else(|| std::io::Error::other("the host has no address"))
    }

    /// The system picks the port.
    pub(crate) fn has_any_port(&self) -> bool {
        self.port == 0
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, path } = self;
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}{path}")
        } else {
            write!(f, "http://{host}:{port}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: (u16, &str) = (9464, "/metrics");

    #[test]
    fn what_is_missing_is_as_the_default() {
        for (text, want) in [
            ("localhost", "http://localhost:9464/metrics"),
            ("LocalHost:0", "http://localhost:0/metrics"),
            ("10.0.0.1/", "http://10.0.0.1:9464/metrics"),
            ("[::1]/m", "http://[::1]:9464/m"),
            ("[::]:80/a/b", "http://[::]:80/a/b"),
            ("h:65535/a:1", "http://h:65535/a:1"),
        ] {
            assert_eq!(Place::parse(text, DEFAULT).unwrap().to_string(), want);
        }
        let local = Place::parse("localhost:7", DEFAULT).unwrap().address().unwrap();
        assert_eq!(local.to_string(), "127.0.0.1:7");
        assert_eq!(Place::parse("[::1]:7", DEFAULT).unwrap().address().unwrap().to_string(), "[::1]:7");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, want) in [
            ("", "a host is missing"),
            (":9464", "a host is missing"),
            ("h:http", "`http` is no port"),
            ("h:+1", "`+1` is no port"),
            ("h:65536", "`65536` is no port"),
            ("h:", "`` is no port"),
            ("::1", "in brackets"),
            ("me:pw@h", "can't have a user"),
            ("h/a b", "no path"),
            ("h/a\r\nb", "no path"),
            ("h/\"><script>", "no path"),
        ] {
            let said = Place::parse(text, DEFAULT).unwrap_err();
            assert!(said.contains(want), "{text}: {said}");
        }
        assert!(Place::parse(&format!("h/{}", "a".repeat(256)), DEFAULT).is_err());
    }
}
