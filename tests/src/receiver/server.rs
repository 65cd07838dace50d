//! The receiver itself: connections, requests, and what was taken.

use std::collections::{BTreeMap, HashMap};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::ServerConfig;
use telemetry_layer::Signal;

use super::{Act, Form, Items, grpc, http1};
use crate::{SOON, eventually};

/// A request that has come as a whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// Those with items of this signal are counted, from 1 on.
    pub number: u32,
    /// What its items are.
    pub signal: Signal,
    /// Connections are counted from 1 on.
    pub connection: u32,
    /// The path.
    pub path: String,
    /// A line for each header, in lower case.
    pub headers: String,
    /// What it holds.
    pub items: Items,
}

type Script = dyn Fn(&Request) -> Act + Send + Sync;

/// How a receiver is to be.
#[derive(Clone)]
pub struct Setup {
    pub(super) form: Form,
    pub(super) tls: Option<Arc<ServerConfig>>,
    cuts: u32,
}

/// A receiver on a port of its own. It ends when it is dropped, and its connections with it.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

pub(super) struct Shared {
    pub(super) setup: Setup,
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
    /// It speaks that.
    pub fn new(form: Form) -> Self {
        Self { form, tls: None, cuts: 0 }
    }

    /// It speaks TLS.
    pub fn tls(mut self, mut config: ServerConfig) -> Self {
        if self.form.is_grpc() {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        self.tls = Some(Arc::new(config));
        self
    }

    /// The first requests are reset in the middle of their body.
    pub fn cut(mut self, requests: u32) -> Self {
        self.cuts = requests;
        self
    }

    /// Starts it on a free port. Requests without items, which exporters check with, are taken and not shown to the script.
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
        // A process that another test is starting has what was open here, for a moment.
        let listener = eventually("a free port", || TcpListener::bind(address).ok());
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
    /// The requests with items of that signal, in the order in which they came, and when.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn seen(&self, signal: Signal) -> Vec<(Request, Instant)> {
        let seen = self.shared.seen.lock().expect("the script did not panic");
        seen.iter().filter(|(request, _)| request.signal == signal).cloned().collect()
    }

    /// Waits until so many of them have come.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn wait_for(&self, signal: Signal, requests: usize) -> Vec<(Request, Instant)> {
        let are_missing = |seen: &mut Vec<(Request, Instant)>| {
            seen.iter().filter(|(request, _)| request.signal == signal).count() < requests
        };
        let seen = self.shared.seen.lock().expect("the script did not panic");
        drop(self.shared.came.wait_timeout_while(seen, SOON, are_missing).expect("the script did not panic"));
        let seen = self.seen(signal);
        assert!(seen.len() >= requests, "{} of {requests} requests of {signal:?}", seen.len());
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

    /// How often items of that signal were taken, by their ids.
    ///
    /// # Panics
    ///
    /// If a body was no such body, or a script panicked.
    pub fn came(&self, signal: Signal) -> BTreeMap<u64, u32> {
        let mut came = BTreeMap::new();
        for items in self.taken() {
            items.ids(signal).iter().for_each(|id| *came.entry(*id).or_default() += 1);
        }
        came
    }

    /// Of that signal items of these ids were taken as often as `times` says, and no others.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has(&self, signal: Signal, times: impl IntoIterator<Item = (u64, u32)>) {
        assert_eq!(self.came(signal), times.into_iter().collect());
    }

    /// Of each of these ids an item of each signal that its form has was taken once, and no others.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has_each_once(&self, ids: impl IntoIterator<Item = u64>) {
        let once: Vec<_> = ids.into_iter().map(|id| (id, 1)).collect();
        self.shared.setup.form.signals().iter().for_each(|signal| self.has(*signal, once.clone()));
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
                let is_grpc = own.setup.form.is_grpc();
                let serve = if is_grpc { grpc::serve } else { http1::serve };
                let _ = serve(&own, &stream, connection);
                // It is closed when the last clone is.
                own.open.lock().expect("nobody panics with it").remove(&connection);
            });
        }
    }

    /// Whether this request is to be reset in its middle.
    pub(super) fn cuts_one(&self) -> bool {
        self.cuts.fetch_update(SeqCst, SeqCst, |cuts| cuts.checked_sub(1)).is_ok()
    }

    /// What to do with a request; nothing where nobody can read it.
    pub(super) fn act(&self, path: String, headers: String, body: &[u8], connection: u32) -> Option<Act> {
        let form = self.setup.form;
        // Also a request without a message is one without items, which exporters check with.
        let items = if body.is_empty() { Some(Items::default()) } else { form.items(&path, body) };
        let Some(items) = items else {
            self.unreadable.fetch_add(1, SeqCst);
            return None;
        };
        if items.is_empty() {
            return Some(form.ok().into());
        }
        let mut seen = self.seen.lock().expect("the script did not panic");
        let signal = items.signal();
        let number = seen.iter().filter(|(request, _)| request.signal == signal).count() as u32 + 1;
        let request = Request { number, signal, connection, path, headers, items };
        let act = (self.script)(&request);
        if act.takes() {
            self.taken.lock().expect("nobody panics with it").push(request.items.clone());
        }
        seen.push((request, Instant::now()));
        self.came.notify_all();
        Some(act)
    }
}
