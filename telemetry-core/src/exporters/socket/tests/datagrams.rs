//! Packets: UDP, and Unix sockets for them.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::*;
use crate::exporters::socket::link::Link;
use crate::exporters::socket::packets::Packets;

async fn receiver() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

async fn packet(from: &UdpSocket) -> String {
    let mut bytes = vec![0; 1 << 16];
    let n = from.recv(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..n].to_vec()).unwrap()
}

#[test]
fn packets_hold_whole_lines() {
    run(async {
        for (address, host) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
            let socket = UdpSocket::bind(address).await.unwrap();
            let place = Place::Host(host.to_owned(), socket.local_addr().unwrap().port());
            let settings = Settings { packet_bytes: 8, ..Settings::new(Transport::Udp, place) };
            let connection = connection(settings);
            assert_eq!(connection.max_packet(), Some(8));
            connection.reach().await.unwrap();
            connection.send(b"a:1|c\nb\nc:2|c\nlonger:1|c\nd\n").await.unwrap();
            for want in ["a:1|c\nb\n", "c:2|c\n", "longer:1|c\n", "d\n"] {
                assert_eq!(packet(&socket).await, want, "{host}");
            }
        }
        assert_eq!(connection(settings(Transport::Tcp, 1)).max_packet(), None);
        assert_eq!(connection(settings(Transport::Udp, 1)).max_packet(), Some(1432));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_who_listens_is_said() {
    run(async {
        // An address of its own, so that nobody else is given the port meanwhile.
        let socket = UdpSocket::bind("127.0.0.2:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let place = Place::Host(at.ip().to_string(), at.port());
        let connection = connection(Settings::new(Transport::Udp, place));
        connection.send(b"a\n").await.unwrap();
        assert_eq!(packet(&socket).await, "a\n");
        drop(socket);
        for _ in 0..2 {
            let said = connection.send(b"b\n").await.unwrap_err();
            assert!(said.is_retryable());
            assert_eq!(
                said.to_string(),
                format!("{at}: nobody listens there: Connection refused (os error 111)")
            );
        }
        // Who is given a port for all addresses has this one for a moment.
        let socket = loop {
            match UdpSocket::bind(at).await {
                Ok(socket) => break socket,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        connection.send(b"c\n").await.unwrap();
        assert_eq!(packet(&socket).await, "c\n");
    });
}

/// Who has a port, but listens to itself alone.
async fn deaf() -> (UdpSocket, SocketAddr) {
    let (socket, port) = receiver().await;
    let at = ([127, 0, 0, 1], port).into();
    socket.connect(at).await.unwrap();
    (socket, at)
}

#[cfg(target_os = "linux")]
#[test]
fn all_addresses_of_a_name_are_tried() {
    run(async {
        let (socket, port) = receiver().await;
        let (_deaf, deaf_at) = deaf().await;
        let addresses = vec![deaf_at, ([127, 0, 0, 1], port).into()];
        let mut packets = Packets::udp(addresses, 4).unwrap();
        packets.send(b"a 1\nb 2\n").await.unwrap();
        packets.send(b"c 3\n").await.unwrap();
        for want in ["a 1\n", "b 2\n", "c 3\n"] {
            assert_eq!(packet(&socket).await, want);
        }
        socket.connect(deaf_at).await.unwrap();
        packets.send(b"d\n").await.unwrap_err();
    });
}

/// Where the next packet comes from.
async fn sender(to: &UdpSocket) -> SocketAddr {
    to.recv_from(&mut [0; 9]).await.unwrap().1
}

#[test]
fn a_name_is_looked_up_again_and_the_socket_stays_where_its_address_does() {
    run(async {
        let (socket, port) = receiver().await;
        let (_other, other_port) = receiver().await;
        let connection =
            connection(Settings { look_up_every: Duration::ZERO, ..settings(Transport::Udp, port) });
        let mut from = Vec::new();
        for _ in 0..3 {
            connection.send(b"a\n").await.unwrap();
            from.push(sender(&socket).await);
        }
        assert!(from.iter().all(|one| *one == from[0]), "{from:?}");
        // The name stood for another one when it was looked up.
        let other = Packets::udp(vec![([127, 0, 0, 1], other_port).into()], 9).unwrap();
        *connection.kept.borrow_mut() = vec![Link::Packets(other)];
        connection.send(b"b\n").await.unwrap();
        assert_ne!(sender(&socket).await, from[0]);
    });
}

#[test]
fn an_address_that_is_still_there_is_used_on_wherever_it_stands() {
    run(async {
        let (socket, port) = receiver().await;
        let (_other, other_port) = receiver().await;
        let [at, other]: [SocketAddr; 2] = [port, other_port].map(|port| ([127, 0, 0, 1], port).into());
        let mut packets = Packets::udp(vec![at], 9).unwrap();
        packets.send(b"a\n").await.unwrap();
        let from = sender(&socket).await;
        packets.renew(Packets::udp(vec![other, at], 9).unwrap());
        packets.send(b"b\n").await.unwrap();
        assert_eq!(sender(&socket).await, from);
    });
}

#[test]
fn a_name_that_can_not_be_looked_up_now_is_not_asked_for_with_each_packet() {
    run(async {
        let (socket, port) = receiver().await;
        let place = Place::Host(format!("{}.invalid", "nobody".repeat(11)), 1);
        let settings = Settings { look_up_every: Duration::ZERO, ..Settings::new(Transport::Udp, place) };
        let connection = connection(settings);
        let packets = Packets::udp(vec![([127, 0, 0, 1], port).into()], 9).unwrap();
        *connection.kept.borrow_mut() = vec![Link::Packets(packets)];
        let looked_up = || match &connection.kept.borrow()[..] {
            [Link::Packets(packets)] => packets.looked_up,
            all => panic!("{} links", all.len()),
        };
        let before = looked_up();
        connection.send(b"a\n").await.unwrap();
        assert_eq!(packet(&socket).await, "a\n");
        assert!(looked_up() > before);
        // Who gives up meanwhile leaves the address to the next one.
        tokio::select! {
            biased;
            _ = connection.send(b"b\n") => {}
            () = std::future::ready(()) => {}
        }
        connection.send(b"c\n").await.unwrap();
        looked_up();
    });
}

#[test]
fn what_the_system_does_not_take_is_not_tried_again() {
    run(async {
        let (_socket, port) = receiver().await;
        let connection = connection(settings(Transport::Udp, port));
        let line = format!("{}\n", "x".repeat(70_000));
        let said = connection.send(line.as_bytes()).await.unwrap_err();
        assert!(!said.is_retryable(), "{said}");
        let begins = format!("127.0.0.1:{port}: a packet of 70001 bytes is more than the system takes");
        assert!(said.to_string().starts_with(&begins), "{said}");
    });
}

#[cfg(unix)]
mod unix {
    use std::path::Path;

    use tokio::net::UnixDatagram;

    use super::*;

    fn connected(path: &Path) -> Connection {
        connection(Settings::new(Transport::UnixDatagram, Place::Path(path.to_owned())))
    }

    async fn packet(from: &UnixDatagram) -> String {
        let mut bytes = vec![0; 1 << 16];
        let n = from.recv(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..n].to_vec()).unwrap()
    }

    #[test]
    fn a_reader_that_comes_back_gets_all_of_the_next_body() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.sock");
            let connection = connected(&path);
            assert_eq!(connection.max_packet(), Some(8192));
            for turn in 0..3 {
                if turn > 0 {
                    let said = connection.send(b"lost\n").await.unwrap_err();
                    assert!(said.is_retryable() && said.to_string().contains(": no connection: "), "{said}");
                    std::fs::remove_file(&path).unwrap();
                }
                let reader = UnixDatagram::bind(&path).unwrap();
                connection.send(b"a\nb\n").await.unwrap();
                assert_eq!(packet(&reader).await, "a\nb\n");
            }
        });
    }

    #[test]
    fn a_reader_that_was_replaced_meanwhile_is_found() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.sock");
            let connection = connected(&path);
            for _ in 0..3 {
                let reader = UnixDatagram::bind(&path).unwrap();
                connection.send(b"a\n").await.unwrap();
                assert_eq!(packet(&reader).await, "a\n");
                std::fs::remove_file(&path).unwrap();
            }
        });
    }

    #[test]
    fn a_reader_that_is_slow_is_waited_for() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.sock");
            let reader = UnixDatagram::bind(&path).unwrap();
            let connection = connected(&path);
            // More than a socket keeps of what nobody reads.
            let line = format!("{}\n", "x".repeat(8000));
            let body = line.repeat(1000);
            let reads = async {
                for _ in 0..1000 {
                    assert!(packet(&reader).await == line);
                }
            };
            let (sent, ()) = tokio::join!(connection.send(body.as_bytes()), reads);
            sent.unwrap();
        });
    }
}
