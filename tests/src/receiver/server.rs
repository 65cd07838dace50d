//! The receiver itself: connections, requests, and what was taken.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::connection::{head, length, perform, reset};
use super::{Act, Answer, Items, Reader};
use crate::SOON;

/// A request that has come as a whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// Those with a body that came to this path are counted, from 1 on.
    pub number: u32,
    /// Connections are counted from 1 on.
    pub connection: u32,
    /// The path.
    pub path: String,
    /// The headers, in lower case.
    pub headers: String,
    /// What it holds.
    pub items: Items,
}

type Script = dyn Fn(&Request) -> Act + Send + Sync;

/// How a receiver is to be.
#[derive(Clone)]
pub struct Setup {
    reads: Reader,
    tls: Option<Arc<ServerConfig>>,
    cuts: u32,
}

/// A receiver on a port of its own. It ends when it is dropped, and its connections with it.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    setup: Setup,
    script: Box<Script>,
    /// How many requests are still broken off.
    cuts: AtomicU32,
    is_over: AtomicBool,
    /// By their numbers.
    open: Mutex<HashMap<u32, TcpStream>>,
    connections: AtomicU32,
    seen: Mutex<Vec<(Request, Instant)>>,
    /// One more is seen.
    came: Condvar,
    taken: Mutex<Vec<Items>>,
    /// Bodies that its reader could not read.
    unreadable: AtomicU32,
}

impl Setup {
    /// Bodies are read so.
    pub fn new(reads: Reader) -> Self {
        Self { reads, tls: None, cuts: 0 }
    }

    /// It speaks TLS.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The first requests are reset in the middle of their body.
    pub fn cut(mut self, requests: u32) -> Self {
        self.cuts = requests;
        self
    }

    /// Starts it on a free port. Requests without a body, which exporters check with, are answered 200 and not shown to
    /// the script.
    ///
    /// # Panics
    ///
    /// If there is no port left.
    pub fn start(self, script: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Receiver {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// Starts it where another one was.
    ///
    /// # Panics
    ///
    /// If somebody else keeps that place.
    pub fn start_at(
        self,
        address: SocketAddr,
        script: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            cuts: AtomicU32::new(self.cuts),
            setup: self,
            script: Box::new(script),
            is_over: AtomicBool::new(false),
            open: Mutex::default(),
            connections: AtomicU32::new(0),
            seen: Mutex::default(),
            came: Condvar::new(),
            taken: Mutex::default(),
            unreadable: AtomicU32::new(0),
        });
        let accepts = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accepts.accept(&listener));
        Receiver { address, shared, accepting: Some(accepting) }
    }
}

impl Receiver {
    /// One for OTLP over HTTP.
    pub fn otlp(script: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Setup::new(super::otlp).start(script)
    }

    /// The requests to that path, in the order in which they came, and when.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn seen(&self, path: &str) -> Vec<(Request, Instant)> {
        let seen = self.shared.seen.lock().expect("the script did not panic");
        seen.iter().filter(|(request, _)| request.path == path).cloned().collect()
    }

    /// Waits until so many requests have come to that path.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn wait_for(&self, path: &str, requests: usize) -> Vec<(Request, Instant)> {
        let count = |seen: &mut Vec<(Request, Instant)>| {
            seen.iter().filter(|(request, _)| request.path == path).count() < requests
        };
        let seen = self.shared.seen.lock().expect("the script did not panic");
        drop(self.shared.came.wait_timeout_while(seen, SOON, count).expect("the script did not panic"));
        let seen = self.seen(path);
        assert!(seen.len() >= requests, "{} of {requests} requests to {path}", seen.len());
        seen
    }

    /// What it took, each request by itself.
    ///
    /// # Panics
    ///
    /// If a body was no such body, or a script panicked.
    pub fn taken(&self) -> Vec<Items> {
        assert_eq!(self.shared.unreadable.load(SeqCst), 0, "bodies that are none");
        self.shared.taken.lock().expect("the script did not panic").clone()
    }

    /// These spans were taken as often as `times` says, and no others.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has_spans(&self, times: impl IntoIterator<Item = (u64, u32)>) {
        counted(self.taken().into_iter().flat_map(|items| items.spans), times);
    }

    /// These log records were taken as often as `times` says, and no others.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has_logs(&self, times: impl IntoIterator<Item = (u64, u32)>) {
        counted(self.taken().into_iter().flat_map(|items| items.logs), times);
    }

    /// Of each of these ids the span and the log record were taken once, and no others.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has_each_once(&self, ids: impl IntoIterator<Item = u64>) {
        let once: Vec<_> = ids.into_iter().map(|id| (id, 1)).collect();
        self.has_spans(once.clone());
        self.has_logs(once);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // This wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
        if let Ok(open) = self.shared.open.lock() {
            open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.is_over.load(SeqCst) {
                return;
            }
            let (own, connection) = (Arc::clone(&self), self.connections.fetch_add(1, SeqCst) + 1);
            let Ok(to_end) = stream.try_clone() else { return };
            self.open.lock().expect("nobody panics with it").insert(connection, to_end);
            std::thread::spawn(move || {
                let _ = own.serve(&stream, connection);
                // It is closed when the last clone is.
                own.open.lock().expect("nobody panics with it").remove(&connection);
            });
        }
    }

    fn serve(&self, tcp: &TcpStream, connection: u32) -> io::Result<()> {
        match &self.setup.tls {
            None => self.speak(tcp, tcp.try_clone()?, connection),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.speak(tcp, StreamOwned::new(session, tcp.try_clone()?), connection)
            }
        }
    }

    fn speak(&self, tcp: &TcpStream, stream: impl Read + Write, connection: u32) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some((path, headers)) = head(&mut stream)? {
            let mut body = vec![0; length(&headers)];
            if body.is_empty() {
                stream.get_mut().write_all(&Answer::ok().bytes())?;
                continue;
            }
            if self.cuts.fetch_update(SeqCst, SeqCst, |cuts| cuts.checked_sub(1)).is_ok() {
                let half = body.len() / 2;
                stream.read_exact(&mut body[..half])?;
                return reset(tcp);
            }
            stream.read_exact(&mut body)?;
            let Some(items) = (self.setup.reads)(&path, &body) else {
                self.unreadable.fetch_add(1, SeqCst);
                return Ok(());
            };
            if !perform(self.act(path, headers, items, connection), &mut stream, tcp)? {
                break;
            }
        }
        Ok(())
    }

    fn act(&self, path: String, headers: String, items: Items, connection: u32) -> Act {
        let mut seen = self.seen.lock().expect("the script did not panic");
        let number = seen.iter().filter(|(request, _)| request.path == path).count() as u32 + 1;
        let request = Request { number, connection, path, headers, items };
        let act = (self.script)(&request);
        if act.takes() {
            self.taken.lock().expect("nobody panics with it").push(request.items.clone());
        }
        seen.push((request, Instant::now()));
        self.came.notify_all();
        act
    }
}

fn counted<T: Hash + Eq + Ord + Debug>(
    came: impl IntoIterator<Item = T>,
    times: impl IntoIterator<Item = (T, u32)>,
) {
    let mut counts = HashMap::<T, u32>::new();
    came.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
    let (mut came, mut times): (Vec<_>, Vec<_>) = (counts.into_iter().collect(), times.into_iter().collect());
    came.sort_unstable();
    times.sort_unstable();
    assert_eq!(came, times);
}
