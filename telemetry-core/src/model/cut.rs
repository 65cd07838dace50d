//! Texts of bounded length: the one place where they are cut.
//!
//! A text comes in, borrowed, owned or about to be formatted; what goes out is no longer than its bound, mark included, and
//! ends at a character. What was cut ends in [`MARK`], and is counted for the whole process: tags are made before anybody
//! knows for which collector. Nothing here formats a text beyond its bound, and all of it takes linear time.
//!
//! A name (of a metric, a span, a field; key and value of a tag) tells things apart. Behind the mark it has a hash of the
//! whole name, the same in every process: two that differ only beyond the bound stay two. Of a text that is formatted
//! nothing is known beyond the bound, so there two become one.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Text;

/// Names, units, keys and values of tags have at most so many bytes.
pub const MAX_NAME: usize = 4 << 10;
/// All other texts, where a collector's configuration says nothing else.
pub const MAX_TEXT: usize = 8 << 10;
/// What it may say: there is room for a mark, and for other fields beside one such text.
pub const TEXT_BYTES: std::ops::RangeInclusive<usize> = 128..=31 << 10;

/// The end of a text that was cut. Names may hold it, whatever they name.
const MARK: &str = "..";
const HASH: usize = 16;

static CUT: AtomicU64 = AtomicU64::new(0);

/// How many texts this process has cut so far.
pub fn cut_texts() -> u64 {
    CUT.load(Relaxed)
}

/// As many whole characters as fit into so many bytes.
pub(crate) fn prefix(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A name within [`MAX_NAME`].
#[inline]
pub fn name(name: &str) -> Cow<'_, str> {
    apart(name, MAX_NAME)
}

/// A text that tells things apart, within so many bytes.
#[inline]
pub fn apart(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(cut_apart(text, most)) }
}

/// The same of one that is kept.
#[inline]
pub(crate) fn kept_name(name: Text) -> Text {
    if name.len() <= MAX_NAME { name } else { Text::Owned(cut_apart(&name, MAX_NAME)) }
}

#[cold]
fn cut_apart(text: &str, most: usize) -> String {
    CUT.fetch_add(1, Relaxed);
    let kept = prefix(text, most - MARK.len() - HASH);
    format!("{kept}{MARK}{:0HASH$x}", hash(text.as_bytes()))
}

/// A text within so many bytes.
#[inline]
pub fn capped(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(cut(text, most)) }
}

/// The same of one that is kept.
#[inline]
pub(crate) fn kept(text: Text, most: usize) -> Text {
    if text.len() <= most { text } else { Text::Owned(cut(&text, most)) }
}

#[cold]
fn cut(text: &str, most: usize) -> String {
    CUT.fetch_add(1, Relaxed);
    format!("{}{MARK}", prefix(text, most - MARK.len()))
}

/// A text that is formatted up to so many bytes.
pub fn formatted(text: fmt::Arguments<'_>, most: usize) -> String {
    let mut kept = String::new();
    write(|part| kept.push_str(part), text, most);
    kept
}

/// Hands out the parts of a text that is formatted up to so many bytes.
#[inline]
pub(super) fn write(put: impl FnMut(&str), text: fmt::Arguments<'_>, most: usize) {
    let mut capped = Capped { put, room: most, held: None };
    // An error of the user's own `Debug` leaves what it had printed by then.
    let _ = fmt::write(&mut capped, text);
    if let Some(held) = capped.held
        && !held.is_cut
    {
        (capped.put)(&held.text);
    }
}

struct Capped<F> {
    put: F,
    /// With that for the mark; none once something is held back.
    room: usize,
    /// The end of the text, which goes for the mark if more comes, and what room there is for it.
    held: Option<Held>,
}

struct Held {
    text: String,
    room: usize,
    is_cut: bool,
}

impl<F: FnMut(&str)> fmt::Write for Capped<F> {
    #[inline]
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if part.len() + MARK.len() <= self.room {
            self.room -= part.len();
            (self.put)(part);
            return Ok(());
        }
        self.write_end(part)
    }
}

impl<F: FnMut(&str)> Capped<F> {
    /// An error where nothing more is kept: whoever formats stops there.
    #[cold]
    fn write_end(&mut self, mut part: &str) -> fmt::Result {
        let Self { put, room, held } = self;
        let held = held.get_or_insert_with(|| {
            let sure = prefix(part, room.saturating_sub(MARK.len()));
            put(sure);
            part = &part[sure.len()..];
            Held { text: String::new(), room: std::mem::take(room) - sure.len(), is_cut: false }
        });
        if !held.is_cut && held.text.len() + part.len() <= held.room {
            return held.text.write_str(part);
        }
        if !std::mem::replace(&mut held.is_cut, true) {
            CUT.fetch_add(1, Relaxed);
            put(MARK);
        }
        Err(fmt::Error)
    }
}

/// Not for tables that strangers may attack: whoever finds two texts with one hash makes one series of two.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ hash >> 32
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As `Debug` may: in parts, and not minding errors.
    struct Parts<'a>(&'a [&'a str]);

    impl fmt::Display for Parts<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().for_each(|part| {
                let _ = f.write_str(part);
            });
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn however_a_text_comes_it_is_cut_at_the_same_place(text in "\\PC{0,60}", parts in 1..9_usize, most in 20..60_usize) {
            let whole = capped(&text, most).into_owned();
            prop_assert!(whole.len() <= most);
            if text.len() <= most {
                prop_assert_eq!(&whole, &text);
            } else {
                let kept = whole.strip_suffix(MARK).unwrap();
                prop_assert!(text.starts_with(kept) && kept.len() + 4 > most - MARK.len());
            }
            let chars: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<String> = chars.chunks(parts).map(<[String]>::concat).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(formatted(format_args!("{}", Parts(&pieces)), most), whole);
        }
    }

    #[test]
    fn names_that_differ_beyond_the_bound_stay_two() {
        let long = "n".repeat(MAX_NAME + 1);
        let (one, other) = (format!("{long}a"), format!("{long}b"));
        assert_ne!(name(&one), name(&other));
        assert_eq!((name(&one).len(), name(&name(&one))), (MAX_NAME, name(&one)));
        assert_eq!(name(&long[..MAX_NAME]), long[..MAX_NAME]);
        // The same in each process: it tells series apart where they are stored.
        assert!(name(&one).ends_with("..2aab6d4cce2985b3"), "{}", &name(&one)[MAX_NAME - 20..]);
        let hashes: std::collections::HashSet<u64> =
            (0..3_000_u32).map(|n| hash(&n.to_le_bytes()[..])).collect();
        assert_eq!(hashes.len(), 3_000);
    }

    #[test]
    fn what_is_cut_is_not_formatted_to_its_end_and_counted_once() {
        struct Endless<'a>(&'a std::cell::Cell<usize>);
        impl fmt::Debug for Endless<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    self.0.set(self.0.get() + 1);
                    f.write_str("0123456789")?;
                }
            }
        }
        let (parts, before) = (std::cell::Cell::new(0), cut_texts());
        let text = formatted(format_args!("{:?}", Endless(&parts)), 100);
        assert_eq!((text.len(), parts.get(), text.ends_with(MARK)), (100, 11, true));
        assert!(cut_texts() > before);
    }
}
