//! Requests over HTTP of which every byte is the test's.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::SOON;

/// What comes to a request with that head, to which it adds that the connection is closed after it, and that body: the status, the
/// head and the body.
///
/// # Errors
///
/// If nothing comes that is an answer.
pub fn ask(address: SocketAddr, head: &str, body: &str) -> io::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let no_answer = || io::Error::other(format!("no answer: {}", String::from_utf8_lossy(&answer)));
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(no_answer)?;
    let head = String::from_utf8(answer[..end].to_owned()).map_err(|_| no_answer())?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(no_answer)?;
    let body = answer.split_off(end + 4);
    Ok((status, head, body))
}

/// The same of a request without a body that is answered.
///
/// # Panics
///
/// If nothing comes that is an answer.
#[track_caller]
pub fn asked(address: SocketAddr, head: &str) -> (u16, String, Vec<u8>) {
    ask(address, head, "").unwrap()
}
