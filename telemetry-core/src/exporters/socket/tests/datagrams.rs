//! Packets: UDP, and Unix sockets for them.

use tokio::net::UdpSocket;

use super::*;
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
        let (socket, port) = receiver().await;
        let connection = connection(settings(Transport::Udp, port));
        connection.send(b"a\n").await.unwrap();
        assert_eq!(packet(&socket).await, "a\n");
        drop(socket);
        for _ in 0..2 {
            let said = connection.send(b"b\n").await.unwrap_err();
            assert!(said.is_retryable());
            let want = format!("127.0.0.1:{port}: nobody listens there: Connection refused (os error 111)");
            assert_eq!(said.to_string(), want);
        }
        let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
        connection.send(b"c\n").await.unwrap();
        assert_eq!(packet(&socket).await, "c\n");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn all_addresses_of_a_name_are_tried() {
    run(async {
        let (socket, port) = receiver().await;
        let (gone, gone_port) = receiver().await;
        drop(gone);
        let addresses = [gone_port, port].map(|port| ([127, 0, 0, 1], port).into());
        let mut packets = Packets::udp(addresses.to_vec(), 4).unwrap();
        packets.send(b"a 1\nb 2\n").await.unwrap();
        packets.send(b"c 3\n").await.unwrap();
        for want in ["a 1\n", "b 2\n", "c 3\n"] {
            assert_eq!(packet(&socket).await, want);
        }
        drop(socket);
        packets.send(b"d\n").await.unwrap_err();
    });
}

#[test]
fn a_name_is_looked_up_again() {
    run(async {
        let (socket, port) = receiver().await;
        let often = settings(Transport::Udp, port);
        let seldom = connection(often.clone());
        let often = connection(Settings { look_up_every: Duration::ZERO, ..often });
        let mut bytes = [0; 9];
        for (connection, is_same) in [(often, false), (seldom, true)] {
            let mut from = Vec::new();
            for _ in 0..2 {
                connection.send(b"a\n").await.unwrap();
                from.push(socket.recv_from(&mut bytes).await.unwrap().1);
            }
            assert_eq!(from[0] == from[1], is_same, "{from:?}");
        }
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
