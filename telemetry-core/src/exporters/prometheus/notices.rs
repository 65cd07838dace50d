//! What a page says on standard error: what it had to leave out, each of that once, and not more than a few of them.

use std::collections::HashSet;
use std::fmt::Arguments;

use crate::diagnostics::warn_once;

/// Whoever makes up names is not given all the room that there is for notices.
const MOST: usize = 16;

/// What one page has said so far, and what it will say if it becomes what is being written.
#[derive(Debug, Default)]
pub(super) struct Notices {
    said: HashSet<String>,
    noted: Vec<String>,
}

impl Notices {
    /// A try of a page begins: what the one before found may not be so.
    pub(super) fn begin(&mut self) {
        self.noted.clear();
    }

    pub(super) fn note(&mut self, text: Arguments<'_>) {
        if self.said.len() + self.noted.len() < MOST {
            let text = text.to_string();
            if !self.said.contains(&text) && !self.noted.contains(&text) {
                self.noted.push(text);
            }
        }
    }

    /// The try became the page.
    pub(super) fn say(&mut self) {
        for text in self.noted.drain(..) {
            warn_once(format_args!("{text}"));
            self.said.insert(text);
        }
    }

    /// Says nothing: a test that makes up names would take the room of all others.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { said: (0..MOST).map(|n| n.to_string()).collect(), noted: Vec::new() }
    }
}
