//! A receiver that reads 64 KiB in each 10 ms of a connection, and answers requests of HTTP/1.1 that say how long they are.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

pub fn serve(listener: TcpListener) {
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || take(connection));
        }
    });
}

fn take(mut connection: TcpStream) -> Option<()> {
    let (mut head, mut left, mut buffer) = (vec![], 0, [0; 64 << 10]);
    loop {
        let n = connection.read(&mut buffer).ok().filter(|n| *n > 0)?;
        std::thread::sleep(PAUSE);
        let mut bytes = &buffer[..n];
        while !bytes.is_empty() {
            if left == 0 {
                head.push(bytes[0]);
                bytes = &bytes[1..];
                if !head.starts_with(&b"POST"[..head.len().min(4)]) {
                    // Lines are answered by nobody.
                    head.clear();
                    break;
                }
                if !head.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let text = String::from_utf8_lossy(&std::mem::take(&mut head)).to_ascii_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                left = length.map_or(0, |length| length.trim().parse().expect("a length"));
            }
            let of_body = bytes.len().min(left);
            bytes = &bytes[of_body..];
            left -= of_body;
            if left == 0 {
                connection.write_all(ANSWER).ok()?;
            }
        }
    }
}
