//! Packets: whole lines, as many in one as fit. Who reads them says nothing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep};

use super::failure::{Failure, is_end};

/// A socket for packets, which has the address of the other side.
pub(super) struct Packets {
    socket: Socket,
    most: usize,
    /// When the name of the host was, whether or not an address was found.
    pub(super) looked_up: Instant,
}

enum Socket {
    Udp {
        socket: UdpSocket,
        /// All that the name of the host stands for, and which of them is used.
        addresses: Vec<SocketAddr>,
        at: usize,
    },
    #[cfg(unix)]
    Unix(UnixDatagram),
}

impl Packets {
    /// To the first of these addresses that has a way to it; whether somebody listens is not known yet.
    pub(super) fn udp(addresses: Vec<SocketAddr>, most: usize) -> io::Result<Self> {
        let mut end = io::Error::other("it has no address");
        for at in 0..addresses.len() {
            match udp(addresses[at]) {
                Ok(socket) => return Ok(Self::new(Socket::Udp { socket, addresses, at }, most)),
                Err(e) => end = e,
            }
        }
        Err(end)
    }

    #[cfg(unix)]
    pub(super) fn unix(path: &std::path::Path, most: usize) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::new(Socket::Unix(socket), most))
    }

    fn new(socket: Socket, most: usize) -> Self {
        Self { socket, most, looked_up: Instant::now() }
    }

    /// Takes over the addresses of another one. The socket stays where its address is among them.
    pub(super) fn renew(&mut self, new: Self) {
        match (&mut self.socket, new.socket) {
            (Socket::Udp { addresses, at, .. }, Socket::Udp { addresses: now, .. })
                if now.contains(&addresses[*at]) =>
            {
                *at = now.iter().position(|address| *address == addresses[*at]).unwrap_or_default();
                *addresses = now;
            }
            (socket, new) => *socket = new,
        }
    }

    /// Hands all lines to the kernel. Where a host has several addresses and nobody listens at one of them, the next one is given
    /// all of them.
    pub(super) async fn send(&mut self, body: &[u8]) -> Result<(), Failure> {
        let mut left = self.addresses();
        loop {
            left -= 1;
            match self.send_all(body).await {
                Err(Failure::NobodyListens(_)) if left > 0 => self.next_address()?,
                ended => return ended,
            }
        }
    }

    async fn send_all(&self, body: &[u8]) -> Result<(), Failure> {
        for packet in packets(body, self.most) {
            let sent = send_or_again(|| self.socket.send(packet)).await;
            sent.map_err(|e| self.failure(e, packet.len()))?;
        }
        // On this machine it is known at once that nobody listens; from others the answer comes later, and belongs to those before.
        match self.socket.take_error().map_err(Failure::Unsent)? {
            // What was too large was lost on its way, as any packet may be.
            Some(e) if !is_too_large(&e) => Err(self.failure(e, 0)),
            _ => Ok(()),
        }
    }

    fn failure(&self, e: io::Error, bytes: usize) -> Failure {
        match &self.socket {
            _ if is_too_large(&e) => Failure::TooLarge(bytes, e),
            _ if !is_end(&e) => Failure::Unsent(e),
            Socket::Udp { .. } => Failure::NobodyListens(e),
            // Its reader has gone, and another one may have come in its place.
            #[cfg(unix)]
            Socket::Unix(_) => Failure::Broken(e, None),
        }
    }

    fn addresses(&self) -> usize {
        match &self.socket {
            Socket::Udp { addresses, .. } => addresses.len(),
            #[cfg(unix)]
            Socket::Unix(_) => 1,
        }
    }

    fn next_address(&mut self) -> Result<(), Failure> {
        match &mut self.socket {
            Socket::Udp { socket, addresses, at } => {
                *at = (*at + 1) % addresses.len();
                *socket = udp(addresses[*at]).map_err(Failure::Unsent)?;
            }
            #[cfg(unix)]
            Socket::Unix(_) => {}
        }
        Ok(())
    }
}

impl Socket {
    /// One packet. Where the system has no room for it now, it is waited for.
    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        const LONGEST: Duration = Duration::from_millis(50);
        let mut wait = Duration::from_millis(1);
        loop {
            let sent = match self {
                Self::Udp { socket, .. } => socket.send(packet).await,
                #[cfg(unix)]
                Self::Unix(socket) => socket.send(packet).await,
            };
            match sent {
                // The queue of a network card tells nobody when it has room again.
                Err(e) if e.raw_os_error() == Some(NO_BUFFERS) => sleep(wait).await,
                sent => return sent.map(drop),
            }
            wait = LONGEST.min(wait * 2);
        }
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Udp { socket, .. } => socket.take_error(),
            #[cfg(unix)]
            Self::Unix(socket) => socket.take_error(),
        }
    }
}

/// That a packet is too large, the system may say of one before, which was so for a network on its way; then nothing of this one
/// was sent, and its size may be right. Who says it of the same one twice means that.
async fn send_or_again<F: Future<Output = io::Result<()>>>(send: impl Fn() -> F) -> io::Result<()> {
    match send().await {
        Err(e) if is_too_large(&e) => send().await,
        ended => ended,
    }
}

/// `ENOBUFS`, which has no kind of its own.
const NO_BUFFERS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else if cfg!(windows) {
    10055
} else {
    55
};

/// `EMSGSIZE`, which has none either.
const TOO_LARGE: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    90
} else if cfg!(windows) {
    10040
} else {
    40
};

fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(TOO_LARGE)
}

fn udp(to: SocketAddr) -> io::Result<UdpSocket> {
    let own: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    connected(std::net::UdpSocket::bind(own)?, to)
}

fn connected(socket: std::net::UdpSocket, to: SocketAddr) -> io::Result<UdpSocket> {
    socket.connect(to)?;
    // A port of this machine that nobody listens at may be given to us, and then it is ourselves who would read it all.
    if socket.local_addr()? == to {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// A body of lines in packets of at most so many bytes, each of whole lines. A line that is longer has one of its own.
pub(crate) fn packets(body: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let mut end = 0;
        while end < rest.len() {
            let line =
                rest[end..].iter().position(|byte| *byte == b'\n').map_or(rest.len() - end, |at| at + 1);
            if end > 0 && end + line > most {
                break;
            }
            end += line;
        }
        let (packet, behind) = rest.split_at(end);
        rest = behind;
        Some(packet).filter(|packet| !packet.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ended(ends: impl IntoIterator<Item = io::Result<()>>) -> io::Result<()> {
        let ends = std::cell::RefCell::new(ends.into_iter());
        let send = || std::future::ready(ends.borrow_mut().next().expect("it is not sent that often"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(send_or_again(send));
        assert!(ends.borrow_mut().next().is_none());
        ended
    }

    #[test]
    fn what_is_too_large_for_one_before_is_sent_again_once() {
        let too_large = || Err(io::Error::from_raw_os_error(TOO_LARGE));
        ended([Ok(())]).unwrap();
        ended([too_large(), Ok(())]).unwrap();
        assert!(is_too_large(&ended([too_large(), too_large()]).unwrap_err()));
        let other = ended([Err(io::ErrorKind::ConnectionRefused.into())]);
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn nobody_speaks_to_himself() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let own = socket.local_addr().unwrap();
        assert_eq!(connected(socket, own).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    fn packed(body: &str, most: usize) -> Vec<&str> {
        packets(body.as_bytes(), most).map(|packet| std::str::from_utf8(packet).unwrap()).collect()
    }

    #[test]
    fn packets_are_full_and_lines_whole() {
        assert_eq!(packed("a\nb\nc\n", 4), ["a\nb\n", "c\n"]);
        assert_eq!(packed("a\nb\nc\n", 5), ["a\nb\n", "c\n"]);
        assert_eq!(packed("a\nb\nc\n", 6), ["a\nb\nc\n"]);
        assert_eq!(packed("a\nlonger\nb\nc", 4), ["a\n", "longer\n", "b\nc"]);
        assert_eq!(packed("", 4), [""; 0]);
        assert_eq!(packed("\n\n", 1), ["\n", "\n"]);
    }

    proptest! {
        #[test]
        fn nothing_is_torn_or_lost(lines in prop::collection::vec("[a-z]{0,9}\n", 0..40), most in 1..30_usize) {
            let body = lines.concat();
            let all = packed(&body, most);
            prop_assert_eq!(all.concat(), &*body);
            for (at, packet) in all.iter().enumerate() {
                prop_assert!(packet.ends_with('\n'));
                prop_assert!(packet.len() <= most || packet.matches('\n').count() == 1);
                if let Some(next) = all.get(at + 1) {
                    let line = next.find('\n').unwrap() + 1;
                    prop_assert!(packet.len() + line > most, "{:?} has room for the next line", packet);
                }
            }
        }
    }
}
