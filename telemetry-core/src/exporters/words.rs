//! How settings are written, in URLs and variables: a text goes in, a value or what is needed instead comes out.

use tracing_core::Level;

pub(crate) const ABOVE_0: &str = "a whole number above 0 is needed";

/// One of a few words, in any case.
pub(crate) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("one of {} is needed", known.join(", "))
    })
}

pub(crate) fn level(text: &str) -> Result<Level, String> {
    text.parse().map_err(|_| "one of error, warn, info, debug, trace is needed".to_owned())
}

pub(crate) fn above_0(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| ABOVE_0.to_owned())
}
