//! A receiver of OTLP or anything else over HTTP that keeps all bodies.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri};

/// Paths, headers and bodies, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Received(pub(crate) Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>);

impl Received {
    /// What came to a path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Bytes> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|(at, _, body)| at == path && !is_check(body))
            .map(|(.., body)| body.clone())
            .collect()
    }
}

/// A request without items, in protobuf or in JSON.
fn is_check(body: &[u8]) -> bool {
    body.is_empty() || body.starts_with(b"{\"resource") && body.ends_with(b":[]}")
}

/// A receiver on a port of its own, which ends with the test; it answers as `answer` says, in what it is asked in.
pub(crate) fn receiver(
    answer: impl Fn(&str) -> (u16, Vec<u8>) + Clone + Send + Sync + 'static,
) -> (String, Received) {
    let received = Received::default();
    let take = move |State(received): State<Received>, uri: Uri, headers: HeaderMap, body: Bytes| {
        let answer = answer.clone();
        async move {
            let (status, said) = if is_check(&body) { (200, Vec::new()) } else { answer(uri.path()) };
            let content_type = headers.get("content-type").cloned();
            let content_type = content_type.unwrap_or(HeaderValue::from_static("text/plain"));
            received.0.lock().unwrap().push((uri.path().to_owned(), headers, body));
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, [("content-type", content_type)], said)
        }
    };
    let app = Router::new().fallback(take).with_state(received.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    (address.to_string(), received)
}

pub(crate) fn all_taken(_: &str) -> (u16, Vec<u8>) {
    (200, Vec::new())
}
