//! HTTP/1.1 on one connection, byte by byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Act;

/// The path and the headers of the next request, if there is one.
pub(super) fn head(stream: &mut impl BufRead) -> io::Result<Option<(String, String)>> {
    let (mut first, mut headers) = (String::new(), String::new());
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    while stream.read_line(&mut headers)? > 2 {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Some((path, headers.to_ascii_lowercase())))
}

pub(super) fn length(headers: &str) -> usize {
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// Does that, and says whether the connection goes on.
pub(super) fn perform(
    act: Act,
    stream: &mut BufReader<impl Read + Write>,
    tcp: &TcpStream,
) -> io::Result<bool> {
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

/// When it is closed, the other side is told so by RST.
pub(super) fn reset(tcp: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO))
}
