//! An error with the errors that caused it, in one line.

use std::error::Error;
use std::fmt;

/// The name that OpenTelemetry gives to what an error says: here with its sources.
pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";

/// So many sources of an error are told: a chain may have no end.
const MAX_SOURCES: usize = 16;

/// What an error says, and behind it what each of its sources does.
pub(super) struct Chain<'a>(pub(super) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        for _ in 0..MAX_SOURCES {
            let Some(error) = source else { return Ok(()) };
            write!(f, ": {error}")?;
            source = error.source();
        }
        if source.is_some() { f.write_str(": ..") } else { Ok(()) }
    }
}
