//! Names and sources: any text goes in, one that Librato takes comes out.

use std::borrow::Cow;

use crate::exporters::lines::byte_set;
use crate::model::cut;

/// The most characters.
pub(super) const MOST: usize = 255;

/// What can be there. `0` to `9` and `:` are neighbours.
static PLAIN: [bool; 256] = byte_set!(b'0'..=b':' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'-' | b'_');

/// With `_` for each character that can't be there. Of what is too long a hash tells the ends apart.
pub(super) fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST && text.bytes().all(|byte| PLAIN[usize::from(byte)]) {
        return text.into();
    }
    let fits = |c: char| if c.is_ascii_alphanumeric() || ".:-_".contains(c) { c } else { '_' };
    let label: String = text.chars().map(fits).collect();
    match cut::apart(&label, MOST) {
        Cow::Borrowed(_) => label.into(),
        Cow::Owned(cut) => cut.into(),
    }
}

/// The same of a source: one word is not to be had.
pub(super) fn source(text: &str) -> Cow<'_, str> {
    let source = fitting(text);
    if source.eq_ignore_ascii_case("all") { source + "_" } else { source }
}

/// What such a label is compared by.
pub(super) fn folded<'a>(label: &Cow<'a, str>) -> Cow<'a, str> {
    if label.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return label.to_ascii_lowercase().into();
    }
    label.clone()
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
            assert_eq!(fitting(text), label);
        }
        for (text, label) in [("all", "all_"), ("All", "All_"), ("all_", "all_"), ("allo", "allo"), ("", "")]
        {
            assert_eq!(source(text), label);
        }
    }

    #[test]
    fn long_ones_stay_apart() {
        let long = |end: &str| fitting(&format!("{}{end}", "ä".repeat(MOST))).into_owned();
        assert_eq!((long("a").len(), long("")), (MOST, "_".repeat(MOST)));
        assert_ne!(long("a"), long("b"));
        assert!(long("a").bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b)));
    }
}
