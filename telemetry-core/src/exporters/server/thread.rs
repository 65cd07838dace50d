//! The thread that serves: a runtime of its own, in which all connections of a server live and end.

use std::io::{self, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use crossbeam_channel::Sender;
use hyper::service::service_fn;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, sleep};

use super::answers::{Answers, Site};
use super::bounds::Bounds;
use super::connection::serve;
use super::connections::{Connections, Entry};
use super::incoming::Incoming;
use super::listener::Listener;
use super::page::Page;
use super::renderer::Renderer;
use crate::diagnostics::warn_once;

/// What the thread is told.
pub(super) enum Order {
    /// Serve this page there, and say whether that goes.
    Listen(Listener, Shown, Sender<io::Result<()>>),
    /// Serve it at that address too.
    Show(std::net::SocketAddr, Shown),
    /// Serve it there no more, and drop that when it is so.
    Hide(std::net::SocketAddr, String, Sender<()>),
    /// End by then.
    Stop(std::time::Instant),
}

/// A page and its path.
pub(super) struct Shown {
    pub(super) path: String,
    pub(super) page: Arc<dyn Page>,
}

/// Runs until it is told to stop, or nobody can tell it any more.
pub(super) fn run(orders: UnboundedReceiver<Order>, bounds: Bounds) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Dropped before the runtime: with it go all connections.
    LocalSet::new().block_on(&runtime, obey(orders, bounds));
    Ok(())
}

async fn obey(mut orders: UnboundedReceiver<Order>, bounds: Bounds) {
    let connections = Rc::new(Connections::new(bounds));
    let renderer = Rc::new(Renderer::new(bounds));
    let answers =
        Rc::new(Answers { bounds, renderer: Rc::clone(&renderer), connections: Rc::clone(&connections) });
    spawn_local(renderer.run());
    let watched = Rc::clone(&connections);
    let watch = spawn_local(async move { watched.watch().await });
    let mut ports: Vec<(std::net::SocketAddr, Rc<Site>, JoinHandle<()>)> = Vec::new();
    let until = loop {
        match orders.recv().await {
            Some(Order::Listen(listener, shown, told)) => {
                let incoming = Incoming::of(listener);
                let is_there =
                    incoming.as_ref().map(drop).map_err(|e| io::Error::new(e.kind(), e.to_string()));
                if let Ok(incoming) = incoming {
                    let (address, site) = (incoming.address(), Rc::new(Site::default()));
                    site.add(shown.path, shown.page);
                    let taken = take(incoming, Rc::clone(&site), Rc::clone(&answers));
                    ports.push((address, site, spawn_local(taken)));
                }
                let _ = told.send(is_there);
            }
            Some(Order::Show(address, Shown { path, page })) => {
                let site = ports.iter().find(|(known, ..)| *known == address);
                site.into_iter().for_each(|(_, site, _)| site.add(path.clone(), Arc::clone(&page)));
            }
            Some(Order::Hide(address, path, is_served)) => {
                let is_over =
                    |known: &std::net::SocketAddr, site: &Site| *known == address && site.remove(&path);
                for (.., taking) in ports.extract_if(.., |(known, site, _)| is_over(known, site)) {
                    taking.abort();
                    let _ = taking.await;
                }
                drop(is_served);
            }
            Some(Order::Stop(until)) => break until,
            None => return,
        }
    };
    // Whoever has asked by now is answered: what has come is taken, and read.
    for _ in 0..4 {
        yield_now().await;
    }
    ports.iter().for_each(|(_, _, taking)| taking.abort());
    watch.abort();
    let last = Instant::now() + bounds.last;
    connections.end(last.min(Instant::from_std(until))).await;
}

/// Takes connections, for ever.
async fn take(incoming: Incoming, site: Rc<Site>, answers: Rc<Answers>) {
    loop {
        match incoming.next().await {
            Ok(stream) => match answers.connections.add() {
                Some(entry) => {
                    drop(spawn_local(connected(stream, entry, Rc::clone(&site), Rc::clone(&answers))));
                }
                None => refuse(stream),
            },
            // It is gone already.
            Err(e)
                if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(e) => {
                let address = incoming.address();
                warn_once(format_args!("a connection to http://{address} can't be taken: {e}"));
                sleep(PAUSE).await;
            }
        }
        // Whoever was taken before is served first.
        yield_now().await;
    }
}

/// Where there is no socket free, say, one may be a little later.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

async fn connected(stream: TcpStream, entry: Entry, site: Rc<Site>, answers: Rc<Answers>) {
    let state = Rc::clone(&entry.state);
    let service = service_fn(|request| {
        let (site, state, answers) = (Rc::clone(&site), Rc::clone(&state), Rc::clone(&answers));
        async move { answers.answer(&site, &state, request).await }
    });
    serve(stream, Rc::clone(&state), answers.bounds, service).await;
}

/// As much of it as can be written at once.
fn refuse(stream: TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n";
    // The runtime does not know yet that it can be written to.
    let _ = stream.into_std().and_then(|mut stream| stream.write(BUSY));
}
