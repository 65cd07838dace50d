//! The receiver: a process that reads requests, counts their spans and answers. As it shares the cores with what is
//! measured, it does little more: bodies are skimmed, in memory that is used again, and only the first is kept.

use crate::timing::process_cpu;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What has come in since the process began.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Seen {
    pub requests: u64,
    /// Of heads and bodies.
    pub bytes: u64,
    pub spans: u64,
    pub cpu_ns: u64,
    /// Of the first span.
    pub attributes: u64,
    /// Seconds from the first answer to the last one, since it was last asked.
    pub answering: f64,
}

/// Requests, bytes, spans.
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// When requests with spans were answered: the first one since it was last asked, and the last one. Held while one is counted and
/// answered.
static ANSWERED: Mutex<Option<[Instant; 2]>> = Mutex::new(None);
/// The first body with spans.
static FIRST: Mutex<Vec<u8>> = Mutex::new(Vec::new());

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

/// The process: prints its port (that one, or any for 0), and for each line that it is given what it has seen. It ends with its
/// input, prints that once more, and answers nothing from then on.
pub fn serve(delay: Duration, port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port of the loopback");
    println!("{}", listener.local_addr().expect("it is bound").port());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || take(connection, delay));
        }
    });
    let answered = || ANSWERED.lock().expect("nobody panicked");
    for _ in stdin().lines() {
        let since = answered().take();
        seen(since);
    }
    // It is never let go of: what is not counted now is not answered either.
    let mut last = answered();
    seen(last.take());
    std::mem::forget(last);
}

fn seen(answered: Option<[Instant; 2]>) {
    let [requests, bytes, spans] = [0, 1, 2].map(|i: usize| COUNTS[i].load(SeqCst));
    let first = ExportTraceServiceRequest::decode(&**FIRST.lock().expect("nobody panicked")).expect("OTLP");
    let mut all = first.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    let attributes = all.next().map_or(0, |span| span.attributes.len() as u64);
    let answering = answered.map_or(0.0, |[first, last]| last.duration_since(first).as_secs_f64());
    let cpu_ns = process_cpu().as_nanos() as u64;
    let seen = Seen { requests, bytes, spans, cpu_ns, attributes, answering };
    println!("{}", serde_json::to_string(&seen).expect("numbers"));
}

/// Takes the requests of one connection.
fn take(connection: TcpStream, delay: Duration) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut to = connection.try_clone().ok()?;
    let mut from = BufReader::with_capacity(64 << 10, connection);
    let (mut line, mut body) = (String::new(), vec![]);
    loop {
        let (mut head, mut length, mut has_spans) = (0, 0, false);
        loop {
            line.clear();
            head += from.read_line(&mut line).ok().filter(|n| *n > 0)?;
            has_spans |= line.starts_with("POST ") && line.contains("/v1/traces ");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                name => assert!(!["transfer-encoding", "content-encoding"].contains(&name), "{line}"),
            }
        }
        if body.len() < length {
            body.resize(length, 0);
        }
        from.read_exact(&mut body[..length]).ok()?;
        let spans = if has_spans { spans(&body[..length]) } else { 0 };
        let more = [u64::from(spans > 0), (head + length) as u64, spans];
        if COUNTS[2].load(SeqCst) == 0 && spans > 0 {
            *FIRST.lock().expect("nobody panicked") = body[..length].to_vec();
        }
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let mut answered = ANSWERED.lock().expect("nobody panicked");
        COUNTS.iter().zip(more).for_each(|(count, more)| _ = count.fetch_add(more, SeqCst));
        to.write_all(ANSWER).ok()?;
        if spans > 0 {
            let now = Instant::now();
            answered.get_or_insert([now; 2])[1] = now;
        }
    }
}

/// How many spans a request has: those in the scopes of its resources. All fields on the way there have a length.
fn spans(request: &[u8]) -> u64 {
    const RESOURCE_SPANS: u8 = 1 << 3 | 2;
    const SCOPE_SPANS: u8 = 2 << 3 | 2;
    const SPANS: u8 = 2 << 3 | 2;
    let mut n = 0;
    each(request, RESOURCE_SPANS, &mut |resource| {
        each(resource, SCOPE_SPANS, &mut |scope| each(scope, SPANS, &mut |_| n += 1))
    });
    n
}

/// The fields of a message that have that tag.
fn each<'a>(mut message: &'a [u8], tag: u8, f: &mut dyn FnMut(&'a [u8])) {
    while let [found, rest @ ..] = message {
        let (mut length, mut at) = (0, 0);
        loop {
            length |= usize::from(rest[at] & 0x7f) << (7 * at);
            at += 1;
            if rest[at - 1] < 0x80 {
                break;
            }
        }
        let (field, after) = rest[at..].split_at(length);
        if *found == tag {
            f(field);
        }
        message = after;
    }
}

/// The other end of it.
pub struct Receiver {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub port: u16,
}

impl Receiver {
    pub fn start(delay_ms: u64) -> Self {
        Self::start_at(delay_ms, 0)
    }

    /// At that port, where nobody else is.
    pub fn start_at(delay_ms: u64, port: u16) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["receiver", &delay_ms.to_string(), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program once more");
        let to = child.stdin.take().expect("piped");
        let mut from = BufReader::new(child.stdout.take().expect("piped"));
        let port = line(&mut from).parse().expect("a port");
        Self { child, to, from, port }
    }

    pub fn seen(&mut self) -> Seen {
        writeln!(self.to).expect("it reads");
        serde_json::from_str(&line(&mut self.from)).expect("what it has seen")
    }

    /// What it has seen in all.
    pub fn end(self) -> Seen {
        let Self { mut child, to, mut from, .. } = self;
        drop(to);
        let seen = serde_json::from_str(&line(&mut from)).expect("what it has seen");
        assert!(child.wait().expect("a process of ours").success(), "the receiver failed");
        seen
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line of the receiver");
    line.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::spans;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    #[test]
    fn spans_of_all_scopes_and_resources_are_counted() {
        let span = |name: &str| Span { name: name.into(), ..Span::default() };
        let scope = |spans| ScopeSpans { scope: Some(Default::default()), spans, schema_url: "url".into() };
        let long = "x".repeat(20_000);
        let scopes = vec![scope(vec![span("a"), span(&long)]), scope(vec![]), scope(vec![span("")])];
        let resource = ResourceSpans { resource: Some(Default::default()), scope_spans: scopes, ..Default::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource.clone(), resource] };
        assert_eq!(spans(&request.encode_to_vec()), 6);
        assert_eq!(spans(&[]), 0);
    }
}
