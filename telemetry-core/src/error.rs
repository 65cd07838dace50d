//! What can go wrong when telemetry is set up. Recording never fails.

use std::fmt;

use crate::exporters::{EndpointError, ExportError};
use crate::text::{Clean, Quoted};

/// Why telemetry could not be set up.
///
/// `Debug` prints the same sentence as `Display`, so that `fn main() -> Result<(), Error>` ends readably.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong, in code, in the environment or in a file.
    #[error("{}={}: {}", Clean(.name), Clean(.value), Clean(.reason))]
    #[non_exhaustive]
    Config {
        /// The variable or the field.
        name: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An export endpoint can't be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A backend did not answer at the start, and `check_at_start` is `fail`.
    #[error("exporter {}: the check at the start failed: {source}", Quoted::word(.exporter))]
    #[non_exhaustive]
    Check {
        /// The exporter.
        exporter: String,
        /// What it said.
        source: ExportError,
    },
    /// A reader could not take its source.
    #[error("reader {}: {}", Quoted::new(.reader, ":"), Clean(.source))]
    #[non_exhaustive]
    Reader {
        /// The reader.
        reader: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An exporter can't be used.
    #[error("an exporter can't be used: {}", Clean(.0))]
    Exporter(String),
    /// There is no exporter of that name, or reader.
    #[error("there is no exporter {}; {}", Quoted::word(.name), listed(.known))]
    #[non_exhaustive]
    UnknownExporter {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// There is a global collector already.
    #[error("a global collector is installed already; a program has one")]
    AlreadyInstalled,
    /// The collector was shut down.
    #[error("the collector was shut down")]
    ShutDown,
    /// A thread could not be started.
    #[error("a thread can't be started: {0}")]
    Thread(#[source] std::io::Error),
    /// Another part of the set-up, for instance a `tracing` subscriber that is installed already.
    #[error("{}", Clean(.0))]
    Setup(String),
}

/// Names that there are.
fn listed(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| Quoted::word(name).to_string()).collect();
    if names.is_empty() { "none is there".to_owned() } else { format!("there are: {}", names.join(", ")) }
}

impl Error {
    pub(crate) fn exporter(reason: impl Into<String>) -> Self {
        Self::Exporter(reason.into())
    }

    pub(crate) fn reader(reason: &str) -> Self {
        Self::Reader { reader: "of the program".to_owned(), source: reason.into() }
    }

    /// A setting that is wrong.
    #[doc(hidden)]
    pub fn config(name: impl Into<String>, value: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Config { name: name.into(), value: value.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
