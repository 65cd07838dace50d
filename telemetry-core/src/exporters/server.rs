//! One thread that serves everything that is pulled of a collector: pages go in, and whoever asks for one at its path is
//! answered over HTTP/1.1, on loopback unless told otherwise.
//!
//! Nothing of the program waits for it, or for whoever asks: one thread makes one page at a time, and what strangers may take is
//! bounded ([`Bounds`]). No request changes anything, and none is ever recorded.

mod answers;
mod bounds;
mod connection;
mod connections;
mod incoming;
mod listener;
mod page;
mod place;
mod renderer;
mod thread;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use self::thread::{Order, Shown};
use crate::metrics::Reader;
use crate::sync::{Mutex, Origin, lock};

pub(crate) use self::bounds::Bounds;
pub(crate) use self::listener::Listener;
pub(crate) use self::page::{Content, Page};
pub(crate) use self::place::Place;

/// What is pulled: a page, where it is served, and the reader that is given the numbers that it shows.
pub(crate) struct Pulled {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) page: Arc<dyn Page>,
    /// Or what is wrong with it.
    pub(crate) place: Result<Place, (String, String)>,
}

/// The server of a collector. Its thread is there from the first page on.
pub(crate) struct Server {
    bounds: Bounds,
    running: Mutex<Running>,
    origin: Origin,
}

#[derive(Default)]
struct Running {
    thread: Option<Thread>,
    /// Where pages are served.
    pages: Vec<(SocketAddr, String)>,
    is_over: bool,
}

struct Thread {
    orders: UnboundedSender<Order>,
    /// It tells nothing, and is disconnected when the thread has ended.
    ended: Receiver<()>,
}

const A_MOMENT: Duration = Duration::from_millis(50);

/// An address at which a page can be served.
pub(crate) enum Address {
    New(Listener),
    /// This server serves other pages there.
    Known(SocketAddr),
}

impl Default for Server {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Server {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, running: Mutex::default(), origin: Origin::here() }
    }

    /// Begins to listen. A name may have to be looked up, which may take long.
    pub(crate) fn bind(&self, place: &Place) -> io::Result<Address> {
        let address = place.address()?;
        let running = lock(&self.running);
        let mut here = running.pages.iter().filter(|(known, _)| *known == address).peekable();
        if address.port() == 0 || here.peek().is_none() {
            drop(running);
            return Listener::bind(address).map(Address::New);
        }
        if here.any(|(_, path)| path == place.path()) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another page is served there"));
        }
        Ok(Address::Known(address))
    }

    /// From now on the page is served there.
    pub(crate) fn serve(&self, at: Address, path: &str, page: Arc<dyn Page>) -> io::Result<SocketAddr> {
        let mut running = lock(&self.running);
        let Running { thread, pages, is_over } = &mut *running;
        if *is_over {
            return Err(io::Error::other("the collector was shut down"));
        }
        let thread = match thread {
            Some(thread) => thread,
            None => thread.insert(Thread::start(self.bounds)?),
        };
        let shown = Shown { path: path.to_owned(), page };
        let address = match at {
            Address::Known(address) if pages.iter().all(|(known, _)| *known != address) => {
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "its port was closed meanwhile"));
            }
            Address::Known(address) => {
                let _ = thread.orders.send(Order::Show(address, shown));
                address
            }
            Address::New(listener) => {
                let address = listener.address();
                let (tell, is_there) = bounded(1);
                let _ = thread.orders.send(Order::Listen(listener, shown, tell));
                is_there.recv().map_err(|_| io::Error::other("the thread that serves has ended"))??;
                address
            }
        };
        pages.push((address, path.to_owned()));
        Ok(address)
    }

    /// That page is not served any more. Where it was the last one at its address, the port is free afterwards.
    pub(crate) fn hide(&self, address: SocketAddr, path: &str, until: Instant) {
        let mut running = lock(&self.running);
        running.pages.retain(|(known, shown)| *known != address || shown != path);
        let (is_served, is_gone) = bounded(0);
        if let Some(thread) = &running.thread {
            let _ = thread.orders.send(Order::Hide(address, path.to_owned(), is_served));
        }
        drop(running);
        let _ = is_gone.recv_deadline(until);
    }

    /// The URLs of all pages, in the order they were added.
    pub(crate) fn urls(&self) -> Vec<String> {
        lock(&self.running).pages.iter().map(|(address, path)| format!("http://{address}{path}")).collect()
    }

    /// Listens no more, answers those who have asked, and ends by then. Nobody is served afterwards.
    pub(crate) fn stop(&self, until: Instant) {
        let over = Running { is_over: true, ..Running::default() };
        let running = std::mem::replace(&mut *lock(&self.running), over);
        if let Some(thread) = running.thread {
            let _ = thread.orders.send(Order::Stop(until));
            // Also where no time is left the port is free afterwards, unless the thread is busy.
            let _ = thread.ended.recv_deadline(until.max(Instant::now() + A_MOMENT));
        }
    }
}

impl Thread {
    fn start(bounds: Bounds) -> io::Result<Self> {
        let (orders, obeyed) = unbounded_channel();
        let (alive, ended) = bounded(0);
        crate::thread::spawn("telemetry-server", move || {
            let _alive = alive;
            // Where it can't begin, whoever waits for its first answer is told.
            let _ = thread::run(obeyed, bounds);
        })?;
        Ok(Self { orders, ended })
    }
}

/// In a child process the thread is not there, and what belongs to its runtime is left as it is.
impl Drop for Server {
    fn drop(&mut self) {
        if !self.origin.is_here() {
            let running =
                std::mem::take(self.running.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
            std::mem::forget(running);
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

#[cfg(test)]
mod tests;
