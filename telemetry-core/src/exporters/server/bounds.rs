//! How much strangers may take of us.

use std::time::Duration;

/// What all who ask for pages may take together, and each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at a time. One more closes the one that has been idle the longest; where none is idle it is refused.
    pub(crate) connections: usize,
    /// The head of a request in bytes, and its headers; longer ones are answered by 431.
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    /// The body of a request in bytes; longer ones, and those that don't say how long they are, are answered by 413.
    pub(crate) body_bytes: u64,
    /// Bodies of answers that were not read yet. Beyond that the reader that has taken the longest is closed.
    pub(crate) unread_bytes: usize,
    /// From its first byte, the head of a request has to be there within that time.
    pub(crate) head: Duration,
    /// A connection without a request stays open so long.
    pub(crate) idle: Duration,
    /// A request may wait so long for its answer.
    pub(crate) answer: Duration,
    /// An answer has to be read within that time.
    pub(crate) read: Duration,
    /// After an answer was made, nothing else is made for as long as that took, but at most for so long: so whoever asks without
    /// pause takes half of a core.
    pub(crate) rest: Duration,
    /// At the end, answers on their way have so long.
    pub(crate) last: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 64,
            head_bytes: 16 << 10,
            headers: 64,
            body_bytes: 16 << 10,
            unread_bytes: 64 << 20,
            head: Duration::from_secs(10),
            // Who scrapes every minute keeps its connection.
            idle: Duration::from_secs(150),
            answer: Duration::from_secs(30),
            read: Duration::from_secs(30),
            rest: Duration::from_millis(200),
            last: Duration::from_secs(1),
        }
    }
}

impl Bounds {
    /// The shortest of the times after which a connection is closed.
    pub(super) fn shortest(&self) -> Duration {
        self.head.min(self.idle).min(self.answer).min(self.read)
    }
}
