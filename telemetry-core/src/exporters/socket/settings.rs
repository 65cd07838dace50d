//! What a connection is told.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::exporters::tls::Identity;

/// How bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A stream.
    Tcp,
    /// A stream that nobody else reads.
    Tls,
    /// Packets.
    Udp,
    /// A stream on this machine.
    Unix,
    /// Packets on this machine.
    UnixDatagram,
}

impl Transport {
    /// Whether it has packets, not a stream.
    pub(crate) fn is_packets(self) -> bool {
        matches!(self, Self::Udp | Self::UnixDatagram)
    }

    /// Whether it has a path, not a host and a port.
    pub(crate) fn is_on_this_machine(self) -> bool {
        matches!(self, Self::Unix | Self::UnixDatagram)
    }
}

/// Where the other side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, without brackets, and a port.
    Host(String, u16),
    /// The path of a Unix socket.
    Path(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where lines go, and how. There is no secret in it but in the files that it names.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) transport: Transport,
    pub(crate) place: Place,
    /// A file of certificates (PEM) that are trusted beside those of the platform.
    pub(crate) ca: Option<PathBuf>,
    /// Who we are, where the receiver wants to know that of its clients.
    pub(crate) identity: Option<Identity>,
    /// The most bytes of a packet.
    pub(crate) packet_bytes: usize,
    /// A connection, with TLS, has to stand within that time: 5 s, which no option changes. What the whole may take, the route
    /// says.
    pub(crate) connect_timeout: Duration,
    /// The name of a host that packets go to is looked up again that often, as nobody says that it has moved: each minute, which
    /// no option changes.
    pub(crate) look_up_every: Duration,
}

/// No packet of UDP holds more: 65,535 less the headers of IPv4 and UDP.
pub(crate) const MOST_PACKET_BYTES: usize = 65_507;

impl Settings {
    pub(crate) fn new(transport: Transport, place: Place) -> Self {
        Self {
            transport,
            place,
            ca: None,
            identity: None,
            packet_bytes: packet_bytes(transport),
            connect_timeout: Duration::from_secs(5),
            look_up_every: Duration::from_mins(1),
        }
    }
}

/// What the clients of `StatsD` and of Datadog agree on, since their servers document it: on Ethernet (1500 bytes) a packet of 1432
/// bytes is not torn, whatever headers are before it; on Unix sockets there is no such limit, and Datadog's agent reads 8192
/// bytes. (Other networks may carry more or less: that is an option.)
fn packet_bytes(transport: Transport) -> usize {
    if transport == Transport::UnixDatagram { 8192 } else { 1432 }
}
