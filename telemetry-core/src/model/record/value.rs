//! One value of a field as words of 64 bits: a head that says key and type, then the value.

use crate::model::ValueRef;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The name is what stands before.
pub(super) const NAMED: u8 = 255;

pub(super) const BOOL: u8 = 0;
pub(super) const U64: u8 = 1;
pub(super) const I64: u8 = 2;
pub(super) const F64: u8 = 3;
pub(super) const STR: u8 = 4;
/// Not a value but the name of the next one.
pub(super) const NAME: u8 = 5;

/// The word that a value begins with: key, tag, the length of a text, and a boolean.
#[inline]
pub(super) fn head(key: u8, tag: u8, len: usize, is: bool) -> u64 {
    u64::from(key) | u64::from(tag) << 8 | (len as u64 & 0xffff) << 16 | u64::from(is) << 32
}

/// What is written of a value.
#[derive(Clone, Copy)]
pub(super) enum Coded<'a> {
    One([u64; 1]),
    Two([u64; 2]),
    /// The first word, and a text.
    Text(u64, &'a str),
    /// A text that has to be cut before.
    TooLong,
}

impl Coded<'_> {
    #[inline]
    pub(super) fn words(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(_) => 2,
            Self::Text(_, text) => 1 + text.len().div_ceil(8),
            Self::TooLong => 0,
        }
    }
}

/// A value behind that key; no text of more than so many bytes.
#[expect(clippy::inline_always, reason = "what the value is, callers know")]
#[inline(always)]
pub(super) fn coded(key: u8, value: ValueRef<'_>, max_text: u32) -> Coded<'_> {
    match value {
        ValueRef::Bool(v) => Coded::One([head(key, BOOL, 0, v)]),
        ValueRef::U64(v) => Coded::Two([head(key, U64, 0, false), v]),
        ValueRef::I64(v) => Coded::Two([head(key, I64, 0, false), v.cast_unsigned()]),
        ValueRef::F64(v) => Coded::Two([head(key, F64, 0, false), v.to_bits()]),
        ValueRef::Str(v) if v.len() <= max_text as usize => Coded::Text(head(key, STR, v.len(), false), v),
        ValueRef::Str(_) => Coded::TooLong,
    }
}

/// The words of a text; the last one is filled with zeros.
#[inline]
pub(super) fn text_words(text: &[u8], mut put: impl FnMut(u64)) {
    let mut rest = text;
    // Apart from the others, of which most texts have none.
    if let Some((first, more)) = rest.split_first_chunk() {
        put(u64::from_le_bytes(*first));
        rest = more;
    }
    while let Some((first, more)) = rest.split_first_chunk() {
        put(u64::from_le_bytes(*first));
        rest = more;
    }
    if !rest.is_empty() {
        // With what stands before, which is shifted out again.
        let with_more = text.last_chunk().map(|bytes| u64::from_le_bytes(*bytes) >> (64 - 8 * rest.len()));
        put(with_more.unwrap_or_else(|| word(rest)));
    }
}

#[inline]
pub(super) fn write_text(places: &[AtomicU64], text: &[u8]) {
    let mut places = places.iter();
    text_words(text, |word| places.next().into_iter().for_each(|place| place.store(word, Relaxed)));
}

/// At most eight bytes as a word; what is missing is 0.
#[inline]
pub(super) fn word(bytes: &[u8]) -> u64 {
    let part = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    match bytes.len() {
        8.. => bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)),
        // Two halves that may overlap.
        len @ 4.. => part(bytes.first_chunk()) | part(bytes.last_chunk()) << (8 * (len - 4)),
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}
