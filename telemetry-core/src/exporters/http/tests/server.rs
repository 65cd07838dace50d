//! A receiver that does what a test tells it, on a port of its own.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// What it does with a request.
#[derive(Clone)]
pub(super) enum Does {
    /// Answers, and waits for the next one.
    Answer(Vec<u8>),
    /// Answers, and closes the connection without saying so.
    AnswerAndClose(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Nothing, for ever.
    Hang,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The connections are counted from 1.
    pub(super) connection: usize,
    pub(super) version: &'static str,
    /// The first line and the headers, in lower case but for values.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    script: Arc<dyn Fn(usize) -> Does + Send + Sync>,
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// `script` is asked what to do with each request, counted from 0.
    pub(super) async fn start(script: impl Fn(usize) -> Does + Send + Sync + 'static) -> Self {
        Self::listen(None, script).await
    }

    pub(super) async fn listen(
        tls: Option<TlsAcceptor>,
        script: impl Fn(usize) -> Does + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, connections) = (Arc::default(), Arc::default());
        let server = Self { port, seen, connections, script: Arc::new(script), tls };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                let connection = server.connections.fetch_add(1, SeqCst) + 1;
                tokio::spawn(async move {
                    let Some(tls) = server.tls.clone() else { return server.serve(stream, connection).await };
                    let Ok(stream) = tls.accept(stream).await else { return };
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        server.serve_http2(stream, connection).await;
                    } else {
                        server.serve(stream, connection).await;
                    }
                });
            }
        });
        server
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn next(&self, seen: Seen) -> Does {
        let mut all = self.seen.lock().unwrap();
        all.push(seen);
        (self.script)(all.len() - 1)
    }

    /// HTTP/1.1, by hand: what is wrong with an answer is a matter of bytes.
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) {
        while let Some((head, body)) = request(&mut stream).await {
            match self.next(Seen { connection, version: "1.1", head, body }) {
                Does::Answer(bytes) => stream.write_all(&bytes).await.unwrap(),
                Does::AnswerAndClose(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    let _ = stream.shutdown().await;
                    return;
                }
                Does::Close => return,
                Does::Hang => std::future::pending().await,
            }
        }
    }

    /// HTTP/2: an answer is an empty 200.
    async fn serve_http2(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: usize,
    ) {
        use hyper::{Request, Response, body::Incoming, service::service_fn};
        let (server, task) = (self.clone(), Arc::<OnceLock<AbortHandle>>::default());
        let (closes, executor) = (task.clone(), hyper_util::rt::TokioExecutor::new());
        let answer = service_fn(move |request: Request<Incoming>| {
            let head = format!("{} {}", request.method(), request.uri());
            if let Does::Close = server.next(Seen { connection, version: "2", head, body: Vec::new() }) {
                closes.get().unwrap().abort();
            }
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(String::new())))
        });
        let builder = hyper::server::conn::http2::Builder::new(executor);
        let serving = tokio::spawn(builder.serve_connection(hyper_util::rt::TokioIo::new(stream), answer));
        task.set(serving.abort_handle()).unwrap();
        let _ = serving.await;
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let end = loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut all).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = all.split_off(end);
    let head = String::from_utf8(all).unwrap();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    let length = length.unwrap_or("0").parse().unwrap();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}

/// An answer with these headers, each with its line's end.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
