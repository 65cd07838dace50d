//! What became of one attempt to export.

use std::time::Duration;

use super::signal::Signal;

/// What became of one attempt to export, for [`Builder::on_export`](crate::Builder::on_export).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportReport {
    /// The exporter, as the ledger calls it.
    pub exporter: String,
    /// What was sent.
    pub signal: Signal,
    /// Which attempt it was for these items, from 1 on.
    pub attempt: u32,
    /// How many items were sent.
    pub items: u64,
    /// How many of them the backend took.
    pub delivered: u64,
    /// How many it refused for good.
    pub rejected: u64,
    /// How many are dropped because they have been tried for too long.
    pub expired: u64,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// How long the attempt took.
    pub duration: Duration,
    /// What happens to the rest.
    pub next: NextAttempt,
}

/// What happens to items of an attempt that are neither delivered nor lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextAttempt {
    /// Nothing: there are none.
    #[default]
    Settled,
    /// They are tried again, not before that much time has passed.
    After(Duration),
    /// They are tried again at once, in smaller requests.
    Smaller,
}

impl ExportReport {
    /// Whether all was taken.
    pub fn is_success(&self) -> bool {
        self.delivered == self.items
    }
}
