//! How an attempt to export ended, and why an exporter could not be made.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::redaction::redacted;
use crate::text::Clean;

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

    /// What was refused besides.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.rejected = self.rejected.saturating_add(other.rejected);
        if self.reason.is_empty() {
            self.reason = other.reason;
        }
        self
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

/// The batch was not taken: perhaps it will be later, or smaller, or it never will. Whatever it holds, it prints as one line.
pub struct ExportError {
    again: Again,
    taken: usize,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Whether a batch is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Later,
    After(Duration),
    Smaller,
    Never,
}

impl ExportError {
    /// It may go well another time: no connection, an overloaded backend.
    pub fn retry(context: impl Into<String>) -> Self {
        Self::new(Again::Later, context)
    }

    /// The same, and the backend said how long to wait. That is obeyed up to 5 minutes; while a flush or a shutdown waits, no
    /// wait is longer than 1 second.
    pub fn retry_after(wait: Duration, context: impl Into<String>) -> Self {
        Self::new(Again::After(wait), context)
    }

    /// It may go well in smaller pieces: at once, each half is tried by itself, and requests stay that small for a while. A
    /// single item that is too large is refused.
    pub fn too_large(context: impl Into<String>) -> Self {
        Self::new(Again::Smaller, context)
    }

    /// It will never go well: the backend refused the batch as it is.
    pub fn never(context: impl Into<String>) -> Self {
        Self::new(Again::Never, context)
    }

    fn new(again: Again, context: impl Into<String>) -> Self {
        Self { again, taken: 0, context: context.into(), source: None }
    }

    /// The first items of the batch were taken before it failed: they count as delivered, and are not tried again.
    pub fn taken(mut self, items: usize) -> Self {
        self.taken = items;
        self
    }

    /// The same with its cause.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether it may go well another time.
    pub fn is_retryable(&self) -> bool {
        self.again != Again::Never
    }

    /// How long the backend asked to wait.
    pub fn wait(&self) -> Option<Duration> {
        if let Again::After(wait) = self.again { Some(wait) } else { None }
    }

    pub(crate) fn again(&self) -> Again {
        self.again
    }

    pub(crate) fn taken_items(&self) -> usize {
        self.taken
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Clean(&self.context))?;
        match &self.source {
            Some(source) => write!(f, ": {}", Clean(source)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportError")
            .field("again", &self.again)
            .field("taken", &self.taken)
            .field("context", &self.context)
            .field("source", &self.source.as_ref().map(Clean))
            .finish()
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

/// A URL that no exporter can be made from. It prints the URL without its secrets: `***` stands for user and password, and for the
/// values of options like `token`, `password`, `key` and `headers`.
#[derive(Debug, thiserror::Error)]
#[error("the export endpoint `{url}` can't be used: {reason}")]
pub struct EndpointError {
    url: String,
    reason: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl EndpointError {
    pub(super) fn new(url: &str, reason: String, source: Option<Box<dyn StdError + Send + Sync>>) -> Self {
        let (url, reason) = (Clean(redacted(url)).to_string(), Clean(reason).to_string());
        Self { url, reason, source }
    }

    /// The URL without its secrets.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_was_refused_than_can_be_counted() {
        let both = Delivery::partial(usize::MAX, "").and(Delivery::partial(7, "too old"));
        assert_eq!((both.rejected(), both.reason()), (usize::MAX, "too old"));
    }
}
