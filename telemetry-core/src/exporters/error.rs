//! How an attempt to export ended, and why an exporter could not be made.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The backend answered that it took the batch, all of it or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    rejected: usize,
    reason: String,
}

impl Delivery {
    /// Every item was taken.
    pub fn all() -> Self {
        Self { rejected: 0, reason: String::new() }
    }

    /// So many items were refused for good; the others were taken. They are not tried again.
    pub fn partial(rejected: usize, reason: impl Into<String>) -> Self {
        Self { rejected, reason: reason.into() }
    }

    /// How many items the backend refused.
    pub fn rejected(&self) -> usize {
        self.rejected
    }

    /// Why it refused them.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// The batch was not taken: perhaps it will be later, or it never will.
#[derive(Debug)]
pub struct ExportError {
    kind: Kind,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Retry(Option<Duration>),
    Never,
}

impl ExportError {
    /// It may go well another time: no connection, an overloaded backend.
    pub fn retry(context: impl Into<String>) -> Self {
        Self { kind: Kind::Retry(None), context: context.into(), source: None }
    }

    /// The same, and the backend said how long to wait.
    pub fn retry_after(wait: Duration, context: impl Into<String>) -> Self {
        Self { kind: Kind::Retry(Some(wait)), context: context.into(), source: None }
    }

    /// It will never go well: the backend refused the batch as it is.
    pub fn never(context: impl Into<String>) -> Self {
        Self { kind: Kind::Never, context: context.into(), source: None }
    }

    /// The same with its cause.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether it may go well another time.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Retry(_))
    }

    /// How long the backend asked to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self.kind {
            Kind::Retry(wait) => wait,
            Kind::Never => None,
        }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for ExportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A failed read or write may go well another time, unless what is to be read or written is not there, not allowed or
/// wrong.
impl From<std::io::Error> for ExportError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, PermissionDenied, Unsupported};
        let context = "input or output failed";
        let made = match error.kind() {
            InvalidData | InvalidInput | NotFound | PermissionDenied | Unsupported => Self::never(context),
            _ => Self::retry(context),
        };
        made.caused_by(error)
    }
}

/// A URL that no exporter can be made from.
#[derive(Debug, thiserror::Error)]
#[error("the export endpoint `{url}` can't be used: {reason}")]
pub struct EndpointError {
    url: String,
    reason: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl EndpointError {
    pub(super) fn new(
        url: impl Into<String>,
        reason: String,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { url: url.into(), reason, source }
    }
}
