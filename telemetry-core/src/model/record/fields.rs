//! Names and values on their way into a record, and out of it.

use tracing_core::Metadata;

use super::cursor::{Cursor, push_text};
use super::encode::{FieldSize, Words};
use super::{MAX_FIELDS, MAX_TEXT};
use crate::model::{Text, Value, ValueRef};

/// Fields on their way into a record.
#[derive(Clone, Debug, Default)]
pub struct FieldBuf {
    pub(super) bytes: Vec<u8>,
    pub(super) cut: u32,
}

/// What names a field: its index among the names of its call site, or the name itself.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// `Field::index()`; below 255.
    Index(usize),
    /// For items without a call site.
    Name(&'a str),
}

const NAMED: u8 = 255;
const BOOL: u8 = 0;
const U64: u8 = 1;
const I64: u8 = 2;
const F64: u8 = 3;
const STR: u8 = 4;
/// A text that was cut at [`MAX_TEXT`].
const STR_CUT: u8 = 5;

impl FieldBuf {
    /// No fields.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), cut: 0 }
    }

    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cut = 0;
    }

    /// The fields as they are written.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes the fields take, and how many of them were cut.
    #[inline]
    pub fn size(&self) -> FieldSize {
        (self.bytes.len(), self.cut)
    }

    /// Takes fields over, of that size.
    pub fn set_words(&mut self, words: impl Words, (bytes, cut): FieldSize) {
        self.bytes.clear();
        words.each(|word| self.bytes.extend_from_slice(&word.to_le_bytes()));
        self.bytes.truncate(bytes);
        self.cut = cut;
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many fields did not fit.
    pub fn cut(&self) -> u32 {
        self.cut
    }

    /// Bytes held, for whoever keeps a buffer for later.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds a field. A long text is cut at a character; a field beyond [`MAX_FIELDS`], or the 256th of its call
    /// site, is counted, not kept.
    #[inline]
    pub fn push(&mut self, key: Key<'_>, value: ValueRef<'_>) {
        let start = self.bytes.len();
        match (key, value) {
            (Key::Index(index @ 0..255), ValueRef::U64(v)) => self.push_number(index as u8, U64, v),
            (Key::Index(index @ 0..255), ValueRef::I64(v)) => {
                self.push_number(index as u8, I64, v.cast_unsigned());
            }
            (Key::Index(index @ 0..255), ValueRef::F64(v)) => self.push_number(index as u8, F64, v.to_bits()),
            (Key::Index(index @ 0..255), ValueRef::Bool(v)) => {
                self.bytes.extend_from_slice(&[index as u8, BOOL, u8::from(v)]);
            }
            (Key::Index(index @ 0..255), ValueRef::Str(v)) if v.len() <= MAX_TEXT => {
                let [low, high] = (v.len() as u16).to_le_bytes();
                self.bytes.reserve(4 + v.len());
                self.bytes.extend_from_slice(&[index as u8, STR, low, high]);
                self.bytes.extend_from_slice(v.as_bytes());
            }
            (key, value) => self.push_rare(key, value),
        }
        self.keep(start);
    }

    #[inline]
    fn push_number(&mut self, index: u8, tag: u8, v: u64) {
        let mut field = [index, tag, 0, 0, 0, 0, 0, 0, 0, 0];
        field[2..].copy_from_slice(&v.to_le_bytes());
        self.bytes.extend_from_slice(&field);
    }

    #[cold]
    fn push_rare(&mut self, key: Key<'_>, value: ValueRef<'_>) {
        if !self.push_key(key) {
            return;
        }
        match value {
            ValueRef::Bool(v) => self.bytes.extend_from_slice(&[BOOL, u8::from(v)]),
            ValueRef::U64(v) => self.push_fixed(U64, v),
            ValueRef::I64(v) => self.push_fixed(I64, v.cast_unsigned()),
            ValueRef::F64(v) => self.push_fixed(F64, v.to_bits()),
            ValueRef::Str(v) => {
                let kept = &v[..v.floor_char_boundary(MAX_TEXT)];
                self.bytes.push(if kept.len() < v.len() { STR_CUT } else { STR });
                push_text(&mut self.bytes, kept);
            }
        }
    }

    /// Adds a field as `Debug` or `Display` prints it, without a copy of the text in between.
    pub fn push_fmt(&mut self, key: Key<'_>, text: std::fmt::Arguments<'_>) {
        let start = self.bytes.len();
        if !self.push_key(key) {
            return;
        }
        let head = self.bytes.len();
        self.bytes.extend_from_slice(&[STR, 0, 0]);
        let mut text_of = Capped { bytes: &mut self.bytes, left: MAX_TEXT, cut: false };
        // An error of the user's own `Debug` leaves what it had printed by then.
        let _ = std::fmt::write(&mut text_of, text);
        if text_of.cut {
            self.bytes[head] = STR_CUT;
        }
        let len = u16::try_from(self.bytes.len() - head - 3).unwrap_or(u16::MAX);
        self.bytes[head + 1..head + 3].copy_from_slice(&len.to_le_bytes());
        self.keep(start);
    }

    /// Adds what was recorded later: of a key that stands here already, the later value wins.
    pub fn update(&mut self, later: &FieldBuf, site: &'static Metadata<'static>) {
        let mut kept = FieldBuf { bytes: Vec::with_capacity(self.bytes.len()), cut: self.cut + later.cut };
        for (key, _, raw) in self.iter(site) {
            if later.iter(site).all(|(k, ..)| k != key) {
                kept.bytes.extend_from_slice(raw);
            }
        }
        for (key, _, raw) in later.iter(site) {
            let start = kept.bytes.len();
            kept.bytes.extend_from_slice(raw);
            if !kept.keep(start) {
                // Better the value that was there than none.
                let before = self.iter(site).find(|(k, ..)| *k == key);
                before.into_iter().for_each(|(_, _, raw)| kept.bytes.extend_from_slice(raw));
            }
        }
        *self = kept;
    }

    /// The text of a field, if there is one of that name and it has a text.
    pub fn text_of(&self, name: &str, site: &'static Metadata<'static>) -> Option<String> {
        site.fields().field(name)?;
        match self.iter(site).find(|(key, ..)| *key == name) {
            Some((_, ValueRef::Str(text), _)) => Some(text.to_owned()),
            _ => None,
        }
    }

    /// A field as text, if there is one of that name.
    pub fn value_of(&self, name: &str, site: &'static Metadata<'static>) -> Option<String> {
        self.iter(site).find(|(key, ..)| *key == name).map(|(_, value, _)| value.to_string())
    }

    /// Names and values.
    pub fn to_values(&self, site: &'static Metadata<'static>) -> Vec<(Text, Value)> {
        self.iter(site).map(|(key, value, _)| (key.to_owned().into(), value.to_value())).collect()
    }

    fn iter(&self, site: &'static Metadata<'static>) -> RawFields<'_> {
        RawFields { bytes: Cursor(&self.bytes), site: Some(site) }
    }

    fn push_key(&mut self, key: Key<'_>) -> bool {
        match key {
            Key::Index(i) if i < usize::from(NAMED) => self.bytes.push(i as u8),
            Key::Index(_) => {
                self.cut += 1;
                return false;
            }
            Key::Name(name) => {
                self.bytes.push(NAMED);
                push_text(&mut self.bytes, name);
            }
        }
        true
    }

    fn push_fixed(&mut self, tag: u8, v: u64) {
        let mut value = [tag; 9];
        value[1..].copy_from_slice(&v.to_le_bytes());
        self.bytes.extend_from_slice(&value);
    }

    #[inline]
    fn keep(&mut self, start: usize) -> bool {
        let fits = self.bytes.len() <= MAX_FIELDS;
        if !fits {
            self.bytes.truncate(start);
            self.cut += 1;
        }
        fits
    }
}

struct Capped<'a> {
    bytes: &'a mut Vec<u8>,
    left: usize,
    cut: bool,
}

impl std::fmt::Write for Capped<'_> {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        if self.cut {
            return Ok(());
        }
        let kept = &s[..s.floor_char_boundary(self.left)];
        self.bytes.extend_from_slice(kept.as_bytes());
        self.left -= kept.len();
        self.cut = kept.len() < s.len();
        Ok(())
    }
}

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

struct RawFields<'a> {
    bytes: Cursor<'a>,
    site: Option<&'static Metadata<'static>>,
}

impl<'a> Iterator for RawFields<'a> {
    /// Key, value, and the bytes of both.
    type Item = (&'a str, ValueRef<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.bytes.0;
        if start.is_empty() {
            return None;
        }
        let key = match self.bytes.u8() {
            NAMED => self.bytes.text(),
            index => self
                .site
                .and_then(|meta| meta.fields().iter().nth(usize::from(index)))
                .map_or("", |field| field.name().strip_prefix("r#").unwrap_or(field.name())),
        };
        let value = match self.bytes.u8() {
            BOOL => ValueRef::Bool(self.bytes.u8() != 0),
            U64 => ValueRef::U64(self.bytes.u64()),
            I64 => ValueRef::I64(self.bytes.u64().cast_signed()),
            F64 => ValueRef::F64(f64::from_bits(self.bytes.u64())),
            _ => ValueRef::Str(self.bytes.text()),
        };
        Some((key, value, &start[..start.len() - self.bytes.0.len()]))
    }
}

/// A text as it is kept: at most [`MAX_TEXT`] of it.
pub fn capped(text: std::fmt::Arguments<'_>) -> String {
    let mut bytes = Vec::new();
    let _ = std::fmt::write(&mut Capped { bytes: &mut bytes, left: MAX_TEXT, cut: false }, text);
    String::from_utf8(bytes).unwrap_or_default()
}
