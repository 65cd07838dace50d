//! Makes connections: settings come in, a link that stands goes out, within the time that the settings give it.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::link::Link;
use super::packets::Packets;
use super::settings::{Place, Settings, Transport};
use super::stream::Stream;
use crate::exporters::tls::{self, Pem};

pub(super) struct Dialer {
    pub(super) settings: Settings,
    tls: Option<Tls>,
}

/// What TLS is made of. It is made anew when the files have changed.
struct Tls {
    name: ServerName<'static>,
    made: RefCell<(Pem, TlsConnector)>,
}

impl Dialer {
    /// Reads the files that the settings name. No connection is made yet.
    pub(super) fn new(settings: Settings) -> Result<Self, String> {
        let tls = match (settings.transport, &settings.place) {
            (Transport::Tls, Place::Host(host, _)) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| format!("`{host}` is no name that a certificate could have"))?;
                let pem = pem(&settings)?;
                let connector = connector(&pem)?;
                Some(Tls { name, made: RefCell::new((pem, connector)) })
            }
            _ => None,
        };
        Ok(Self { settings, tls })
    }

    pub(super) async fn dial(&self) -> Result<Link, Failure> {
        let within = self.settings.connect_timeout;
        timeout(within, self.link(Instant::now() + within)).await.unwrap_or(Err(Failure::Late))
    }

    async fn link(&self, until: Instant) -> Result<Link, Failure> {
        match &self.settings.place {
            Place::Host(host, port) => {
                let addresses: Vec<_> =
                    tokio::net::lookup_host((&**host, *port)).await.map_err(Failure::Name)?.collect();
                match (self.settings.transport, &self.tls) {
                    (Transport::Udp, _) => {
                        let packets = Packets::udp(addresses, self.settings.packet_bytes);
                        packets.map(Link::Packets).map_err(Failure::Refused)
                    }
                    (_, Some(tls)) => {
                        // Before, so that nobody waits for us while a file is read.
                        let connector = tls.connector(&self.settings).await?;
                        let stream = tcp(&addresses, until).await?;
                        let stream = connector.connect(tls.name.clone(), stream).await;
                        stream.map(|stream| Link::Stream(Stream::new(stream))).map_err(Failure::Tls)
                    }
                    (_, None) => Ok(Link::Stream(Stream::new(tcp(&addresses, until).await?))),
                }
            }
            Place::Path(path) => self.on_this_machine(path).await.map_err(Failure::Refused),
        }
    }

    #[cfg(unix)]
    async fn on_this_machine(&self, path: &std::path::Path) -> io::Result<Link> {
        if self.settings.transport.is_packets() {
            return Packets::unix(path, self.settings.packet_bytes).map(Link::Packets);
        }
        let stream = tokio::net::UnixStream::connect(path).await?;
        Ok(Link::Stream(Stream::new(stream)))
    }

    #[cfg(not(unix))]
    async fn on_this_machine(&self, _: &std::path::Path) -> io::Result<Link> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Tls {
    async fn connector(&self, settings: &Settings) -> Result<TlsConnector, Failure> {
        if settings.ca.is_some() || settings.identity.is_some() {
            let settings = settings.clone();
            // A file system may hang; the thread must not.
            let read = tokio::task::spawn_blocking(move || pem(&settings)).await;
            let read = read.map_err(|e| Failure::Files(format!("its files can't be read: {e}")))?;
            let pem = read.map_err(Failure::Files)?;
            let is_news = self.made.borrow().0 != pem;
            if is_news {
                let connector = connector(&pem).map_err(Failure::Files)?;
                *self.made.borrow_mut() = (pem, connector);
            }
        }
        Ok(self.made.borrow().1.clone())
    }
}

fn pem(settings: &Settings) -> Result<Pem, String> {
    Pem::read(settings.ca.as_deref(), settings.identity.as_ref())
}

fn connector(pem: &Pem) -> Result<TlsConnector, String> {
    Ok(TlsConnector::from(Arc::new(tls::config(pem, true)?)))
}

/// To the first of these addresses that answers. Each has its share of the time, so that one that hangs leaves some for the
/// others.
pub(super) async fn tcp(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, Failure> {
    let mut failure = Failure::Name(io::Error::other("it has no address"));
    for (at, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        failure = match timeout(share, TcpStream::connect(address)).await {
            Ok(connected) => match connected.and_then(tuned) {
                Ok(stream) => return Ok(stream),
                Err(e) => Failure::Refused(e),
            },
            Err(_) => Failure::Late,
        };
    }
    Err(failure)
}

/// Where the other side is gone and nobody says so, the kernel would take what is written for a quarter of an hour.
fn tuned(stream: TcpStream) -> io::Result<TcpStream> {
    const PROBE_AFTER: Duration = Duration::from_secs(15);
    // A port of this machine that nobody listens at may be given to us, and then it is ourselves who answer there.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER);
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "linux", target_os = "macos"))]
    let probes = probes.with_interval(PROBE_AFTER).with_retries(3);
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(2 * PROBE_AFTER))?;
    Ok(stream)
}
