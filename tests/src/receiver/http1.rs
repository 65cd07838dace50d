//! HTTP/1.1 on one connection, byte by byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::server::Shared;
use super::{Act, rpc};

/// Serves a connection until it ends.
pub(super) fn serve(shared: &Arc<Shared>, tcp: &TcpStream, connection: u32) -> io::Result<()> {
    match &shared.setup.tls {
        None => speak(shared, tcp, tcp.try_clone()?, connection),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            speak(shared, tcp, StreamOwned::new(session, tcp.try_clone()?), connection)
        }
    }
}

fn speak(shared: &Shared, tcp: &TcpStream, stream: impl Read + Write, connection: u32) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((path, headers)) = head(&mut stream)? {
        let mut body = vec![0; length(&headers)];
        if !body.is_empty() && shared.cuts_one() {
            let half = body.len() / 2;
            stream.read_exact(&mut body[..half])?;
            return reset(tcp);
        }
        stream.read_exact(&mut body)?;
        if headers.contains("content-encoding: gzip") {
            body = rpc::gunzipped(&body)?;
        }
        let Some(act) = shared.act(path, headers, &body, connection) else { return Ok(()) };
        if !perform(act, &mut stream, tcp)? {
            break;
        }
    }
    Ok(())
}

/// Does that, and says whether the connection goes on.
fn perform(act: Act, stream: &mut BufReader<impl Read + Write>, tcp: &TcpStream) -> io::Result<bool> {
    let out = stream.get_mut();
    match act {
        Act::Answer(answer) => out.write_all(&answer.bytes()).map(|()| true),
        Act::AnswerInBits(answer) => {
            tcp.set_nodelay(true)?;
            for byte in answer.bytes() {
                out.write_all(&[byte])?;
                std::thread::yield_now();
            }
            Ok(true)
        }
        Act::AnswerWhen(gate, answer) => {
            let bytes = answer.bytes();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            out.write_all(first)?;
            gate.wait();
            out.write_all(second).map(|()| true)
        }
        Act::AnswerAndClose(answer) => out.write_all(&answer.bytes()).map(|()| false),
        Act::AnswerAndEnd(answer) => {
            out.write_all(&answer.header("connection", "close").bytes()).map(|()| false)
        }
        Act::ResetStream(_) => Ok(false),
        Act::Close(begin) => out.write_all(&begin).map(|()| false),
        Act::Reset(begin) => {
            out.write_all(&begin)?;
            reset(tcp).map(|()| false)
        }
        Act::Hang(begin) => {
            out.write_all(&begin)?;
            // Until the other side goes, or the receiver ends.
            stream.read(&mut [0]).map(|_| false)
        }
    }
}

/// The path and the headers of the next request, if there is one.
fn head(stream: &mut impl BufRead) -> io::Result<Option<(String, String)>> {
    let (mut first, mut headers) = (String::new(), String::new());
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    while stream.read_line(&mut headers)? > 2 {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Some((path, headers.to_ascii_lowercase())))
}

fn length(headers: &str) -> usize {
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// When it is closed, the other side is told so by RST.
pub(super) fn reset(tcp: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO))
}
