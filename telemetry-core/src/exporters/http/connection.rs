//! What went wrong on the way to a receiver, in plain words.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;

use super::place::Place;
use crate::exporters::ExportError;
use crate::text;

/// So much of it is told.
const MOST: usize = 300;

/// What `reqwest` and `hyper` say of a name that can't be looked up, and of a connection that took too long.
const NO_NAME: [&str; 2] = ["dns error", "error resolving DNS"];
const NO_TIME: [&str; 2] = ["operation timed out", "deadline has elapsed"];

/// Nobody answered: that may be better another time. `what` says it in short.
pub(super) fn failure(at: &Place, what: &str, error: &(dyn Error + 'static)) -> ExportError {
    let causes = causes(error);
    let text = if causes.is_empty() { what.to_owned() } else { format!("{what}: {causes}") };
    ExportError::retry(text::line(format_args!("{at}: {text}"), MOST))
}

/// Whether a connection that stood was closed before anything was answered on it.
pub(super) fn was_closed(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let closed = |cause: &(dyn Error + 'static)| {
        let http = cause.downcast_ref::<hyper::Error>();
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        http.is_some_and(|e| e.is_incomplete_message() || e.is_canceled() || e.is_closed())
            || matches!(io, Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
    };
    !is_connect(error) && chain(error).any(closed)
}

/// Whether a connection was waited for that another request did not get. It has no type of its own.
#[cfg(feature = "otlp-grpc")]
pub(super) fn waited_for_another(error: &(dyn Error + 'static)) -> bool {
    is_connect(error) && chain(error).any(|cause| cause.to_string() == "request was canceled")
}

/// What became of a connection.
pub(super) fn what(error: &(dyn Error + 'static)) -> &'static str {
    let says = |texts: &[&str]| chain(error).any(|cause| texts.contains(&&*cause.to_string()));
    if says(&NO_NAME) {
        "the name of the host can't be looked up"
    } else if chain(error).any(is_tls) {
        "TLS failed"
    } else if !is_connect(error) {
        "the connection broke"
    } else if says(&NO_TIME) {
        "no connection within the time-out"
    } else {
        "no connection"
    }
}

/// Whether no connection was there yet.
fn is_connect(error: &(dyn Error + 'static)) -> bool {
    let all = std::iter::once(error).chain(chain(error));
    all.filter_map(|cause| cause.downcast_ref::<legacy::Error>()).any(legacy::Error::is_connect)
}

/// An `io::Error` shows as its own cause that of the one that it holds.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

/// The causes of an error, from above.
pub(super) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// The causes. One that says what the one above it says already is left out, and so is what each failure has
/// above its cause.
fn causes(error: &(dyn Error + 'static)) -> String {
    const NO_NEWS: [&str; 2] = ["connection error", "tcp connect error"];
    let mut parts: Vec<String> = Vec::new();
    for cause in chain(error) {
        let part = cause.to_string();
        let is_known = [NO_NAME, NO_TIME, NO_NEWS].iter().flatten().any(|known| *known == part);
        let is_news = !is_known && !part.starts_with("client error (");
        if is_news && !parts.last().is_some_and(|above| above.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}
