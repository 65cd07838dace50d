//! Texts that nobody would choose.

use std::fmt;

/// One of many texts, all of them longer than anything is kept.
pub(crate) struct Hostile {
    /// Of any characters.
    pub(crate) text: String,
    /// Of those that may name a metric or a tag.
    pub(crate) name: String,
}

const PARTS: [&str; 12] = [
    "a",
    "é",
    "🦀",
    "\u{202e}",
    "\u{1b}[2J",
    "line\n",
    "\"",
    ", k: v",
    "\u{2028}",
    "{a=\"b\"}",
    "%0d%0a",
    "0123456789",
];
const NAMES: [&str; 4] = ["n", "ß", "名", "a.b-c_d/"];

/// That one of them. Neighbours differ only at their ends, far beyond all that is kept.
pub(crate) fn hostile(n: usize) -> Hostile {
    let bytes = (9 << 10) + n / 12 * 7_919 % (40 << 10);
    let repeat = |part: &str| part.repeat(bytes / part.len());
    let text = format!("{}{n}", repeat(PARTS[n % PARTS.len()]));
    Hostile { text, name: format!("{}{n}", repeat(NAMES[n % NAMES.len()])) }
}

/// Formats a text, which it is not to do to its end.
pub(crate) struct Written<'a>(pub(crate) &'a str);

impl fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As the derived ones do.
        f.debug_struct("Written").field("text", &self.0).field("again", &self.0).finish()
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write!(f, "{c}"))
    }
}
