//! `check_at_start`: what becomes of a backend that does not answer when the collector starts.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::Error;
use crate::diagnostics::warn;
use crate::exporters::ExportError;

/// What to do when a backend does not answer at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum CheckAtStart {
    /// Say so on standard error, and go on: an outage must not stop the program.
    #[default]
    Warn,
    /// Fail the start.
    Fail,
    /// Don't look.
    Off,
}

impl CheckAtStart {
    /// A backend has this long to answer.
    pub(in crate::collector) const TIME: Duration = Duration::from_secs(3);

    pub(in crate::collector) fn await_result(
        self,
        exporter: &str,
        result: &Receiver<Result<(), ExportError>>,
    ) -> Result<(), Error> {
        if self == Self::Off {
            return Ok(());
        }
        // Nobody waits for a slow backend only to warn.
        let time = if self == Self::Fail { Self::TIME } else { Duration::from_millis(100) };
        let checked = match result.recv_timeout(time) {
            Ok(checked) => checked,
            Err(RecvTimeoutError::Timeout) if self == Self::Warn => Ok(()),
            Err(_) => Err(ExportError::retry(format!("no answer within {time:?}"))),
        };
        match checked {
            Ok(()) => Ok(()),
            Err(source) if self == Self::Fail => Err(Error::Check { exporter: exporter.to_owned(), source }),
            Err(e) => {
                warn(format_args!("exporter {exporter}: the check at the start failed: {e}"));
                Ok(())
            }
        }
    }
}
