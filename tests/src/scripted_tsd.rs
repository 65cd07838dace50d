//! A server of the tests that answers as OpenTSDB and Apptuit are documented to: it is neither of them, and says what a script tells
//! it to, over HTTP or telnet. What came it keeps.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::SOON;

/// A request to put data points.
#[derive(Clone, Debug)]
pub struct Put {
    /// With its query.
    pub path: String,
    /// A line for each header, in lower case.
    pub headers: String,
    /// As it was before it was compressed.
    pub body: Vec<u8>,
}

impl Put {
    /// The points in it, as JSON.
    ///
    /// # Panics
    ///
    /// If it is no array of points.
    pub fn points(&self) -> Vec<Value> {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// What it does about a line.
#[derive(Clone, Debug)]
pub enum Say {
    /// It takes it.
    Nothing,
    /// It writes a line back.
    Line(String),
    /// It writes a line back, and closes the connection.
    Bye(String),
    /// It reads nothing more of any connection.
    Stop,
}

/// The answer to a request: a status and a body.
pub type Answers = dyn Fn(usize, &Put) -> (u16, String) + Send + Sync;
type Says = dyn Fn(usize, &str) -> Say + Send + Sync;

enum Script {
    Http(Box<Answers>),
    Telnet(Box<Says>),
}

/// A server on a port of its own. It ends when it is dropped, and its connections with it.
pub struct ScriptedTsd {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    is_over: AtomicBool,
    came: Mutex<Came>,
    more: Condvar,
}

#[derive(Default)]
struct Came {
    puts: Vec<Put>,
    lines: Vec<String>,
    /// How often it wrote something back.
    said: usize,
    /// Connections that were made, those that checks make among them.
    open: Vec<TcpStream>,
}

impl ScriptedTsd {
    /// Speaks HTTP: each request, counted from 1 on, is answered by the script; one that only looks whether somebody is there, by 404.
    pub fn http(script: impl Fn(usize, &Put) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::start(Script::Http(Box::new(script)), ([127, 0, 0, 1], 0).into())
    }

    /// Speaks telnet: the script says what becomes of each line, counted from 1 on.
    pub fn telnet(script: impl Fn(usize, &str) -> Say + Send + Sync + 'static) -> Self {
        Self::telnet_at(([127, 0, 0, 1], 0).into(), script)
    }

    /// The same where another one was.
    pub fn telnet_at(
        address: SocketAddr,
        script: impl Fn(usize, &str) -> Say + Send + Sync + 'static,
    ) -> Self {
        Self::start(Script::Telnet(Box::new(script)), address)
    }

    fn start(script: Script, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("its address");
        let (is_over, came, more) = (AtomicBool::new(false), Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { script, is_over, came, more });
        let accepts = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accepts.accept(&listener));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// The requests that came.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn puts(&self) -> Vec<Put> {
        self.shared.came.lock().expect("nobody panics with it").puts.clone()
    }

    /// The lines that came.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn lines(&self) -> Vec<String> {
        self.shared.came.lock().expect("nobody panics with it").lines.clone()
    }

    /// How many connections were made.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn connections(&self) -> usize {
        self.shared.came.lock().expect("nobody panics with it").open.len()
    }

    /// Waits until so many lines have come.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn wait_for_lines(&self, many: usize) -> Vec<String> {
        let came = self.shared.came.lock().expect("nobody panics with it");
        let are_missing = |came: &mut Came| came.lines.len() < many;
        drop(self.shared.more.wait_timeout_while(came, SOON, are_missing).expect("nobody panics with it"));
        let lines = self.lines();
        assert!(lines.len() >= many, "{} of {many} lines: {lines:#?}", lines.len());
        lines
    }

    /// Waits until it has written something back to so many lines.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait_until_said(&self, many: usize) {
        let came = self.shared.came.lock().expect("nobody panics with it");
        let is_missing = |came: &mut Came| came.said < many;
        let (came, waited) =
            self.shared.more.wait_timeout_while(came, SOON, is_missing).expect("nobody panics with it");
        assert!(!waited.timed_out(), "it has said something {} of {many} times", came.said);
    }

    /// The points that came over HTTP, whatever was answered: name, time, tags and value.
    pub fn points(&self) -> Vec<(String, u64, BTreeMap<String, String>, Value)> {
        self.puts().iter().flat_map(Put::points).map(|put| point(&put)).collect()
    }
}

/// # Panics
///
/// If it is no point.
fn point(point: &Value) -> (String, u64, BTreeMap<String, String>, Value) {
    let is = |part: &str| format!("`{part}` of {point}");
    let text =
        |value: &Value, part: &str| value.as_str().unwrap_or_else(|| panic!("{}", is(part))).to_owned();
    let tags = point["tags"].as_object().unwrap_or_else(|| panic!("{}", is("tags")));
    let tags = tags.iter().map(|(key, value)| (key.clone(), text(value, "tags"))).collect();
    let time = point["timestamp"].as_u64().unwrap_or_else(|| panic!("{}", is("timestamp")));
    (text(&point["metric"], "metric"), time, tags, point["value"].clone())
}

impl Drop for ScriptedTsd {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.shared.more.notify_all();
        // This wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
        if let Ok(came) = self.shared.came.lock() {
            came.open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.is_over.load(SeqCst) {
                return;
            }
            let own = Arc::clone(&self);
            let Ok(to_end) = stream.try_clone() else { return };
            self.came.lock().expect("nobody panics with it").open.push(to_end);
            std::thread::spawn(move || {
                let served = match &own.script {
                    Script::Http(script) => own.answer(&stream, script),
                    Script::Telnet(script) => own.listen(&stream, script),
                };
                // The clone that is kept would leave it open.
                let _ = (served, stream.shutdown(Shutdown::Both));
            });
        }
    }

    fn answer(&self, stream: &TcpStream, script: &Answers) -> io::Result<()> {
        let (mut reader, mut out) = (BufReader::new(stream), stream);
        while let Some(head) = head(&mut reader)? {
            let (first, headers) = head.split_once('\n').unwrap_or((&head, ""));
            let mut words = first.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let headers = headers.to_ascii_lowercase();
            let header = |name: &str| headers.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length = header("content-length:").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut packed = vec![0; length];
            reader.read_exact(&mut packed)?;
            if method == "HEAD" {
                out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?;
                continue;
            }
            let mut body = Vec::new();
            match header("content-encoding:") {
                None => body = packed,
                Some("gzip") => drop(flate2::read::GzDecoder::new(&*packed).read_to_end(&mut body)?),
                Some("deflate") => drop(flate2::read::ZlibDecoder::new(&*packed).read_to_end(&mut body)?),
                Some(other) => return Err(io::Error::other(other.to_owned())),
            }
            let put = Put { path: path.to_owned(), headers: headers.clone(), body };
            let mut came = self.came.lock().expect("nobody panics with it");
            let (status, text) = script(came.puts.len() + 1, &put);
            came.puts.push(put);
            drop(came);
            self.more.notify_all();
            let kind = if text.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{text}"
            );
            // 204 has no body, and says nothing of one.
            let answer = if status == 204 { "HTTP/1.1 204 -\r\n\r\n" } else { &*answer };
            out.write_all(answer.as_bytes())?;
        }
        Ok(())
    }

    fn listen(&self, stream: &TcpStream, script: &Says) -> io::Result<()> {
        let (reader, mut out) = (BufReader::new(stream), stream);
        for line in reader.lines() {
            let line = line?;
            let mut came = self.came.lock().expect("nobody panics with it");
            let say = script(came.lines.len() + 1, &line);
            came.lines.push(line);
            drop(came);
            self.more.notify_all();
            match say {
                Say::Nothing => {}
                Say::Line(text) => {
                    out.write_all(format!("{text}\n").as_bytes())?;
                    self.came.lock().expect("nobody panics with it").said += 1;
                    self.more.notify_all();
                }
                Say::Bye(text) => return out.write_all(format!("{text}\n").as_bytes()),
                Say::Stop => {
                    let came = self.came.lock().expect("nobody panics with it");
                    let goes_on = |_: &mut Came| !self.is_over.load(SeqCst);
                    drop(self.more.wait_while(came, goes_on).expect("nobody panics with it"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The head of a request: its lines.
fn head(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => return Ok(Some(head)),
            line => head.extend([line, "\n"]),
        }
    }
}
