//! Requests that last until the last byte of their answer.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body as _, Frame};
use telemetry_layer::HttpServerLayer;
use telemetry_tests::{ready, recorded};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::{ACTIVE, DURATION, duration, fields, head, read, request, run, send, serve, tag};

#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

type Frames = Result<Frame<Bytes>, Broken>;

/// A body that comes as a test sends it, and whose end nobody knows before.
struct Stream(UnboundedReceiver<Frames>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frames>> {
        self.0.poll_recv(cx)
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

/// An app that answers once, with a body that is sent to it.
fn streaming(headers: &[(&'static str, &'static str)]) -> (Router, UnboundedSender<Frames>) {
    let (sender, receiver) = unbounded_channel();
    let (once, headers) = (Arc::new(Mutex::new(Some(receiver))), headers.to_vec());
    let handler = move || async move {
        let mut answer = Response::builder();
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        answer.body(Body::new(Stream(once.lock().unwrap().take().unwrap()))).unwrap()
    };
    (Router::new().route("/stream", get(handler)), sender)
}

#[test]
fn a_request_ends_with_its_last_byte_by_choice() {
    for until_body_ends in [false, true] {
        let (seen, kept, metrics) = run(async |collector| {
            let (routes, sender) = streaming(&[]);
            let layer = HttpServerLayer::new();
            let routes =
                if until_body_ends { routes.layer(layer.until_body_ends()) } else { routes.layer(layer) };
            let mut stream = send(serve(routes).await, &head("GET /stream")).await;
            sender.send(Ok(data("first"))).unwrap();
            let mut some = [0; 1024];
            let mut got = String::new();
            while !got.contains("first") {
                let n = stream.read(&mut some).await.unwrap();
                got.push_str(std::str::from_utf8(&some[..n]).unwrap());
            }
            let seen = collector.snapshot();
            sender.send(Ok(data("last"))).unwrap();
            drop(sender);
            assert!(read(stream).await.contains("last"));
            (seen.total(ACTIVE), seen.named(DURATION).count())
        });
        assert_eq!(seen, if until_body_ends { (1.0, 0) } else { (0.0, 1) });
        assert_eq!((metrics.total(ACTIVE), tag(&duration(&metrics), "error.type")), (0.0, "-"));
        assert_eq!((&*request(&kept).name, fields(request(&kept)).get("error.type")), ("GET /stream", None));
    }
}

#[test]
fn a_body_that_is_cut_off_is_a_request_that_was_cancelled() {
    let ((), kept, metrics) = run(async |_| {
        let (routes, sender) = streaming(&[]);
        let address = serve(routes.layer(HttpServerLayer::new().until_body_ends())).await;
        let mut stream = send(address, &head("GET /stream")).await;
        sender.send(Ok(data("first"))).unwrap();
        stream.read_u8().await.unwrap();
        drop(stream);
        sender.closed().await;
    });
    let (span, duration) = (request(&kept), duration(&metrics));
    assert_eq!((metrics.total(ACTIVE), span.status.as_ref().is_error()), (0.0, true));
    assert_eq!(
        (tag(&duration, "http.response.status_code"), tag(&duration, "error.type")),
        ("200", "cancelled")
    );
    assert_eq!(fields(span)["error.type"], "cancelled");
}

/// A server that has sent what it promised never asks for the end.
#[test]
fn a_body_ends_with_as_many_bytes_as_were_promised() {
    let ((), kept, metrics) = run(async |_| {
        let (routes, sender) = streaming(&[("content-length", "5")]);
        let address = serve(routes.layer(HttpServerLayer::new().until_body_ends())).await;
        let stream = send(address, &head("GET /stream")).await;
        sender.send(Ok(data("fi"))).unwrap();
        sender.send(Ok(data("rst"))).unwrap();
        assert!(read(stream).await.ends_with("\r\n\r\nfirst"));
        sender.closed().await;
    });
    assert_eq!((metrics.total(ACTIVE), tag(&duration(&metrics), "error.type")), (0.0, "-"));
    assert_eq!(fields(request(&kept)).get("error.type"), None);
}

/// Answers with a body that never ends by itself.
struct Streams(Option<Stream>, u16);

impl Service<Request<()>> for Streams {
    type Response = Response<Stream>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Stream>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let answer = Response::builder().status(self.1).body(self.0.take().unwrap());
        std::future::ready(Ok(answer.unwrap()))
    }
}

/// How a request ends whose body brings these frames and then nothing: `active` while it has not.
fn ended(method: Method, status: u16, frames: Vec<Frames>) -> String {
    let mut end = String::new();
    recorded(|collector| {
        let (sender, receiver) = unbounded_channel();
        let n = frames.len();
        frames.into_iter().for_each(|frame| sender.send(frame).unwrap());
        let mut service =
            HttpServerLayer::new().until_body_ends().layer(Streams(Some(Stream(receiver)), status));
        let request = Request::builder().method(method).body(()).unwrap();
        let mut body = pin!(ready(service.call(request)).unwrap().into_body());
        for _ in 0..n {
            assert!(body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        let metrics = collector.snapshot();
        end = if metrics.total(ACTIVE) > 0.0 {
            "active".to_owned()
        } else {
            tag(&duration(&metrics), "error.type").rsplit("::").next().unwrap().to_owned()
        };
    });
    end
}

#[test]
fn every_end_of_a_body_is_known() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    assert_eq!(ended(Method::GET, 200, vec![]), "active");
    assert_eq!(ended(Method::GET, 200, vec![Ok(data("a"))]), "active");
    assert_eq!(ended(Method::GET, 200, vec![Ok(data("a")), trailers()]), "-");
    assert_eq!(ended(Method::GET, 200, vec![Ok(data("a")), Err(Broken)]), "Broken");
    assert_eq!(ended(Method::GET, 503, vec![Ok(data("a")), Err(Broken)]), "503");
    // No byte follows the head of these.
    for (method, status) in [
        (Method::HEAD, 200),
        (Method::GET, 204),
        (Method::GET, 304),
        (Method::GET, 101),
        (Method::CONNECT, 200),
    ] {
        assert_eq!(ended(method, status, vec![]), "-", "{status}");
    }
    assert_eq!(ended(Method::CONNECT, 407, vec![]), "active");
}
