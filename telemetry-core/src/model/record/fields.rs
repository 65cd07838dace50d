//! Names and values as they are read from a record.

use tracing_core::Metadata;

use super::cursor::Cursor;
use super::value::{F64, I64, NAME, NAMED, STR, STR_CUT, U64};
use crate::model::ValueRef;

/// The fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) site: Option<&'static Metadata<'static>>,
}

impl<'a> Fields<'a> {
    /// Names and values, in the order they were recorded.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        RawFields { bytes: Cursor(self.bytes), site: self.site }.map(|(key, value, _)| (key, value))
    }
}

#[derive(Clone)]
pub(super) struct RawFields<'a> {
    bytes: Cursor<'a>,
    site: Option<&'static Metadata<'static>>,
}

impl<'a> RawFields<'a> {
    pub(super) fn new(bytes: &'a [u8], site: &'static Metadata<'static>) -> Self {
        Self { bytes: Cursor(bytes), site: Some(site) }
    }

    /// A text of so many bytes.
    fn text(&mut self, len: usize) -> &'a str {
        let text = self.bytes.bytes(len);
        self.bytes.bytes(len.next_multiple_of(8) - len);
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Key, tag, the length of a text, and a boolean.
    fn head(&mut self) -> (u8, u8, usize, bool) {
        let [key, tag, low, high, first, ..] = self.bytes.take::<8>();
        (key, tag, usize::from(u16::from_le_bytes([low, high])), first != 0)
    }
}

impl<'a> Iterator for RawFields<'a> {
    /// Key, value, and the bytes of both.
    type Item = (&'a str, ValueRef<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.bytes.0;
        if start.is_empty() {
            return None;
        }
        let (mut index, mut tag, mut len, mut is) = self.head();
        let mut name = "";
        if tag == NAME {
            name = self.text(len);
            (index, tag, len, is) = self.head();
        }
        if index != NAMED {
            let field = self.site.and_then(|meta| meta.fields().iter().nth(usize::from(index)));
            name = field.map_or("", |field| field.name().strip_prefix("r#").unwrap_or(field.name()));
        }
        let value = match tag {
            STR | STR_CUT => ValueRef::Str(self.text(len)),
            U64 => ValueRef::U64(self.bytes.u64()),
            I64 => ValueRef::I64(self.bytes.u64().cast_signed()),
            F64 => ValueRef::F64(f64::from_bits(self.bytes.u64())),
            _ => ValueRef::Bool(is),
        };
        Some((name, value, &start[..start.len() - self.bytes.0.len()]))
    }
}
