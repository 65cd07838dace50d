use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// Says how often it was asked, and what for; it is as long as it is told, and is made when the test lets it be.
struct Shows {
    asked: Mutex<Vec<String>>,
    bytes: usize,
    gate: Option<Receiver<()>>,
}

impl Shows {
    fn new(bytes: usize) -> Self {
        Self { asked: Mutex::default(), bytes, gate: None }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Page for Shows {
    fn title(&self) -> &str {
        "<a> & \"b\""
    }

    fn answer(&self, accept: &str, accept_encoding: &str) -> Content {
        self.asked.lock().unwrap().push(format!("{accept};{accept_encoding}"));
        let _ = self.gate.as_ref().map(Receiver::recv);
        assert!(accept != "panic", "as it was told");
        let encoding = Some("identity").filter(|_| !accept_encoding.is_empty());
        Content { media_type: "text/x", encoding, body: vec![b'x'; self.bytes] }
    }
}

fn place(path: &str) -> Place {
    Place::parse("localhost:0", (1, path)).unwrap()
}

/// A server of a page at `/page`.
fn serving(bounds: Bounds, page: Shows) -> (Server, SocketAddr, Arc<Shows>) {
    let (server, page) = (Server::new(bounds), Arc::new(page));
    let shown: Arc<dyn Page> = Arc::clone(&page) as _;
    let address = server.serve(server.bind(&place("/page")).unwrap(), "/page", shown).unwrap();
    (server, address, page)
}

/// A connection on which that was sent.
fn sent(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// All that comes before the end, also where that is no good one.
fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    if let Err(e) = stream.read_to_end(&mut all) {
        assert!(!matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "it stays open");
    }
    String::from_utf8(all).unwrap()
}

fn asked(address: SocketAddr, head: &str) -> String {
    rest(sent(address, &format!("{head}\r\nconnection: close\r\n\r\n")))
}

const GET: &str = "GET /page HTTP/1.1\r\nhost: h";

#[test]
fn a_request_is_answered_by_method_and_path() {
    let (server, address, page) = serving(Bounds::default(), Shows::new(3));
    let status = |head: &str| asked(address, head).lines().next().unwrap_or_default().to_owned();
    for (head, want) in [
        ("GET /page HTTP/1.1\r\nhost: h", "HTTP/1.1 200 OK"),
        ("GET /page?x=y HTTP/1.1\r\nhost: h", "HTTP/1.1 200 OK"),
        ("GET http://h/page HTTP/1.1\r\nhost: h", "HTTP/1.1 200 OK"),
        ("GET /page HTTP/1.0", "HTTP/1.0 200 OK"),
        ("GET /page HTTP/1.1\r\nhost: h\r\ncontent-length: 2", "HTTP/1.1 200 OK"),
        ("GET / HTTP/1.1\r\nhost: h", "HTTP/1.1 200 OK"),
        ("GET /pages HTTP/1.1\r\nhost: h", "HTTP/1.1 404 Not Found"),
        ("GET /page/ HTTP/1.1\r\nhost: h", "HTTP/1.1 404 Not Found"),
        ("POST /page HTTP/1.1\r\nhost: h\r\ncontent-length: 0", "HTTP/1.1 405 Method Not Allowed"),
        ("DELETE /no HTTP/1.1\r\nhost: h", "HTTP/1.1 405 Method Not Allowed"),
        ("OPTIONS * HTTP/1.1\r\nhost: h", "HTTP/1.1 405 Method Not Allowed"),
        ("GET /page HTTP/1.1\r\nhost: h\r\ncontent-length: 20000", "HTTP/1.1 413 Payload Too Large"),
        ("GET /page HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked", "HTTP/1.1 413 Payload Too Large"),
        ("GET /page HTTP/1.1\r\ncontent-length: -1", "HTTP/1.1 400 Bad Request"),
        ("no request", "HTTP/1.1 400 Bad Request"),
    ] {
        assert_eq!(status(head), want, "{head}");
    }
    let body = asked(address, &format!("{GET}\r\naccept: a\r\naccept: b\r\naccept-encoding: gzip"));
    assert!(body.ends_with("\r\n\r\nxxx") && body.contains("\r\ncontent-encoding: identity\r\n"), "{body}");
    assert!(
        body.contains("\r\nvary: accept, accept-encoding\r\n") && body.contains("\r\ncontent-length: 3\r\n")
    );
    assert_eq!(page.asked.lock().unwrap().last().unwrap(), "a, b;gzip");
    let head = asked(address, "HEAD /page HTTP/1.1\r\nhost: h");
    assert!(head.ends_with("\r\n\r\n") && head.contains("\r\ncontent-length: 3\r\n"), "{head}");
    let refused = asked(address, "PUT / HTTP/1.1\r\nhost: h");
    assert!(refused.contains("\r\nallow: GET, HEAD\r\n"), "{refused}");
    let start = asked(address, "GET / HTTP/1.1\r\nhost: h");
    let link = "<li><a href=\"/page\">/page</a>: &lt;a&gt; &amp; &quot;b&quot;";
    assert!(
        start.contains(link) && start.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"),
        "{start}"
    );
    server.stop(Instant::now() + SOON);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_page_that_panics_costs_its_request_only() {
    let (_server, address, _) = serving(Bounds::default(), Shows::new(3));
    let said = asked(address, &format!("{GET}\r\naccept: panic"));
    assert!(said.starts_with("HTTP/1.1 500 "), "{said}");
    assert!(asked(address, GET).ends_with("xxx"));
}

#[test]
fn requests_follow_each_other_on_one_connection_and_are_answered_in_order() {
    let (_server, address, page) = serving(Bounds::default(), Shows::new(2));
    let requests = format!("{GET}\r\n\r\n").repeat(9) + GET + "\r\nconnection: close\r\n\r\n";
    let answers = rest(sent(address, &requests));
    assert_eq!((answers.matches("HTTP/1.1 200 OK").count(), answers.matches("\r\n\r\nxx").count()), (10, 10));
    assert_eq!(page.asked(), 10);
}

#[test]
fn one_too_many_closes_the_one_that_was_idle_the_longest() {
    let (_server, address, _) = serving(Bounds { connections: 3, ..Bounds::default() }, Shows::new(3));
    let idle = [(); 3].map(|()| {
        let mut stream = sent(address, &format!("{GET}\r\n\r\n"));
        let mut answer = String::new();
        while !answer.ends_with("xxx") {
            let mut bytes = [0; 512];
            let read = stream.read(&mut bytes).unwrap();
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        stream
    });
    let half = sent(address, "GET /pa");
    let [first, mut second, third] = idle;
    assert_eq!(rest(first), "");
    // It is used again, so the third one is the oldest.
    second.write_all(format!("{GET}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = [0; 512];
    assert!(second.read(&mut answer).unwrap() > 0);
    assert!(asked(address, GET).ends_with("xxx"));
    assert_eq!(rest(third), "");
    drop((second, half));
}

#[test]
fn where_none_is_idle_one_more_is_refused() {
    let bounds = Bounds { connections: 2, ..Bounds::default() };
    let (_server, address, _) = serving(bounds, Shows::new(16 << 20));
    let slow = [(); 2].map(|()| {
        let mut stream = sent(address, &format!("{GET}\r\nconnection: close\r\n\r\n"));
        stream.read_exact(&mut [0; 8]).unwrap();
        stream
    });
    let refused = rest(TcpStream::connect(address).unwrap());
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(slow.into_iter().all(|stream| rest(stream).len() > 16 << 20));
    let begin = Instant::now();
    while !asked(address, "GET / HTTP/1.1\r\nhost: h").starts_with("HTTP/1.1 200 ") {
        assert!(begin.elapsed() < SOON, "there is room again");
    }
}

#[test]
fn who_takes_too_long_is_closed_and_others_are_served() {
    let short = Duration::from_millis(50);
    let bounds = Bounds { head: short, idle: short, read: short, ..Bounds::default() };
    let (_server, address, _) = serving(bounds, Shows::new(16 << 20));
    let half = sent(address, "GET /page HTTP/1.1\r\nhost: h\r\nx: ");
    let idle = sent(address, "");
    let mut slow = sent(address, &format!("{GET}\r\n\r\n"));
    assert_eq!((rest(half).as_str(), rest(idle).as_str()), ("", ""));
    // It reads a little now and then, until it is cut off.
    let (mut got, mut bytes) = (0, [0; 1 << 10]);
    while let Ok(read @ 1..) = slow.read(&mut bytes) {
        got += read;
        let _ = asked(address, "GET / HTTP/1.1\r\nhost: h");
    }
    assert!(got < 16 << 20, "{got}");
}

#[test]
fn what_nobody_reads_is_bounded() {
    const BYTES: usize = 8 << 20;
    let bounds = Bounds { unread_bytes: 2 * BYTES, ..Bounds::default() };
    let (_server, address, _) = serving(bounds, Shows::new(BYTES));
    let slow: Vec<_> = (0..8)
        .map(|n| {
            let mut stream = sent(address, &format!("{GET}\r\naccept: {n}\r\nconnection: close\r\n\r\n"));
            // It has begun to be answered.
            stream.read_exact(&mut [0; 8]).unwrap();
            stream
        })
        .collect();
    let cut = slow.into_iter().map(rest).filter(|got| got.len() < BYTES);
    assert!(cut.count() >= 5, "those that were there longest were cut off");
    assert!(asked(address, GET).len() > BYTES);
}

#[test]
fn a_request_that_is_too_long_is_refused() {
    let (_server, address, page) = serving(Bounds::default(), Shows::new(3));
    for long in [
        format!("GET /{} HTTP/1.1\r\n", "a".repeat(1 << 20)),
        format!("{GET}\r\nx: {}\r\n", "b".repeat(1 << 20)),
        format!("{GET}\r\n{}", "x: y\r\n".repeat(100_000)),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        // It is closed while this is still written.
        let _ = stream.write_all(long.as_bytes());
        let said = rest(stream);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 414 ") || said.starts_with("HTTP/1.1 431 "),
            "{said}"
        );
    }
    let bytes = 1 << 20;
    let mut stream = sent(address, &format!("{GET}\r\ncontent-length: {bytes}\r\n\r\n"));
    let _ = stream.write_all(&vec![b'z'; bytes]);
    let said = rest(stream);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413 "), "{said}");
    assert_eq!(page.asked(), 0);
    assert!(asked(address, GET).ends_with("xxx"));
}

#[test]
fn pages_at_one_address_share_it_and_their_paths_differ() {
    let (server, address, _) = serving(Bounds::default(), Shows::new(3));
    let at = |path| Place::parse(&address.to_string(), (1, path)).unwrap();
    let taken = server.bind(&at("/page")).map(drop).unwrap_err();
    assert_eq!(taken.to_string(), "another page is served there");
    let other = server.bind(&at("/other")).unwrap();
    assert_eq!(server.serve(other, "/other", Arc::new(Shows::new(5))).unwrap(), address);
    assert!(asked(address, "GET /other HTTP/1.1\r\nhost: h").ends_with("\r\n\r\nxxxxx"));
    assert_eq!(server.urls(), [format!("http://{address}/page"), format!("http://{address}/other")]);
    let another = Server::default().bind(&at("/page")).map(drop).unwrap_err();
    assert_eq!(another.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn the_end_answers_those_who_have_asked_and_waits_for_nobody_else() {
    let (open, gate) = bounded(0);
    let (server, address, page) = serving(Bounds::default(), Shows { gate: Some(gate), ..Shows::new(3) });
    let idle = sent(address, "GET");
    let asks = sent(address, &format!("{GET}\r\n\r\n"));
    let begin = Instant::now();
    while page.asked() == 0 {
        assert!(begin.elapsed() < SOON);
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| server.stop(Instant::now() + SOON));
        open.send(()).unwrap();
    });
    assert!(rest(asks).ends_with("xxx") && rest(idle).is_empty());
    assert!(TcpStream::connect(address).is_err());
    let late = server.bind(&place("/page")).unwrap();
    assert!(server.serve(late, "/page", Arc::new(Shows::new(1))).is_err(), "it is over");
}

#[test]
fn the_end_waits_for_no_reader_that_hangs() {
    let bounds = Bounds { last: Duration::from_millis(20), ..Bounds::default() };
    let (server, address, _) = serving(bounds, Shows::new(64 << 20));
    let mut hangs = sent(address, &format!("{GET}\r\n\r\n"));
    hangs.read_exact(&mut [0; 8]).unwrap();
    server.stop(Instant::now() + SOON);
    assert!(rest(hangs).len() < 64 << 20);
    assert!(TcpStream::connect(address).is_err());
}
