//! What went wrong on the way to the other side, in plain words.

use std::fmt;
use std::io;

use super::settings::Place;
use crate::exporters::ExportError;
use crate::text;

/// So much of it is told.
const MOST: usize = 300;

/// Why an attempt ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// The files that the settings name.
    Files(String),
    /// The name of the host.
    Name(io::Error),
    Refused(io::Error),
    /// No connection came in time.
    Late,
    Tls(io::Error),
    /// It stood, and is over; what the other side said last on it.
    Broken(io::Error, Option<String>),
    /// A packet can't go there now.
    Unsent(io::Error),
    /// Nobody listens where packets go.
    NobodyListens(io::Error),
    /// The system takes no such packet, now or later.
    TooLarge(usize, io::Error),
}

impl Failure {
    /// Whether a connection that was kept may simply have ended while nothing was sent on it.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Broken(e, _) if is_end(e))
    }

    /// The error of the attempt, which names the place.
    pub(super) fn error(self, at: &Place) -> ExportError {
        let text = text::line(format_args!("{at}: {self}"), MOST);
        if matches!(self, Self::TooLarge(..)) { ExportError::never(text) } else { ExportError::retry(text) }
    }
}

/// What the kernel says of a connection that the other side has closed.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, UnexpectedEof,
    };
    // A Unix socket for packets whose reader has gone is refused, or not connected any more.
    let ends =
        [BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, UnexpectedEof];
    ends.contains(&error.kind())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(reason) => f.write_str(reason),
            Self::Name(e) => write!(f, "the name of the host can't be looked up: {e}"),
            Self::Refused(e) => write!(f, "no connection: {e}"),
            Self::Late => f.write_str("no connection within the time-out"),
            Self::Tls(e) => write!(f, "TLS failed: {e}"),
            Self::Broken(e, None) => write!(f, "the connection broke: {e}"),
            Self::Broken(e, Some(said)) => write!(f, "the connection broke: {e}; it said: {said}"),
            Self::Unsent(e) => write!(f, "nothing can be sent there: {e}"),
            Self::NobodyListens(e) => write!(f, "nobody listens there: {e}"),
            Self::TooLarge(bytes, e) => {
                write!(
                    f,
                    "a packet of {bytes} bytes is more than the system takes (`packet_bytes` may be less): {e}"
                )
            }
        }
    }
}
