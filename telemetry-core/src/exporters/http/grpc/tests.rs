//! Calls to a receiver that answers what a test tells it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Client;
use crate::exporters::http::tests::run;
use crate::exporters::http::{Auth, Compression, Secret, Settings};
use crate::exporters::otlp::Otlp;
use crate::exporters::protocol::Protocol as _;
use crate::exporters::{Again, Signal};

const METHOD: &str = "shop.v1.Till/Sell";

/// A call that came.
#[derive(Clone)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

struct Receiver {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

impl Receiver {
    /// Each call gets that answer.
    async fn start(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let (seen, answer) = (receiver.seen.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = (seen.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        seen.lock().unwrap().push(Seen {
                            path: head.uri.path().to_owned(),
                            headers: head.headers,
                            body,
                        });
                        Ok::<_, Infallible>(answer())
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        receiver
    }

    fn client(&self, change: impl FnOnce(&mut Settings)) -> Client {
        client(self.port, change)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn client(port: u16, change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = Settings::new(&format!("http://127.0.0.1:{port}")).unwrap();
    change(&mut settings);
    Client::new(settings).unwrap()
}

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// A body, and a status in the trailers.
fn answer(body: &'static [u8], trailers: &[(&'static str, &str)]) -> Answer {
    let trailers = headers(trailers);
    let body = Full::new(Bytes::from_static(body)).with_trailers(async { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(body.boxed()).unwrap()
}

/// No body, and these headers.
fn head(status: u16, of: &[(&'static str, &str)], body: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed());
    *answer.status_mut() = status.try_into().unwrap();
    *answer.headers_mut() = headers(of);
    answer
}

const OK: [(&str, &str); 1] = [("grpc-status", "0")];

#[test]
fn a_call_has_what_the_settings_say_and_its_answer_is_the_message() {
    run(async {
        let receiver = Receiver::start(|| answer(b"\0\0\0\0\x03yes", &OK)).await;
        let plain = receiver.client(|settings| {
            settings.header("X-Scope", "shop").unwrap();
            settings.user_agent = "shop/3".to_owned();
            settings.auth = Some(Auth::Bearer(Secret::Text("t0ken".to_owned())));
        });
        for _ in 0..2 {
            assert_eq!(plain.call(METHOD, "hello".into()).await.unwrap().as_deref(), Some(&b"yes"[..]));
        }
        let user = receiver.client(|settings| {
            let password = Secret::Text("s t".to_owned());
            settings.auth = Some(Auth::Basic { user: "me".to_owned(), password });
        });
        user.call(METHOD, "".into()).await.unwrap();
        let seen = receiver.seen();
        assert_eq!((&*seen[0].path, &seen[0].body[..]), ("/shop.v1.Till/Sell", &b"\0\0\0\0\x05hello"[..]));
        for (name, value) in [
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "shop/3"),
            ("x-scope", "shop"),
            ("authorization", "Bearer t0ken"),
        ] {
            assert_eq!(seen[0].headers[name], value);
        }
        assert!(seen[0].headers.get("grpc-encoding").is_none());
        // "me:s t"
        assert_eq!(seen[2].headers["authorization"], "Basic bWU6cyB0");
        assert_eq!(seen[2].body, b"\0\0\0\0\0"[..]);
    });
}

#[test]
fn headers_of_the_settings_take_nothing_away_that_makes_it_a_call() {
    run(async {
        let receiver = Receiver::start(|| answer(b"\0\0\0\0\0", &OK)).await;
        let client = receiver.client(|settings| {
            for (name, value) in [
                ("Content-Type", "application/x-protobuf"),
                ("TE", "gzip"),
                ("grpc-encoding", "identity"),
                ("Authorization", "mine"),
                ("User-Agent", "mine"),
            ] {
                settings.header(name, value).unwrap();
            }
            settings.compression = Compression::Gzip;
            settings.auth = Some(Auth::Bearer(Secret::Text("t0ken".to_owned())));
        });
        client.call(METHOD, "1".into()).await.unwrap();
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-encoding", "gzip"),
            ("authorization", "Bearer t0ken"),
            ("user-agent", "mine"),
        ] {
            assert_eq!(receiver.seen()[0].headers[name], value);
        }
    });
}

/// A body that never ends.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[test]
fn a_status_in_the_headers_counts_whatever_comes_behind_it() {
    run(async {
        for (code, is_taken) in [("0", true), ("14", false)] {
            let receiver = Receiver::start(move || {
                Response::builder().header("grpc-status", code).body(Endless.boxed()).unwrap()
            })
            .await;
            let called = receiver.client(|_| {}).call(METHOD, "1".into()).await;
            assert_eq!(called.is_ok(), is_taken, "{called:?}");
        }
    });
}

#[test]
fn a_connection_stands_within_its_time_with_tls() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let mut settings = Settings::new(&url).unwrap();
        settings.connect_timeout = Duration::from_millis(50);
        let error = Client::new(settings).unwrap().call(METHOD, "1".into()).await.unwrap_err();
        assert!(error.to_string().contains("no connection within the time-out"), "{error}");
    });
}

#[test]
fn what_a_partial_success_says_is_one_line_without_secrets() {
    run(async {
        // The text is 20 bytes long.
        let receiver =
            Receiver::start(|| answer(b"\0\0\0\0\x1a\x0a\x18\x08\x01\x12\x14no t0ken-hush\nmore..", &OK))
                .await;
        let mut settings = Settings::new(&format!("http://127.0.0.1:{}", receiver.port)).unwrap();
        settings.auth = Some(Auth::Bearer(Secret::Text("t0ken-hush".to_owned())));
        let otlp = Otlp::over_grpc(settings, [true; 3]).unwrap();
        let delivery = otlp.send(Signal::Spans, Bytes::new()).await.unwrap();
        assert_eq!((delivery.rejected(), delivery.reason()), (1, "no ***"));
    });
}

#[test]
fn messages_are_compressed() {
    run(async {
        let receiver = Receiver::start(|| answer(b"\0\0\0\0\0", &OK)).await;
        let body = b"hello ".repeat(1000);
        receiver
            .client(|settings| settings.compression = Compression::Gzip)
            .call(METHOD, body.clone().into())
            .await
            .unwrap();
        #[cfg(feature = "zstd")]
        receiver
            .client(|settings| settings.compression = Compression::Zstd)
            .call(METHOD, body.clone().into())
            .await
            .unwrap();
        let seen = receiver.seen();
        for of in &seen {
            let (head, packed) = of.body.split_at(5);
            assert_eq!(head, [&[1][..], &(packed.len() as u32).to_be_bytes()].concat());
            assert!(packed.len() < 200);
        }
        assert_eq!(seen[0].headers["grpc-encoding"], "gzip");
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&seen[0].body[5..]), &mut unpacked)
            .unwrap();
        assert!(unpacked == body);
        #[cfg(feature = "zstd")]
        {
            assert_eq!(seen[1].headers["grpc-encoding"], "zstd");
            assert!(zstd::decode_all(&seen[1].body[5..]).unwrap() == body);
        }
    });
}

#[test]
fn a_status_comes_in_trailers_or_in_headers() {
    run(async {
        let busy = [("grpc-status", "14"), ("grpc-message", "too%20busy")];
        let odd =
            [("grpc-status", "14"), ("grpc-message", "odd"), ("grpc-status-details-bin", "*not base64*")];
        let limit = "Received message larger than max";
        let large = [("grpc-status", "8"), ("grpc-message", limit)];
        let html = [("content-type", "text/html")];
        let grpc = [("content-type", "application/grpc")];
        for (answer, again, says) in [
            (
                Box::new(move || answer(b"", &busy)) as Box<dyn Fn() -> Answer + Send + Sync>,
                Again::Later,
                "UNAVAILABLE: too busy",
            ),
            (Box::new(move || answer(b"\0\0\0\0\x01x", &busy)), Again::Later, "UNAVAILABLE: too busy"),
            (Box::new(move || head(200, &busy, "")), Again::Later, "UNAVAILABLE: too busy"),
            (Box::new(move || head(200, &odd, "")), Again::Later, "UNAVAILABLE: odd"),
            (
                Box::new(move || head(200, &large, "")),
                Again::Smaller,
                "RESOURCE_EXHAUSTED: Received message larger than max",
            ),
            (Box::new(move || answer(b"", &[])), Again::Later, "the answer ended without a status"),
            (Box::new(move || head(200, &grpc, "")), Again::Later, "the answer ended without a status"),
            (Box::new(move || head(200, &html, "<html>")), Again::Never, "the answer is not one of gRPC"),
            (
                Box::new(move || head(503, &[("retry-after", "7")], "full")),
                Again::After(Duration::from_secs(7)),
                "answered 503 Service Unavailable: full",
            ),
            (Box::new(move || head(413, &html, "<html>")), Again::Smaller, "answered 413"),
            (Box::new(move || head(404, &html, "")), Again::Never, "answered 404 Not Found"),
            (Box::new(move || head(404, &busy, "")), Again::Later, "UNAVAILABLE: too busy"),
        ] {
            let receiver = Receiver::start(answer).await;
            let error = receiver.client(|_| {}).call(METHOD, "1".into()).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(says) && text.contains(METHOD), "{text}");
            assert_eq!(error.again(), again, "{text}");
        }
    });
}

#[test]
fn what_is_no_message_is_none() {
    run(async {
        for body in [&b""[..], b"\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a"] {
            let receiver = Receiver::start(move || answer(body, &OK)).await;
            assert_eq!(receiver.client(|_| {}).call(METHOD, "1".into()).await.unwrap(), None, "{body:?}");
        }
    });
}

#[test]
fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    run(async {
        let receiver = Receiver::start(|| answer(&[0; 1000], &OK)).await;
        let client = receiver.client(|settings| settings.max_response_bytes = 999);
        let error = client.call(METHOD, "1".into()).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("longer than 999 bytes"), "{error}");
    });
}

#[test]
fn a_port_that_speaks_http_1_is_said_to() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut preface = [0; 24];
                stream.read_exact(&mut preface).await.unwrap();
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        for _ in 0..20 {
            let error = client(port, |_| {}).call(METHOD, "1".into()).await.unwrap_err();
            let text = error.to_string();
            assert!(
                error.is_retryable() && text.contains("seems not to speak HTTP/2, which gRPC needs"),
                "{text}"
            );
        }
    });
}

#[test]
fn who_is_not_there_or_never_answers_is_said() {
    run(async {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let error = client(nobody, |_| {}).call(METHOD, "1".into()).await.unwrap_err();
        assert!(
            error.is_retryable() && error.to_string().contains("no connection: Connection refused"),
            "{error}"
        );
        let settings = Settings::new("http://no.such.host.invalid:4317").unwrap();
        let error = Client::new(settings).unwrap().call(METHOD, "1".into()).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("can't be looked up"), "{error}");
        let settings = Settings::new("http://h:4317/v1/traces").unwrap();
        assert_eq!(Client::new(settings).unwrap_err(), "over gRPC its URL has no path");
    });
}
