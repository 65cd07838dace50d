//! Streams: TCP and Unix sockets.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::*;
use crate::exporters::socket::dialer::tcp;
use crate::exporters::socket::heard::Heard;
use crate::exporters::socket::link::Link;
use crate::exporters::socket::stream::Stream;

/// More than a kernel takes of what nobody reads.
const MUCH: usize = 16 << 20;

fn much() -> Vec<u8> {
    let mut body = vec![b'x'; MUCH - 1];
    body.push(b'\n');
    body
}

async fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    BufReader::new(listener.accept().await.unwrap().0)
}

/// Reads a body of [`much`].
async fn read_much(from: &mut BufReader<TcpStream>) {
    let mut body = vec![0; MUCH];
    from.read_exact(&mut body).await.unwrap();
    assert!(body == much(), "it is whole");
}

#[test]
fn one_connection_is_used_again() {
    run(async {
        for (address, host) in
            [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("127.0.0.1:0", "localhost")]
        {
            let listener = TcpListener::bind(address).await.unwrap();
            let place = Place::Host(host.to_owned(), listener.local_addr().unwrap().port());
            let connection = connection(Settings::new(Transport::Tcp, place));
            connection.reach().await.unwrap();
            for body in ["a 1\n", "b 2\nc 3\n"] {
                connection.send(body.as_bytes()).await.unwrap();
            }
            let mut peer = accept(&listener).await;
            for want in ["a 1", "b 2", "c 3"] {
                assert_eq!(line(&mut peer).await.unwrap(), want, "{host}");
            }
            drop(connection);
            assert_eq!(line(&mut peer).await, None);
        }
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_a_stream_too() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let connection = connection(Settings::new(Transport::Unix, Place::Path(path.clone())));
        let said = connection.send(b"a\n").await.unwrap_err();
        assert!(said.is_retryable(), "{said}");
        assert_eq!(
            said.to_string(),
            format!("{}: no connection: No such file or directory (os error 2)", path.display())
        );
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        connection.send(b"a\n").await.unwrap();
        connection.send(b"b\n").await.unwrap();
        let mut peer = BufReader::new(listener.accept().await.unwrap().0);
        assert_eq!(line(&mut peer).await.unwrap(), "a");
        assert_eq!(line(&mut peer).await.unwrap(), "b");
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_replaced() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        for body in ["a\n", "b\n", "c\n"] {
            connection.send(body.as_bytes()).await.unwrap();
            let mut peer = accept(&listener).await;
            assert_eq!(line(&mut peer).await.unwrap(), body.trim_end());
            // It is closed here.
        }
    });
}

#[test]
fn a_body_that_a_connection_broke_in_is_sent_again() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let server = async {
            let mut first = accept(&listener).await;
            assert_eq!(line(&mut first).await.unwrap(), "a");
            // It is in the middle of the next one.
            first.read_u8().await.unwrap();
            drop(first);
            let mut second = accept(&listener).await;
            read_much(&mut second).await;
            second
        };
        let client = async {
            connection.send(b"a\n").await.unwrap();
            connection.send(&much()).await.unwrap();
        };
        tokio::join!(server, client);
    });
}

#[test]
fn a_new_connection_that_breaks_is_an_error() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let server = async {
            let mut peer = accept(&listener).await;
            peer.read_u8().await.unwrap();
            peer.write_all(b"HTTP/1.1 400 Bad Request\r\n").await.unwrap();
            peer.flush().await.unwrap();
            peer
        };
        let body = much();
        let client = async {
            let mut attempt = Box::pin(connection.send(&body));
            let peer = tokio::select! {
                ended = &mut attempt => panic!("nobody reads it: {ended:?}"),
                peer = server => peer,
            };
            drop(peer);
            attempt.await.unwrap_err()
        };
        let said = client.await;
        assert!(said.is_retryable(), "{said}");
        let text = said.to_string();
        assert!(text.starts_with(&format!("127.0.0.1:{port}: the connection broke: ")), "{text}");
    });
}

/// A connection that the other side closes as soon as something was written.
struct Deaf {
    says: &'static [u8],
    is_written: bool,
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.is_written {
            return Poll::Pending;
        }
        into.put_slice(std::mem::take(&mut self.says));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.is_written = true;
        Poll::Ready(Ok(bytes.len().min(3)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_is_closed_right_behind_a_body_may_not_have_read_it() {
    run(async {
        let heard = RefCell::<Heard>::default();
        let mut stream = Stream::new(Deaf { says: b"HTTP/1.1 400 Bad Request\r\n", is_written: false });
        stream.look(&heard).await.unwrap();
        let end = stream.send(b"a 1 2\n", &heard).await.unwrap_err();
        let failure = stream.broken(end);
        assert!(failure.is_end());
        let said = failure.error(&Place::Host("h".to_owned(), 1));
        assert!(said.is_retryable());
        assert_eq!(
            said.to_string(),
            "h:1: the connection broke: the other side closed it; it said: HTTP/1.1 400 Bad Request"
        );
    });
}

#[test]
fn who_closes_each_connection_at_once_takes_nothing() {
    run(async {
        let (listener, port) = listener().await;
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let connection = connection(settings(Transport::Tcp, port));
        let said = loop {
            if let Err(said) = connection.send(b"a\n").await {
                break said;
            }
        };
        assert!(said.is_retryable() && said.to_string().contains(": the connection broke: "), "{said}");
    });
}

#[test]
fn whoever_is_not_there_is_named() {
    run(async {
        let (_socket, port) = closed_port();
        let connection = connection(settings(Transport::Tcp, port));
        for said in [connection.send(b"a\n").await.unwrap_err(), connection.reach().await.unwrap_err()] {
            assert!(said.is_retryable());
            let want = format!("127.0.0.1:{port}: no connection: {}", refused().await);
            assert_eq!(said.to_string(), want);
        }
    });
}

/// What this system says of it.
async fn refused() -> std::io::Error {
    let (_socket, port) = closed_port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap_err()
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    run(async {
        let place = Place::Host(format!("{}.invalid", "nobody".repeat(11)), 1);
        let said = connection(Settings::new(Transport::Tcp, place)).reach().await.unwrap_err();
        assert!(said.is_retryable());
        assert!(said.to_string().contains(".invalid:1: the name of the host can't be looked up: "), "{said}");
    });
}

/// A port whose queue of connections is full, and what fills it.
#[cfg(target_os = "linux")]
async fn full() -> (socket2::Socket, std::net::SocketAddr, Vec<TcpStream>) {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let (mut all, mut late) = (Vec::new(), 0);
    // One that is late may have been so for another reason.
    while late < 2 {
        match timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            Ok(stream) => {
                all.push(stream.unwrap());
                late = 0;
            }
            Err(_) => late += 1,
        }
    }
    (socket, address, all)
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_hangs_leaves_time_for_the_next_one() {
    run(async {
        let (_socket, hangs, _streams) = full().await;
        let connection = connection(Settings {
            connect_timeout: Duration::from_millis(50),
            ..settings(Transport::Tcp, hangs.port())
        });
        let said = connection.send(b"a\n").await.unwrap_err();
        assert!(said.is_retryable());
        assert_eq!(said.to_string(), format!("{hangs}: no connection within the time-out"));
        let (listener, port) = listener().await;
        let (_closed, refuses) = closed_port();
        let refuses = ([127, 0, 0, 1], refuses).into();
        let good = ([127, 0, 0, 1], port).into();
        let stream = tcp(&[refuses, hangs, good], Instant::now() + Duration::from_secs(2)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        drop(listener);
    });
}

#[test]
fn what_the_other_side_says_is_heard_without_waiting() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        connection.send(b"put x\n").await.unwrap();
        assert_eq!(connection.heard(), [""; 0]);
        let mut peer = accept(&listener).await;
        line(&mut peer).await.unwrap();
        peer.write_all(b"put: illegal argument: \x1b[31mno\n\nput: un").await.unwrap();
        connection.send(b"put y\n").await.unwrap();
        assert_eq!(connection.heard(), ["put: illegal argument: \\u{1b}[31mno"]);
        peer.write_all(b"known\n").await.unwrap();
        connection.send(b"put z\n").await.unwrap();
        assert_eq!(connection.heard(), ["put: unknown"]);
    });
}

/// The other one says it once more.
#[test]
fn what_is_said_of_a_body_that_another_connection_gets_again_does_not_count() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let deaf = Stream::new(Deaf { says: b"put: no\n", is_written: false });
        connection.kept.borrow_mut().push(Link::Stream(deaf));
        connection.send(b"put x\n").await.unwrap();
        assert_eq!(connection.heard(), [""; 0]);
        let mut peer = accept(&listener).await;
        assert_eq!(line(&mut peer).await.as_deref(), Some("put x"));
        peer.write_all(b"put: no\n").await.unwrap();
        connection.send(b"put y\n").await.unwrap();
        assert_eq!(connection.heard(), ["put: no"]);
    });
}

#[test]
fn who_talks_before_it_listens_is_listened_to() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let server = async {
            let mut peer = accept(&listener).await;
            peer.write_all(&much()).await.unwrap();
            peer.write_all(&b"no\n".repeat(10_000)).await.unwrap();
            read_much(&mut peer).await;
            peer
        };
        let body = much();
        let (sent, _peer) = tokio::join!(connection.send(&body), server);
        sent.unwrap();
        // Each attempt reads some of it.
        let lines = loop {
            let lines = connection.heard();
            if !lines.is_empty() {
                break lines;
            }
            connection.send(b"a\n").await.unwrap();
        };
        assert!(lines.len() < 100 && lines.iter().map(String::len).sum::<usize>() < 2000, "{lines:?}");
        assert!(lines[0].starts_with("xxx") && lines[0].ends_with(" .."), "{lines:?}");
    });
}

#[test]
fn who_never_stops_to_talk_gets_its_body_all_the_same() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let server = async {
            let (mut reader, mut writer) = listener.accept().await.unwrap().0.into_split();
            let words = vec![b'x'; 1 << 16];
            let talks = tokio::spawn(async move { while writer.write_all(&words).await.is_ok() {} });
            let mut body = vec![0; MUCH];
            reader.read_exact(&mut body).await.unwrap();
            [talks]
        };
        let body = much();
        let (sent, [talks]) = tokio::join!(connection.send(&body), server);
        sent.unwrap();
        connection.send(b"a\n").await.unwrap();
        assert_eq!(connection.heard(), [""; 0], "its line is not over");
        drop(connection);
        talks.await.unwrap();
    });
}

#[test]
fn an_attempt_that_is_let_go_of_leaves_no_half_line() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        connection.send(b"a\n").await.unwrap();
        let mut first = accept(&listener).await;
        let body = much();
        timeout(Duration::from_millis(50), connection.send(&body)).await.expect_err("nobody reads it");
        connection.send(b"b\n").await.unwrap();
        assert_eq!(line(&mut accept(&listener).await).await.unwrap(), "b");
        assert_eq!(line(&mut first).await.unwrap(), "a");
    });
}

#[test]
fn attempts_side_by_side_have_connections_of_their_own() {
    run(async {
        let (listener, port) = listener().await;
        let connection = connection(settings(Transport::Tcp, port));
        let body = much();
        let server = async {
            let mut peers = [accept(&listener).await, accept(&listener).await];
            for peer in &mut peers {
                read_much(peer).await;
            }
            peers
        };
        let (one, other, mut peers) = tokio::join!(connection.send(&body), connection.send(&body), server);
        one.and(other).unwrap();
        // Both are kept: nobody else has to be accepted.
        let server = async {
            for peer in &mut peers {
                read_much(peer).await;
            }
        };
        let (one, other, ()) = tokio::join!(connection.send(&body), connection.send(&body), server);
        one.and(other).unwrap();
    });
}

#[test]
fn nothing_at_all_is_no_attempt() {
    run(async {
        let (_socket, port) = closed_port();
        let connection = connection(settings(Transport::Tcp, port));
        connection.send(b"").await.unwrap();
        assert!(format!("{connection:?}").starts_with("Connection { settings: Settings { transport: Tcp"));
    });
}
