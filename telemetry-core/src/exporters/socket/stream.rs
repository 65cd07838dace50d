//! A stream: a body is written whole, and what the other side says meanwhile is read.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::failure::Failure;
use super::heard::{Begun, Heard};

/// TCP, TLS or a Unix socket.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One that stands.
pub(super) struct Stream {
    duplex: Box<dyn Duplex>,
    begun: Begun,
}

impl Stream {
    pub(super) fn new(duplex: impl Duplex + 'static) -> Self {
        Self { duplex: Box::new(duplex), begun: Begun::default() }
    }

    /// Why it is over, with what the other side said last on it.
    pub(super) fn broken(&self, e: io::Error) -> Failure {
        Failure::Broken(e, self.begun.last.clone())
    }

    /// Hands all of it to the kernel, and looks whether the other side has closed the connection before it can have read all of it.
    pub(super) async fn send(&mut self, body: &[u8], heard: &RefCell<Heard>) -> io::Result<()> {
        let mut rest = body;
        poll_fn(|cx| {
            // Who is not listened to may stop to listen.
            if let Poll::Ready(end) = self.poll_hear(cx, &mut heard.borrow_mut()) {
                return Poll::Ready(Err(end));
            }
            while !rest.is_empty() {
                match ready!(Pin::new(&mut *self.duplex).poll_write(cx, rest)) {
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Ok(n) => rest = &rest[n..],
                    Err(e) => return Poll::Ready(Err(e)),
                }
            }
            Pin::new(&mut *self.duplex).poll_flush(cx)
        })
        .await?;
        self.look(heard).await
    }

    /// An error, if the other side is known to have closed the connection. It does not wait.
    pub(super) async fn look(&mut self, heard: &RefCell<Heard>) -> io::Result<()> {
        // What has come since the thread last waited stands in the kernel: the runtime asks for it when it has nothing else to do.
        tokio::task::yield_now().await;
        poll_fn(|cx| match self.poll_hear(cx, &mut heard.borrow_mut()) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Waits so long for the other side to close the connection: then that is the error.
    pub(super) async fn settle(&mut self, wait: Duration, heard: &RefCell<Heard>) -> io::Result<()> {
        let end = poll_fn(|cx| self.poll_hear(cx, &mut heard.borrow_mut()));
        timeout(wait, end).await.map_or(Ok(()), Err)
    }

    /// Reads what is there, but not for ever. It is ready when nothing more will come.
    fn poll_hear(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<io::Error> {
        const ROUNDS: usize = 16;
        let mut bytes = [0; 4096];
        for _ in 0..ROUNDS {
            let mut read = ReadBuf::new(&mut bytes);
            let end = match ready!(Pin::new(&mut *self.duplex).poll_read(cx, &mut read)) {
                Ok(()) if read.filled().is_empty() => {
                    io::Error::new(io::ErrorKind::UnexpectedEof, "the other side closed it")
                }
                Ok(()) => {
                    self.begun.add(read.filled(), heard);
                    continue;
                }
                Err(e) => e,
            };
            self.begun.end(heard);
            return Poll::Ready(end);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
