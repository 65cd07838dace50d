//! What went wrong on the way to a receiver, in plain words.

use std::error::Error;
use std::io;

use super::place::Place;
use crate::diagnostics::printable;
use crate::exporters::ExportError;

/// So much of it is told.
const MOST: usize = 300;

/// Nobody answered: that may be better another time.
pub(super) fn failure(at: &Place, error: &reqwest::Error) -> ExportError {
    let (what, causes) = (what(error), causes(error));
    let text = if causes.is_empty() { what.to_owned() } else { format!("{what}: {causes}") };
    ExportError::retry(printable(format_args!("{at}: {text}"), MOST))
}

/// Whether a connection that stood was closed before anything was answered on it.
pub(super) fn was_closed(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let closed = |cause: &(dyn Error + 'static)| {
        let http = cause.downcast_ref::<hyper::Error>();
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        http.is_some_and(|e| e.is_incomplete_message() || e.is_canceled() || e.is_closed())
            || matches!(io, Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
    };
    !error.is_connect() && chain(error).any(closed)
}

fn what(error: &reqwest::Error) -> &'static str {
    if error.is_builder() {
        "the request can't be made"
    } else if error.is_dns() {
        "the name of the host can't be looked up"
    } else if chain(error).any(is_tls) {
        "TLS failed"
    } else if error.is_connect() && error.is_timeout() {
        "no connection within the time-out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// An `io::Error` shows as its own cause that of the one that it holds.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// The causes in one line. One that says what the one above it says already is left out, and so is what each failure has
/// above its cause.
fn causes(error: &reqwest::Error) -> String {
    const NO_NEWS: [&str; 5] =
        ["connection error", "dns error", "error resolving DNS", "operation timed out", "tcp connect error"];
    let mut parts: Vec<String> = Vec::new();
    for cause in chain(error) {
        let part = cause.to_string().replace(['\r', '\n'], " ");
        let is_news = !NO_NEWS.contains(&&*part) && !part.starts_with("client error (");
        if is_news && !parts.last().is_some_and(|above| above.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}
