//! Attributes: names and values as `KeyValue` and `AnyValue`.
//!
//! Source: opentelemetry-proto, `common.proto`.

use super::pad::Pen;
use super::wire::{
    MAX_VARINT, bytes, bytes_len, fixed64, put_bytes, put_fixed64, put_varint, varint, varint_len,
    write_varint,
};
use crate::exporters::RawValue;
use crate::model::Tags;

const KEY: u8 = bytes(1);
const VALUE: u8 = bytes(2);

const TEXT: u8 = bytes(1);
const BOOL: u8 = varint(2);
const INT: u8 = varint(3);
const DOUBLE: u8 = fixed64(4);

/// An attribute of a list whose field has the key `list`.
#[inline(never)]
pub(super) fn put_attribute(out: &mut Vec<u8>, list: u8, name: &str, value: RawValue<'_>) {
    match value {
        RawValue::Text(text) if name.len() + text.len() <= MAX_SHORT => put_short(out, list, name, text),
        value => with_any(value, |value| {
            out.push(list);
            put_varint(out, (bytes_len(name.len()) + bytes_len(value.len())) as u64);
            put_bytes(out, KEY, name.as_bytes());
            value.put(out, VALUE);
        }),
    }
}

/// Name and text, of which every length is one byte.
const MAX_SHORT: usize = 0x7f - 6;

/// The same for a short text.
#[inline]
fn put_short(out: &mut Vec<u8>, list: u8, name: &str, text: &[u8]) {
    let (name_len, text_len) = (name.len() as u8, text.len() as u8);
    out.extend_from_slice(&[list, name_len + text_len + 6, KEY, name_len]);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&[VALUE, text_len + 2, TEXT, text_len]);
    out.extend_from_slice(text);
}

/// The same of each tag.
pub(super) fn put_tags(out: &mut Vec<u8>, list: u8, tags: &Tags) {
    tags.iter().for_each(|(name, text)| put_attribute(out, list, name, RawValue::Text(text.as_bytes())));
}

/// A value alone.
pub(super) fn put_value(out: &mut Vec<u8>, key: u8, value: RawValue<'_>) {
    with_any(value, |value| value.put(out, key));
}

/// The values that OTLP has.
#[derive(Clone, Copy)]
enum Any<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a [u8]),
}

/// A whole number that OTLP's are too small for becomes a text.
#[inline]
fn with_any(value: RawValue<'_>, then: impl FnOnce(Any<'_>)) {
    let digits;
    then(match value {
        RawValue::Bool(is) => Any::Bool(is),
        RawValue::I64(n) => Any::Int(n),
        RawValue::F64(x) => Any::Double(x),
        RawValue::Text(text) => Any::Text(text),
        RawValue::U64(n) => {
            if let Ok(n) = i64::try_from(n) {
                Any::Int(n)
            } else {
                digits = n.to_string();
                Any::Text(digits.as_bytes())
            }
        }
    });
}

impl Any<'_> {
    /// How many bytes the message has.
    fn len(self) -> usize {
        match self {
            Self::Bool(_) => 2,
            Self::Int(n) => 1 + varint_len(n.cast_unsigned()),
            Self::Double(_) => 9,
            Self::Text(text) => bytes_len(text.len()),
        }
    }

    fn put(self, out: &mut Vec<u8>, key: u8) {
        out.push(key);
        put_varint(out, self.len() as u64);
        match self {
            Self::Bool(is) => out.extend_from_slice(&[BOOL, u8::from(is)]),
            Self::Int(n) => {
                out.push(INT);
                put_varint(out, n.cast_unsigned());
            }
            Self::Double(x) => put_fixed64(out, DOUBLE, x.to_bits()),
            Self::Text(text) => put_bytes(out, TEXT, text),
        }
    }
}

/// A name that many attributes have. What comes before the value is kept as it is written: the key of the list, a place for
/// the length, the name, the key of the value.
#[derive(Clone, Debug)]
pub(super) struct Name {
    text: &'static str,
    /// Copied as a whole, with room for a value, as a copy of fixed size costs least.
    start: [u8; Self::START + MAX_VALUE],
    /// How much of it there is; none where the name is too long.
    len: usize,
}

impl Name {
    const START: usize = 32;
    /// A longer text goes the long way: with its name it must stay below the 128 bytes whose length is one byte.
    const MAX_TEXT: usize = 90;

    pub(super) fn new(list: u8, name: &'static str) -> Self {
        let mut bytes = vec![list, 0];
        put_bytes(&mut bytes, KEY, name.as_bytes());
        bytes.push(VALUE);
        let mut start = [0; Self::START + MAX_VALUE];
        start.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
        Self { text: name, start, len: if bytes.len() > Self::START { 0 } else { bytes.len() } }
    }

    pub(super) fn as_str(&self) -> &'static str {
        self.text
    }

    /// The same as [`put_attribute`], faster.
    #[expect(clippy::inline_always, reason = "what the value is, callers know")]
    #[inline(always)]
    pub(super) fn put(&self, out: &mut Vec<u8>, value: RawValue<'_>) {
        let at = out.len();
        out.extend_from_slice(&self.start);
        let place = out.last_chunk_mut::<{ Self::START + MAX_VALUE }>();
        let Some((written, text)) = place.and_then(|place| self.write(place, value)) else {
            out.truncate(at);
            return put_attribute(out, self.start[0], self.text, value);
        };
        out.truncate(at + written);
        if !text.is_empty() {
            out.extend_from_slice(text);
        }
    }

    /// The same into memory of fixed size; none where the name or the value is too long for this.
    #[expect(clippy::inline_always, reason = "what the value is, callers know")]
    #[inline(always)]
    pub(super) fn draw(&self, pen: &mut Pen<'_>, value: RawValue<'_>) -> Option<()> {
        let place = pen.room()?;
        *place = self.start;
        let (written, text) = self.write(place, value)?;
        pen.wrote(written);
        if text.is_empty() { Some(()) } else { pen.put_all(text) }
    }

    /// Adds the value behind its name, and says how many bytes that are and what text follows; unless they are too long.
    #[expect(clippy::inline_always, reason = "what the value is, callers know")]
    #[inline(always)]
    fn write<'v>(
        &self,
        place: &mut [u8; Self::START + MAX_VALUE],
        value: RawValue<'v>,
    ) -> Option<(usize, &'v [u8])> {
        if self.len == 0 {
            return None;
        }
        let own = place[self.len.min(Self::START)..].first_chunk_mut::<MAX_VALUE>()?;
        let (len, text) = match value {
            RawValue::Bool(is) => {
                own[..3].copy_from_slice(&[2, BOOL, u8::from(is)]);
                (3, &[][..])
            }
            RawValue::I64(n) => (write_int(own, n), &[][..]),
            RawValue::U64(n) => (write_int(own, i64::try_from(n).ok()?), &[][..]),
            RawValue::F64(x) => {
                own[..2].copy_from_slice(&[9, DOUBLE]);
                own[2..10].copy_from_slice(&x.to_le_bytes());
                (10, &[][..])
            }
            RawValue::Text(text) if text.len() > Self::MAX_TEXT => return None,
            RawValue::Text(text) => {
                let len = text.len() as u8;
                own[..3].copy_from_slice(&[2 + len, TEXT, len]);
                (3, text)
            }
        };
        place[1] = (self.len - 2 + len + text.len()) as u8;
        Some((self.len + len, text))
    }
}

/// The most that a value takes that is no text: its length, its key, a varint.
const MAX_VALUE: usize = 2 + MAX_VARINT;

#[inline]
fn write_int(place: &mut [u8; MAX_VALUE], n: i64) -> usize {
    let [len, key, varint @ ..] = place;
    let bytes = write_varint(varint, n.cast_unsigned());
    (*len, *key) = (1 + bytes as u8, INT);
    2 + bytes
}
