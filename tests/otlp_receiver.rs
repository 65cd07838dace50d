//! A receiver of OTLP or anything else over HTTP that takes and keeps all bodies.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};

/// Paths, headers and bodies, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Received(pub(crate) Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>);

impl Received {
    /// What came to a path, but for requests without items.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Bytes> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|(at, _, body)| at == path && !body.is_empty())
            .map(|(.., body)| body.clone())
            .collect()
    }
}

/// A receiver on a port of its own, which ends with the test.
pub(crate) fn receiver() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, uri: Uri, headers: HeaderMap, body: Bytes| {
        received.0.lock().unwrap().push((uri.path().to_owned(), headers, body));
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
