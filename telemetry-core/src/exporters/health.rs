//! How an exporter fares.

use std::time::Duration;

/// How an exporter fares at one moment: whether its backend takes what it is given, and how far it is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterHealth {
    /// As the ledger calls it.
    pub name: String,
    /// When it last delivered something, in nanoseconds since the Unix epoch.
    pub last_success_unix_nano: Option<u64>,
    /// Attempts since then that did not deliver all they had, refusals and panics included.
    pub failures: u32,
    /// For how long the oldest item waits that it has not delivered; none where there is none.
    pub oldest_waiting: Option<Duration>,
    /// What it does.
    pub activity: Activity,
    /// Nothing is attempted until somebody resumes it.
    pub is_paused: bool,
}

/// What an exporter does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It waits for items.
    #[default]
    Idle,
    /// It waits a moment for more items, for a larger request.
    Linger,
    /// It waits for its rate limit.
    RateLimit,
    /// Attempts failed: it waits for the time of the next one.
    Backoff,
    /// Requests are out.
    Send,
    /// Nothing: it is paused.
    Pause,
}
