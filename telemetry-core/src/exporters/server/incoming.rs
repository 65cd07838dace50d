//! Connections as they come to a port: waits for the next one on the thread that serves.

use std::io;
use std::net::SocketAddr;

#[cfg(unix)]
use tokio::io::{Interest, unix::AsyncFd};
use tokio::net::TcpStream;

use super::listener::Listener;

/// A port of which a runtime tells when somebody comes.
pub(super) struct Incoming {
    /// Before the socket: the system is asked to forget it while it is open.
    #[cfg(unix)]
    socket: AsyncFd<std::os::fd::RawFd>,
    /// Where there is no fork the runtime may have one of its own.
    #[cfg(not(unix))]
    socket: tokio::net::TcpListener,
    listener: Listener,
}

impl Incoming {
    /// Within a runtime.
    pub(super) fn of(listener: Listener) -> io::Result<Self> {
        // SAFETY: the listener, which goes after it, keeps the socket open, and nobody else closes or replaces it; in a child
        // process, where it is closed, this is never used again.
        #[cfg(unix)]
        #[allow(unsafe_code)]
        // The socket is one of those that a child closes, so it can't belong to the runtime.
        let socket = unsafe { AsyncFd::register_with_interest(listener.descriptor()?, Interest::READABLE) }?;
        #[cfg(not(unix))]
        let socket = tokio::net::TcpListener::from_std(listener.socket()?)?;
        Ok(Self { socket, listener })
    }

    /// The next connection.
    pub(super) async fn next(&self) -> io::Result<TcpStream> {
        #[cfg(unix)]
        loop {
            let mut ready = self.socket.readable().await?;
            if let Ok(accepted) = ready.try_io(|_| self.listener.accept()) {
                return TcpStream::from_std(accepted?);
            }
        }
        #[cfg(not(unix))]
        Ok(self.socket.accept().await?.0)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}
