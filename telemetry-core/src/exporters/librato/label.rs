//! Names and sources: any text goes in, one that Librato takes comes out.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::exporters::lines::{Name, byte_set};
use crate::model::cut;

/// The most characters.
pub(super) const MOST: usize = 255;

/// What can be there, but for upper case. `0` to `9` and `:` are neighbours.
static PLAIN: [bool; 256] = byte_set!(b'0'..=b':' | b'a'..=b'z' | b'.' | b'-' | b'_');

/// A name or a source.
#[derive(Clone, Debug)]
pub(super) struct Label<'a> {
    pub(super) text: Cow<'a, str>,
    /// The same in lower case, where it is in another one.
    lower: Option<Box<str>>,
}

impl<'a> Label<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if text.len() <= MOST && text.bytes().all(|byte| PLAIN[usize::from(byte)]) {
            return Self { text: text.into(), lower: None };
        }
        Self::of_fitting(fitting(text))
    }

    /// The same of a source: one word is not to be had.
    pub(super) fn of_source(text: &'a str) -> Self {
        if text.eq_ignore_ascii_case("all") {
            return Self::of_fitting(format!("{text}_"));
        }
        Self::of(text)
    }

    /// One that Librato takes.
    pub(super) fn of_fitting(text: String) -> Self {
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let lower = has_upper.then(|| text.to_ascii_lowercase().into());
        Self { text: text.into(), lower }
    }

    /// What it is compared by.
    fn key(&self) -> &str {
        self.lower.as_deref().unwrap_or(&self.text)
    }

    pub(super) fn order(&self, other: &Self) -> Ordering {
        let (key, other) = (self.key(), other.key());
        if Name(key) == Name(other) { Ordering::Equal } else { key.cmp(other) }
    }
}

/// With `_` for each character that can't be there. Of what is too long a hash tells the ends apart.
pub(super) fn fitting(text: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || ".:-_".contains(c) { c } else { '_' };
    let label: String = text.chars().map(fits).collect();
    match cut::apart(&label, MOST) {
        Cow::Borrowed(_) => label,
        Cow::Owned(cut) => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_few_characters() {
        for (text, label) in [
            ("shop.orders", "shop.orders"),
            ("A:b-c_9", "A:b-c_9"),
            ("a/b c\"d\\", "a_b_c_d_"),
            ("größe\n", "gr__e_"),
            ("", ""),
        ] {
            assert_eq!(Label::of(text).text, label);
        }
        for (text, label) in [("all", "all_"), ("All", "All_"), ("all_", "all_"), ("allo", "allo"), ("", "")]
        {
            assert_eq!(Label::of_source(text).text, label);
        }
    }

    #[test]
    fn case_tells_none_apart() {
        for (text, key) in [("shop", "shop"), ("ShOP.É", "shop._"), ("a b", "a_b")] {
            assert_eq!(Label::of(text).key(), key);
        }
        assert_eq!(Label::of_source("All").key(), "all_");
    }

    #[test]
    fn long_ones_stay_apart() {
        let long = |end: &str| fitting(&format!("{}{end}", "ä".repeat(MOST)));
        assert_eq!((long("a").len(), long("")), (MOST, "_".repeat(MOST)));
        assert_ne!(long("a"), long("b"));
        assert!(long("a").bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b)));
    }
}
