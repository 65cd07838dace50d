//! Addresses where nobody answers.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Where nobody listens.
///
/// # Panics
///
/// If there is no port left.
pub fn refusing() -> SocketAddr {
    silent().1
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
