//! Names and values as they are read from a record.

use std::collections::HashMap;

use tracing_core::{Field, Metadata};

use super::cursor::Cursor;
use super::value::{F64, I64, NAME, NAMED, STR, U64};
use crate::model::ValueRef;

/// The fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) site: Option<&'static Metadata<'static>>,
}

/// The name of a call site's field: a raw identifier without its mark.
pub fn field_name(field: &Field) -> &'static str {
    field.name().strip_prefix("r#").unwrap_or(field.name())
}

/// Of each name the last item that has it, in their order.
pub fn latest<T>(items: &[T], name: impl Fn(&T) -> &str) -> impl Iterator<Item = &T> {
    /// So few are compared faster one by one.
    const FEW: usize = 16;
    let mut last = HashMap::new();
    if items.len() > FEW {
        last.extend(items.iter().enumerate().map(|(at, item)| (name(item), at)));
    }
    let is_last = move |at: usize| match last.get(name(&items[at])) {
        Some(last) => *last == at,
        None => items[at + 1..].iter().all(|later| name(later) != name(&items[at])),
    };
    (0..items.len()).filter(move |at| is_last(*at)).map(|at| &items[at])
}

/// How a record names a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKey<'a> {
    /// Which of the fields of its call site it is.
    Index(usize),
    /// A name of its own.
    Name(&'a str),
}

/// The value of a field, as it stands in a record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RawValue<'a> {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    U64(u64),
    /// A whole number that may be below 0.
    I64(i64),
    /// A number.
    F64(f64),
    /// A text in UTF-8, which nobody has checked again.
    Text(&'a [u8]),
}

impl<'a> From<ValueRef<'a>> for RawValue<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Bool(is) => Self::Bool(is),
            ValueRef::U64(n) => Self::U64(n),
            ValueRef::I64(n) => Self::I64(n),
            ValueRef::F64(x) => Self::F64(x),
            ValueRef::Str(text) => Self::Text(text.as_bytes()),
        }
    }
}

impl<'a> Fields<'a> {
    /// Names and values, in the order they were recorded.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        RawFields { keyed: Keyed(Cursor(self.bytes)), site: self.site }.map(|(key, value, _)| (key, value))
    }

    /// The same as they stand in the record: what is constant of a call site is not looked up, and no text is checked.
    pub fn keyed(&self) -> impl Iterator<Item = (FieldKey<'a>, RawValue<'a>)> + use<'a> {
        Keyed(Cursor(self.bytes))
    }
}

/// Walks fields as they stand in a record.
#[derive(Clone)]
struct Keyed<'a>(Cursor<'a>);

impl<'a> Keyed<'a> {
    /// A text of so many bytes.
    #[inline]
    fn text(&mut self, len: usize) -> &'a [u8] {
        let padded = self.0.bytes(len.next_multiple_of(8));
        padded.get(..len).unwrap_or(padded)
    }
}

/// The length of a text, of the word that it begins with.
#[inline]
fn len_of(head: u64) -> usize {
    usize::from((head >> 16) as u16)
}

impl<'a> Iterator for Keyed<'a> {
    type Item = (FieldKey<'a>, RawValue<'a>);

    #[expect(clippy::inline_always, reason = "callers look at what it is at once")]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let (mut head, mut name) = (self.0.u64(), "");
        if (head >> 8) as u8 == NAME {
            name = std::str::from_utf8(self.text(len_of(head))).unwrap_or_default();
            head = self.0.u64();
        }
        let (index, tag) = (head as u8, (head >> 8) as u8);
        let key = if index == NAMED { FieldKey::Name(name) } else { FieldKey::Index(usize::from(index)) };
        let value = match tag {
            STR => RawValue::Text(self.text(len_of(head))),
            U64 => RawValue::U64(self.0.u64()),
            I64 => RawValue::I64(self.0.u64().cast_signed()),
            F64 => RawValue::F64(f64::from_bits(self.0.u64())),
            _ => RawValue::Bool(head >> 32 & 0xff != 0),
        };
        Some((key, value))
    }
}

#[derive(Clone)]
pub(super) struct RawFields<'a> {
    keyed: Keyed<'a>,
    site: Option<&'static Metadata<'static>>,
}

impl<'a> RawFields<'a> {
    pub(super) fn new(bytes: &'a [u8], site: &'static Metadata<'static>) -> Self {
        Self { keyed: Keyed(Cursor(bytes)), site: Some(site) }
    }

    /// Of fields whose indices are not looked up: they have no name.
    pub(super) fn without_site(bytes: &'a [u8]) -> Self {
        Self { keyed: Keyed(Cursor(bytes)), site: None }
    }

    /// Of each key the last one, in their order.
    pub(super) fn latest(self) -> Vec<<Self as Iterator>::Item> {
        let all: Vec<_> = self.collect();
        latest(&all, |(key, ..)| key).copied().collect()
    }
}

impl<'a> Iterator for RawFields<'a> {
    /// Key, value, and the bytes of both.
    type Item = (&'a str, ValueRef<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.keyed.0.0;
        let (key, value) = self.keyed.next()?;
        let name = match key {
            FieldKey::Name(name) => name,
            FieldKey::Index(index) => {
                let field = self.site.and_then(|meta| meta.fields().iter().nth(index));
                field.map_or("", |field| field_name(&field))
            }
        };
        let value = match value {
            RawValue::Bool(is) => ValueRef::Bool(is),
            RawValue::U64(n) => ValueRef::U64(n),
            RawValue::I64(n) => ValueRef::I64(n),
            RawValue::F64(x) => ValueRef::F64(x),
            RawValue::Text(text) => ValueRef::Str(std::str::from_utf8(text).unwrap_or_default()),
        };
        Some((name, value, &start[..start.len() - self.keyed.0.0.len()]))
    }
}
