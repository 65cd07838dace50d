//! A port that is listened at. A child process closes its copy at once, so the port is free when its parent has ended.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sync::{ForkLock, on_fork};

/// The sockets that this process listens at, by their numbers. Here, so that a child finds them.
static LISTENING: Mutex<Vec<(u64, TcpListener)>> = Mutex::new(Vec::new());

fn listening() -> MutexGuard<'static, Vec<(u64, TcpListener)>> {
    LISTENING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ForkLock for MutexGuard<'static, Vec<(u64, TcpListener)>> {
    fn in_child(&mut self) {
        self.clear();
    }
}

/// Where connections are taken, as long as it is there.
#[derive(Debug)]
pub(crate) struct Listener {
    number: u64,
    address: SocketAddr,
}

impl Listener {
    /// Begins to listen. Port 0 is any that is free.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        static NAMED: AtomicBool = AtomicBool::new(false);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        on_fork(&NAMED, &[|| Box::new(listening())]);
        // Under it, so that no child has the socket without knowing of it.
        let mut listening = listening();
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let number = NEXT.fetch_add(1, Relaxed);
        listening.push((number, socket));
        Ok(Self { number, address })
    }

    /// With the port that was free.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; an error where there is none now.
    #[cfg(unix)]
    pub(super) fn accept(&self) -> io::Result<std::net::TcpStream> {
        let listening = listening();
        let own = listening.iter().find(|(number, _)| *number == self.number);
        let (stream, _) = own.ok_or(io::ErrorKind::NotConnected)?.1.accept()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// What the system calls the socket.
    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> io::Result<std::os::fd::RawFd> {
        use std::os::fd::AsRawFd as _;
        let listening = listening();
        let own = listening.iter().find(|(number, _)| *number == self.number);
        Ok(own.ok_or(io::ErrorKind::NotConnected)?.1.as_raw_fd())
    }

    /// The same socket once more.
    #[cfg(not(unix))]
    pub(super) fn socket(&self) -> io::Result<TcpListener> {
        let listening = listening();
        let own = listening.iter().find(|(number, _)| *number == self.number);
        own.ok_or(io::ErrorKind::NotConnected)?.1.try_clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        listening().retain(|(number, _)| *number != self.number);
    }
}
