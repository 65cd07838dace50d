//! A receiver of lines over a stream, TCP or Unix, which a test scripts connection by connection. It never says that anything
//! came. Of each whole line it keeps the id; what is no line of a data point that was recorded fails the test.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Gate, Wire};
use crate::SOON;

/// Where a receiver listens.
#[derive(Clone, Debug)]
pub enum Place {
    /// An address.
    Tcp(SocketAddr),
    /// A path, in a folder that is kept as long as anybody knows it.
    Unix(PathBuf, Arc<tempfile::TempDir>),
}

/// What a receiver does with a connection.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Reads all that comes.
    Read,
    /// Reads so many bytes, and closes the connection, whatever else has come.
    CloseAfterBytes(usize),
    /// Reads a few bytes at a time.
    ReadSlowly,
    /// Reads nothing before the gate is open, and all then.
    ReadWhen(Gate),
    /// Says that for each line.
    SayToEach(Vec<u8>),
    /// Says that again and again, as long as anybody takes it, while it reads all that comes.
    Flood(Vec<u8>),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is closed.
    Close,
    /// It is reset (RST), where there is that.
    Reset,
}

type Script = dyn Fn(u32) -> Manner + Send + Sync;

/// A receiver at a place of its own. It ends when it is dropped, and its connections with it.
pub struct Lines {
    /// Where it listens.
    pub place: Place,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    wire: Wire,
    script: Box<Script>,
    is_over: AtomicBool,
    connections: AtomicU32,
    seen: Mutex<Seen>,
    /// Something of it has changed.
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// How often each id came.
    ids: BTreeMap<u64, u32>,
    /// Lines that are none.
    foreign: Vec<String>,
    /// Connections that are over.
    ended: u32,
    open: Vec<(u32, Socket)>,
}

impl Place {
    /// One where nobody listens.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn of(wire: Wire) -> Self {
        if !wire.is_unix() {
            return Self::Tcp(super::refusing());
        }
        let folder = tempfile::tempdir().expect("a folder");
        Self::Unix(folder.path().join("socket"), Arc::new(folder))
    }

    /// A socket that listens there.
    fn listen(&self, backlog: i32) -> io::Result<Socket> {
        let socket = match self {
            Self::Tcp(address) => {
                let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                socket.set_reuse_address(true)?;
                socket
            }
            Self::Unix(..) => Socket::new(Domain::UNIX, Type::STREAM, None)?,
        };
        socket.bind(&self.address()?)?;
        socket.listen(backlog)?;
        Ok(socket)
    }

    fn connect(&self) -> io::Result<Socket> {
        let domain = if let Self::Tcp(_) = self { Domain::IPV4 } else { Domain::UNIX };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect(&self.address()?)?;
        Ok(socket)
    }

    fn address(&self) -> io::Result<SockAddr> {
        match self {
            Self::Tcp(address) => Ok((*address).into()),
            Self::Unix(path, _) => SockAddr::unix(path),
        }
    }

    /// Its path, where it has one.
    fn path(&self) -> Option<&Path> {
        if let Self::Unix(path, _) = self { Some(path) } else { None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path, _) => path.display().fmt(f),
        }
    }
}

impl Lines {
    /// Starts one at a place of its own; `script` says what it does with its first connection, its second one..
    ///
    /// # Panics
    ///
    /// If it can't listen.
    pub fn start(wire: Wire, script: impl Fn(u32) -> Manner + Send + Sync + 'static) -> Self {
        Self::start_at(wire, &Place::of(wire), script)
    }

    /// Starts it there.
    ///
    /// # Panics
    ///
    /// If somebody else keeps that place.
    pub fn start_at(
        wire: Wire,
        place: &Place,
        script: impl Fn(u32) -> Manner + Send + Sync + 'static,
    ) -> Self {
        let listener = place.listen(128).expect("the place is free");
        let shared = Arc::new(Shared {
            wire,
            script: Box::new(script),
            is_over: AtomicBool::new(false),
            connections: AtomicU32::new(0),
            seen: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepts = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accepts.accept(&listener));
        Self { place: place.clone(), shared, accepting: Some(accepting) }
    }

    /// One that accepts no connection, as long as what is returned is kept; where it listens.
    ///
    /// # Panics
    ///
    /// If it can't listen.
    pub fn silent(wire: Wire) -> (impl Sized, Place) {
        let place = Place::of(wire);
        (place.listen(128).expect("the place is free"), place)
    }

    /// How often each id has come.
    ///
    /// # Panics
    ///
    /// If anything else came.
    pub fn ids(&self) -> BTreeMap<u64, u32> {
        let (foreign, ids) = {
            let seen = self.seen();
            (seen.foreign.clone(), seen.ids.clone())
        };
        assert!(foreign.is_empty(), "these are no lines: {foreign:?}");
        ids
    }

    /// Waits until each of these ids has come.
    ///
    /// # Panics
    ///
    /// If they do not come, or anything else does.
    pub fn wait_for(&self, ids: impl IntoIterator<Item = u64>) {
        let mut ids: Vec<_> = ids.into_iter().collect();
        self.wait_until(|seen| {
            ids.retain(|id| !seen.ids.contains_key(id));
            ids.is_empty()
        });
        assert!(ids.is_empty(), "these have not come: {ids:?}");
        self.ids();
    }

    /// Waits until so many different ids have come, and says how often each has.
    ///
    /// # Panics
    ///
    /// If they do not come, or anything else does.
    pub fn wait_for_many(&self, ids: u64) -> BTreeMap<u64, u32> {
        let came = self.wait_until(|seen| seen.ids.len() as u64 >= ids);
        let seen = self.ids();
        assert!(came, "{} of {ids} have come", seen.len());
        seen
    }

    /// Waits until so many connections are over.
    ///
    /// # Panics
    ///
    /// If they don't end.
    pub fn wait_for_ends(&self, connections: u32) {
        let has_ended = self.wait_until(|seen| seen.ended >= connections);
        assert!(has_ended, "{} of {connections} connections have ended", self.seen().ended);
    }

    /// Ends all connections, in which nothing may be on its way.
    ///
    /// # Panics
    ///
    /// If they don't end.
    pub fn end_connections(&self, how: End) {
        let (open, others) = {
            let seen = self.seen();
            let others: Vec<_> = seen.open.iter().filter_map(|(_, socket)| other_end(socket)).collect();
            for (_, socket) in &seen.open {
                let linger = (how == End::Reset).then_some(Duration::ZERO);
                socket.set_linger(linger).expect("it is open");
                // Nobody else is told of it, but the thread that reads: that closes it.
                let _ = socket.shutdown(Shutdown::Read);
            }
            (seen.open.len() as u32 + seen.ended, others)
        };
        self.wait_for_ends(open);
        wait_until_known(&others);
    }

    /// Waits until each of these ids has come: once, and nothing else has.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn has_each_once(&self, ids: impl IntoIterator<Item = u64>) {
        let once: BTreeMap<_, _> = ids.into_iter().map(|id| (id, 1)).collect();
        self.wait_for(once.keys().copied());
        assert_eq!(self.ids(), once);
    }

    /// How many connections were made.
    pub fn connections(&self) -> u32 {
        self.shared.connections.load(SeqCst)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.shared.seen.lock().expect("nobody panics with it")
    }

    fn wait_until(&self, mut is_so: impl FnMut(&Seen) -> bool) -> bool {
        let waited = self.shared.changed.wait_timeout_while(self.seen(), SOON, |seen| !is_so(seen));
        !waited.expect("nobody panics with it").1.timed_out()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // This wakes the thread that accepts.
        let _ = self.place.connect();
        let _ = self.accepting.take().map(JoinHandle::join);
        self.place.path().into_iter().for_each(|path| drop(std::fs::remove_file(path)));
        // What has come and was not read is lost, and who sent it is told so.
        let open = self.shared.seen.lock().map(|mut seen| std::mem::take(&mut seen.open)).unwrap_or_default();
        let others: Vec<_> = open.iter().filter_map(|(_, socket)| other_end(socket)).collect();
        for (_, socket) in open {
            let _ = socket.set_linger(Some(Duration::ZERO));
            let _ = socket.shutdown(Shutdown::Both);
        }
        wait_until_known(&others);
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &Socket) {
        while let Ok((socket, _)) = listener.accept() {
            if self.is_over.load(SeqCst) {
                return;
            }
            let number = self.connections.fetch_add(1, SeqCst) + 1;
            let Ok(to_end) = socket.try_clone() else { return };
            self.note(|seen| seen.open.push((number, to_end)));
            let own = Arc::clone(&self);
            std::thread::spawn(move || {
                let _ = own.serve(socket, number);
                own.note(|seen| {
                    // It is closed when its last clone is, and before anybody knows.
                    seen.open.retain(|(of, _)| *of != number);
                    seen.ended += 1;
                });
            });
        }
    }

    /// Serves a connection until it ends.
    fn serve(&self, mut socket: Socket, number: u32) -> io::Result<()> {
        let manner = (self.script)(number);
        let (mut most_bytes, mut piece) = (usize::MAX, 64 << 10);
        match &manner {
            Manner::Read | Manner::SayToEach(_) => {}
            Manner::CloseAfterBytes(bytes) => most_bytes = *bytes,
            Manner::ReadSlowly => piece = 7,
            Manner::ReadWhen(gate) => gate.wait(),
            Manner::Flood(words) => flood(socket.try_clone()?, words.clone()),
        }
        let (mut line, mut bytes) = (Vec::new(), 0);
        let mut buffer = vec![0; piece];
        while bytes < most_bytes {
            let room = piece.min(most_bytes - bytes);
            let n = socket.read(&mut buffer[..room])?;
            if n == 0 {
                break;
            }
            bytes += n;
            for byte in &buffer[..n] {
                if *byte != b'\n' {
                    line.push(*byte);
                    continue;
                }
                self.came(&std::mem::take(&mut line));
                if let Manner::SayToEach(words) = &manner {
                    let _ = socket.write_all(words);
                }
            }
        }
        // A line that broke off is no line.
        Ok(())
    }

    fn came(&self, line: &[u8]) {
        let id = std::str::from_utf8(line).ok().and_then(|line| self.wire.id(line));
        self.note(|seen| match id {
            Some(id) => *seen.ids.entry(id).or_default() += 1,
            None if seen.foreign.len() < 3 => {
                seen.foreign.push(String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned());
            }
            None => {}
        });
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().expect("nobody panics with it"));
        self.changed.notify_all();
    }
}

/// Where the other end of a connection is, over TCP.
fn other_end(socket: &Socket) -> Option<SocketAddrV4> {
    socket.peer_addr().ok()?.as_socket_ipv4()
}

/// Waits until the system has told these other ends that their connections are over. On a busy machine that takes a while, in which what
/// is sent is lost, and nobody can know.
fn wait_until_known(others: &[SocketAddrV4]) {
    let shown = |other: &SocketAddrV4| {
        format!("{:08X}:{:04X}", u32::from_ne_bytes(other.ip().octets()), other.port())
    };
    let others: Vec<_> = others.iter().map(shown).collect();
    let begin = Instant::now();
    loop {
        // Only Linux shows them; the state 01 is that of one that stands.
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let stands = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state) = (fields.next(), fields.nth(1));
            state == Some("01") && others.iter().any(|other| local == Some(other))
        };
        if others.is_empty() || !table.lines().any(stands) || begin.elapsed() > SOON {
            return;
        }
        std::thread::yield_now();
    }
}

/// As long as anybody takes it.
fn flood(mut socket: Socket, words: Vec<u8>) {
    std::thread::spawn(move || while socket.write_all(&words).is_ok() {});
}
