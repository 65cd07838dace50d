mod datagrams;
mod streams;
mod tls;

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::{TcpListener, TcpSocket};

use super::{Connection, Place, Settings, Transport};

const SOON: Duration = Duration::from_secs(30);

/// In a runtime as that of an exporter.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(SOON, test).await.expect("it ends soon") });
    runtime.shutdown_background();
}

fn settings(transport: Transport, port: u16) -> Settings {
    Settings::new(transport, Place::Host("127.0.0.1".to_owned(), port))
}

fn connection(settings: Settings) -> Connection {
    Connection::new(settings).unwrap()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port that nobody listens at, and who keeps it from others.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// The next line, without its end; none where the other side has closed.
async fn line(from: &mut BufReader<impl AsyncRead + Unpin>) -> Option<String> {
    let mut line = String::new();
    from.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    Some(line.trim_end().to_owned())
}
