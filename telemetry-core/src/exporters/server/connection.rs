//! One connection: what it is at, since when, and whether it was told to end. Nothing is read of it but what hyper asks for.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::bounds::Bounds;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a request.
    Idle,
    /// A part of a head is there.
    Head,
    /// A request waits for its answer.
    Answer,
    /// An answer is on its way.
    Read,
}

/// What a connection was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// No request more.
    Finish,
    Close,
}

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct State {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    told: Cell<Told>,
    waker: RefCell<Option<Waker>>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Idle),
            since: Cell::new(Instant::now()),
            told: Cell::new(Told::Nothing),
            waker: RefCell::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn since(&self) -> Instant {
        self.since.get()
    }

    pub(super) fn enter(&self, phase: Phase) {
        if self.phase.replace(phase) != phase {
            self.since.set(Instant::now());
        }
    }

    /// Until when it may be at what it is at.
    pub(super) fn until(&self, bounds: &Bounds) -> Instant {
        let time = match self.phase() {
            Phase::Idle => bounds.idle,
            Phase::Head => bounds.head,
            Phase::Answer => bounds.answer,
            Phase::Read => bounds.read,
        };
        self.since() + time
    }

    pub(super) fn is_told_to_close(&self) -> bool {
        self.told.get() == Told::Close
    }

    /// It is closed whatever it is at.
    pub(super) fn close(&self) {
        self.tell(Told::Close);
    }

    /// It ends with the answer that it waits for.
    pub(super) fn finish(&self) {
        if self.told.get() == Told::Nothing {
            self.tell(Told::Finish);
        }
    }

    fn tell(&self, what: Told) {
        self.told.set(what);
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve<S, B>(stream: TcpStream, state: Rc<State>, bounds: Bounds, service: S)
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: std::error::Error + Send + Sync,
    B: Body<Error: std::error::Error + Send + Sync> + 'static,
{
    let mut http = http1::Builder::new();
    // Time is looked after here: hyper knows none that an answer has to be read in.
    http.header_read_timeout(None).max_buf_size(bounds.head_bytes).max_headers(bounds.headers);
    let io = Io { stream, state: Rc::clone(&state) };
    let mut connection = std::pin::pin!(http.serve_connection(io, service));
    let mut is_finishing = false;
    poll_fn(|cx| {
        if state.is_told_to_close() {
            return Poll::Ready(());
        }
        *state.waker.borrow_mut() = Some(cx.waker().clone());
        if state.told.get() == Told::Finish && !std::mem::replace(&mut is_finishing, true) {
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// The socket, which sees what hyper is at.
struct Io {
    stream: TcpStream,
    state: Rc<State>,
}

impl hyper::rt::Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4 << 10];
        let most = to.remaining().min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        if !read.filled().is_empty() && self.state.phase() == Phase::Idle {
            self.state.enter(Phase::Head);
        }
        to.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.state.enter(Phase::Read);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.state.enter(Phase::Read);
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called when all of an answer is with the system.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.state.phase() == Phase::Read {
            self.state.enter(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A child process may have the socket too: the other side sees the end all the same.
impl Drop for Io {
    fn drop(&mut self) {
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
