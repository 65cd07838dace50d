//! gRPC on one connection: each request is a stream of HTTP/2, and is done with what the script says.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use super::http1::reset;
use super::server::Shared;
use super::{Act, Answer, rpc};

/// Nobody waits for room.
const WINDOW: u32 = 64 << 20;

/// How a request ends its connection.
enum End {
    /// It says so, and lets others end.
    Gracefully,
    Close,
    Reset,
}

/// Serves a connection until it ends, in a runtime of its own.
pub(super) fn serve(shared: &Arc<Shared>, tcp: &TcpStream, connection: u32) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let own = tcp.try_clone()?;
        own.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(own)?;
        match &shared.setup.tls {
            None => speak(shared, tcp, stream, connection).await,
            Some(config) => {
                let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                speak(shared, tcp, stream, connection).await
            }
        }
    })
}

async fn speak(
    shared: &Arc<Shared>,
    tcp: &TcpStream,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: u32,
) -> io::Result<()> {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let mut h2: Connection<_, Bytes> = builder.handshake(stream).await.map_err(io::Error::other)?;
    let (ends, mut ended) = unbounded_channel();
    loop {
        let end = tokio::select! {
            Some(end) = ended.recv() => end,
            next = h2.accept() => {
                let Some(next) = next else { return Ok(()) };
                let (request, mut respond) = next.map_err(io::Error::other)?;
                let (shared, ends) = (Arc::clone(shared), ends.clone());
                tokio::spawn(async move {
                    let _ = answer(&shared, request, &mut respond, connection, &ends).await;
                });
                continue;
            }
        };
        if let End::Gracefully = end {
            h2.graceful_shutdown();
            continue;
        }
        // What was answered is written first.
        std::future::poll_fn(|cx| Poll::Ready(h2.poll_closed(cx).is_ready())).await;
        return if let End::Reset = end { reset(tcp) } else { Ok(()) };
    }
}

/// Reads a request and does what the script says. A stream that is dropped is reset, so what hangs never comes back.
async fn answer(
    shared: &Shared,
    request: Request<RecvStream>,
    respond: &mut SendResponse<Bytes>,
    connection: u32,
    ends: &UnboundedSender<End>,
) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    let mut headers = String::new();
    for (name, value) in &head.headers {
        headers.extend([name.as_str(), ": ", value.to_str().unwrap_or_default(), "\n"]);
    }
    let Some(frame) = frame(shared, body).await? else {
        return end(ends, End::Reset).await;
    };
    let path = head.uri.path().to_owned();
    let message = rpc::message(&frame).unwrap_or_else(|| b"no frame".to_vec());
    let Some(act) = shared.act(path, headers.to_ascii_lowercase(), &message, connection) else {
        return end(ends, End::Close).await;
    };
    match act {
        Act::Answer(answer) => send(respond, &answer, usize::MAX, None).await,
        Act::AnswerInBits(answer) => send(respond, &answer, 1, None).await,
        Act::AnswerWhen(gate, answer) => {
            let opened = tokio::task::spawn_blocking(move || gate.wait());
            send(respond, &answer, usize::MAX, Some(opened)).await
        }
        Act::AnswerAndClose(answer) => {
            send(respond, &answer, usize::MAX, None).await?;
            end(ends, End::Close).await
        }
        Act::AnswerAndEnd(answer) => {
            send(respond, &answer, usize::MAX, None).await?;
            let _ = ends.send(End::Gracefully);
            Ok(())
        }
        Act::Close(begin) => {
            let _begun = begin_with(respond, &begin)?;
            end(ends, End::Close).await
        }
        Act::Reset(begin) => {
            let _begun = begin_with(respond, &begin)?;
            end(ends, End::Reset).await
        }
        Act::Hang(begin) => {
            let _begun = begin_with(respond, &begin)?;
            std::future::pending().await
        }
        Act::ResetStream(code) => {
            respond.send_reset(Reason::from(code));
            Ok(())
        }
    }
}

/// The frame of a request; nothing where the request is to be reset, one half of which has come then.
async fn frame(shared: &Shared, mut body: RecvStream) -> Result<Option<Vec<u8>>, h2::Error> {
    let (mut frame, mut cut) = (Vec::new(), None);
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        frame.extend_from_slice(&chunk);
        let length = rpc::frame_length(&frame).filter(|length| *length > 5);
        cut = cut.or(length.map(|length| if shared.cuts_one() { length / 2 } else { usize::MAX }));
        if cut.is_some_and(|cut| frame.len() >= cut) {
            return Ok(None);
        }
    }
    Ok(Some(frame))
}

/// Ends the connection; what belongs to the request is kept until then, as it would be reset.
async fn end(ends: &UnboundedSender<End>, how: End) -> Result<(), h2::Error> {
    let _ = ends.send(how);
    std::future::pending().await
}

/// The head of an answer, if it is to begin with anything.
fn begin_with(
    respond: &mut SendResponse<Bytes>,
    begin: &[u8],
) -> Result<Option<h2::SendStream<Bytes>>, h2::Error> {
    let head = || response(&Answer::of(200).header("content-type", "application/grpc"));
    if begin.is_empty() { Ok(None) } else { respond.send_response(head(), false).map(Some) }
}

/// Sends it in pieces of so many bytes, all but the head when the gate is open. Without a body all of it is the head.
async fn send(
    respond: &mut SendResponse<Bytes>,
    answer: &Answer,
    piece: usize,
    opened: Option<tokio::task::JoinHandle<()>>,
) -> Result<(), h2::Error> {
    let mut head = response(answer);
    if answer.body.is_empty() {
        if let Some(opened) = opened {
            let _ = opened.await;
        }
        head.headers_mut().extend(fields(&answer.trailers));
        return respond.send_response(head, true).map(drop);
    }
    let mut stream = respond.send_response(head, false)?;
    if let Some(opened) = opened {
        let _ = opened.await;
    }
    let pieces: Vec<&[u8]> = answer.body.chunks(piece.min(answer.body.len())).collect();
    for (n, piece) in pieces.iter().enumerate() {
        let is_last = n + 1 == pieces.len() && answer.trailers.is_empty();
        stream.send_data(Bytes::copy_from_slice(piece), is_last)?;
        tokio::task::yield_now().await;
    }
    if answer.trailers.is_empty() { Ok(()) } else { stream.send_trailers(fields(&answer.trailers)) }
}

fn response(answer: &Answer) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = answer.status.try_into().expect("a status");
    response.headers_mut().extend(fields(&answer.headers));
    response
}

fn fields(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
    };
    fields.iter().map(field).collect()
}
