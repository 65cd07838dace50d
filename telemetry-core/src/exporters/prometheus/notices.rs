//! What a page says on standard error: what it had to leave out, each of that once, and not more than a few of them.

use std::collections::HashSet;
use std::fmt::Arguments;

use crate::diagnostics::warn_once;

/// Whoever makes up names is not given all the room that there is for notices.
const MOST: usize = 16;

/// What one page has said so far.
#[derive(Debug, Default)]
pub(super) struct Notices(HashSet<String>);

impl Notices {
    pub(super) fn say(&mut self, text: Arguments<'_>) {
        if self.0.len() < MOST && self.0.insert(text.to_string()) {
            warn_once(text);
        }
    }

    /// Says nothing: a test that makes up names would take the room of all others.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self((0..MOST).map(|n| n.to_string()).collect())
    }
}
