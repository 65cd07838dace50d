//! Addresses where nobody answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Where nobody listens: an address of its own, so that no other test that takes a free port comes to listen there.
///
/// # Panics
///
/// If there is no port left.
pub fn refusing() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(64).wrapping_add(NEXT.fetch_add(1, Relaxed));
    // macOS has the first address alone.
    let host = if cfg!(target_os = "linux") { 0x7f00_0002 | own & 0x7f_ffff } else { 0x7f00_0001 };
    let listener = TcpListener::bind((Ipv4Addr::from(host), 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Where connections are made and nobody ever says a word, as long as the listener is kept.
///
/// # Panics
///
/// If there is no port left.
pub fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Where no more connections are made, as the queue of those that wait is full; as long as what is returned is kept.
///
/// # Panics
///
/// If the queue can't be filled.
pub fn full() -> (impl Sized, SocketAddr) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("it listens");
    let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("its address");
    let mut waiting = Vec::new();
    for _ in 0..64 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(stream) => waiting.push(stream),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => return ((listener, waiting), address),
            Err(e) => panic!("{e}"),
        }
    }
    panic!("the queue has no end");
}
