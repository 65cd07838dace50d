//! Attributes: names and values as `KeyValue` and `AnyValue`.
//!
//! Source: opentelemetry-proto, `common.proto`.

use super::wire::{bytes, bytes_len, fixed64, put_bytes, put_fixed64, put_varint, varint, varint_len};
use crate::exporters::RawValue;
use crate::model::Tags;

const KEY: u8 = bytes(1);
const VALUE: u8 = bytes(2);

const TEXT: u8 = bytes(1);
const BOOL: u8 = varint(2);
const INT: u8 = varint(3);
const DOUBLE: u8 = fixed64(4);

/// An attribute of a list whose field has the key `list`.
pub(super) fn put_attribute(out: &mut Vec<u8>, list: u8, name: &str, value: RawValue<'_>) {
    with_any(value, |value| {
        let len = bytes_len(name.len()) + bytes_len(value.len());
        out.push(list);
        put_varint(out, len as u64);
        put_bytes(out, KEY, name.as_bytes());
        value.put(out, VALUE);
    });
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
        RawValue::U64(n) => match i64::try_from(n) {
            Ok(n) => Any::Int(n),
            Err(_) => {
                digits = n.to_string();
                Any::Text(digits.as_bytes())
            }
        },
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
    name: &'static str,
    start: [u8; Self::START],
    /// How much of it there is; more than there is room for, where the name is too long.
    len: usize,
}

impl Name {
    /// Copied as a whole, which takes two instructions.
    const START: usize = 32;
    /// A longer text goes the long way: with its name it must stay below the 128 bytes whose length is one byte.
    const MAX_TEXT: usize = 90;

    pub(super) fn new(list: u8, name: &'static str) -> Self {
        let mut bytes = vec![list, 0];
        put_bytes(&mut bytes, KEY, name.as_bytes());
        bytes.push(VALUE);
        let (mut start, len) = ([0; Self::START], bytes.len());
        start.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
        start[0] = list;
        Self { name, start, len }
    }

    pub(super) fn as_str(&self) -> &'static str {
        self.name
    }

    /// The same as [`put_attribute`], faster.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>, value: RawValue<'_>) {
        let is_long = match value {
            RawValue::Text(text) => text.len() > Self::MAX_TEXT,
            RawValue::U64(n) => i64::try_from(n).is_err(),
            _ => false,
        };
        if is_long || self.len > Self::START {
            return put_attribute(out, self.start[0], self.name, value);
        }
        let at = out.len();
        out.extend_from_slice(&self.start);
        out.truncate(at + self.len);
        match value {
            RawValue::Bool(is) => out.extend_from_slice(&[2, BOOL, u8::from(is)]),
            RawValue::U64(n) => put_int(out, n),
            RawValue::I64(n) => put_int(out, n.cast_unsigned()),
            RawValue::F64(x) => {
                out.push(9);
                put_fixed64(out, DOUBLE, x.to_bits());
            }
            RawValue::Text(text) => {
                let len = text.len() as u8;
                out.extend_from_slice(&[2 + len, TEXT, len]);
                out.extend_from_slice(text);
            }
        }
        let len = out.len() - at - 2;
        if let Some(place) = out.get_mut(at + 1) {
            *place = len as u8;
        }
    }
}

#[inline]
fn put_int(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&[1 + varint_len(n) as u8, INT]);
    put_varint(out, n);
}
