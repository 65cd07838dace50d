//! Names and values on their way into a record.

use tracing_core::Metadata;

use super::fields::{FieldKey, Fields, RawFields};
use super::value::{Coded, NAME, NAMED, STR, coded, head, text_words, word, write_text};
use super::words::Words;
use crate::model::cut::{self, MAX_TEXT};
use crate::model::{Text, Value, ValueRef};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A record's fields take at most this many bytes; what does not fit is counted in the record as cut.
pub const MAX_FIELDS: usize = 32 << 10;

/// Fields on their way into a record, each in words of 64 bits: in a place that was made for them, and in memory of
/// their own when they don't fit there.
#[derive(Debug, Default)]
pub struct FieldBuf<'a> {
    /// Empty once they did not fit.
    place: &'a [AtomicU64],
    /// What is left of it.
    room: &'a [AtomicU64],
    /// All words, where they are not in their place.
    own: Vec<u64>,
    cut: u32,
    /// A longer text is cut.
    max_text: u32,
}

/// What names a field: its index among the names of its call site, or the name itself.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// `Field::index()`; below 255.
    Index(usize),
    /// For items without a call site.
    Name(&'a str),
}

impl FieldBuf<'static> {
    /// No fields, and no place for them.
    pub const fn new() -> Self {
        Self::at(&[])
    }
}

impl<'a> FieldBuf<'a> {
    /// No fields, which go to that place. Nobody else writes there meanwhile.
    #[inline]
    pub const fn at(place: &'a [AtomicU64]) -> Self {
        Self { place, room: place, own: Vec::new(), cut: 0, max_text: MAX_TEXT as u32 }
    }

    /// The same with texts of at most so many bytes.
    #[inline]
    pub const fn with_max_text(mut self, bytes: u32) -> Self {
        self.max_text = bytes;
        self
    }

    /// A longer text is cut.
    pub fn max_text(&self) -> usize {
        self.max_text as usize
    }

    /// The fields as they are written.
    #[inline]
    pub fn words(&self) -> FieldWords<'_> {
        FieldWords { place: self.used(), own: &self.own }
    }

    /// The words in their place.
    #[inline]
    fn used(&self) -> &'a [AtomicU64] {
        &self.place[..self.place.len() - self.room.len()]
    }

    #[inline]
    fn len(&self) -> usize {
        self.used().len() + self.own.len()
    }

    /// Whether they did not fit into their place.
    #[inline]
    pub fn is_elsewhere(&self) -> bool {
        !self.own.is_empty()
    }

    /// Fields that were written there, of which so many were cut.
    pub const fn written(words: &'a [AtomicU64], cut: u32) -> Self {
        Self { place: words, room: &[], own: Vec::new(), cut, max_text: MAX_TEXT as u32 }
    }

    /// The same fields in memory of their own.
    pub fn to_owned(&self) -> FieldBuf<'static> {
        let mut own = Vec::new();
        self.words().each(|word| own.push(word));
        FieldBuf { own, cut: self.cut, ..FieldBuf::new() }
    }

    /// About how much memory of its own it has.
    pub fn heap_bytes(&self) -> usize {
        self.own.capacity() * size_of::<u64>()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many fields did not fit.
    #[inline]
    pub fn cut(&self) -> u32 {
        self.cut
    }

    /// Adds a field. A long text is cut; a field beyond [`MAX_FIELDS`], or the 256th of its call site, is counted, not
    /// kept.
    #[expect(
        clippy::inline_always,
        reason = "what the value is, callers know: a fifth of the instructions, counted"
    )]
    #[inline(always)]
    pub fn push<'v>(&mut self, key: Key<'_>, value: impl Into<ValueRef<'v>> + Copy) {
        match key {
            Key::Index(index @ 0..255)
                if self.put_in_place(coded(index as u8, value.into(), self.max_text)) => {}
            Key::Index(index) => self.push_elsewhere(index, value),
            Key::Name(_) => self.push_anywhere(key, value.into()),
        }
    }

    /// The value as it came: it is in a register, and only for this it would have to be in memory.
    #[cold]
    fn push_elsewhere<'v>(&mut self, index: usize, value: impl Into<ValueRef<'v>>) {
        self.push_anywhere(Key::Index(index), value.into());
    }

    fn push_anywhere(&mut self, key: Key<'_>, value: ValueRef<'_>) {
        let start = self.len();
        let Some(key) = self.push_key(key) else { return };
        let max = self.max_text;
        match value {
            ValueRef::Str(text) => {
                let text = cut::capped(text, self.max_text());
                self.put(coded(key, ValueRef::Str(&text), max));
            }
            value => self.put(coded(key, value, max)),
        }
        self.keep(start);
    }

    /// Adds a field as `Debug` or `Display` prints it, without a copy of the text in between. Where that panics, what it
    /// had printed by then is kept, if anything, and the panic goes on.
    pub fn push_fmt(&mut self, key: Key<'_>, text: std::fmt::Arguments<'_>) {
        let start = self.len();
        let Some(key) = self.push_key(key) else { return };
        let at = self.len();
        self.put(Coded::One([0]));
        let max = self.max_text();
        let mut printed = Printed { fields: self, start, at, key, len: 0 };
        cut::write(|part| printed.fields.append(&mut printed.len, part.as_bytes()), text, max);
        let len = printed.len;
        std::mem::forget(printed);
        self.set(at, |_| head(key, STR, len, false));
        self.keep(start);
    }

    /// The same with a name, in place of what has that name by now.
    #[cold]
    pub fn replace_fmt(&mut self, name: &str, text: std::fmt::Arguments<'_>) {
        let bytes = self.bytes();
        let is_there = |(key, _)| key == FieldKey::Name(name);
        if (Fields { bytes: &bytes, site: None }).keyed().any(is_there) {
            let mut kept = FieldBuf { cut: self.cut, max_text: self.max_text, ..FieldBuf::new() };
            let others = RawFields::without_site(&bytes).filter(|(key, ..)| *key != name);
            others.for_each(|(_, _, raw)| kept.put_raw(raw));
            *self = kept;
        }
        self.push_fmt(Key::Name(name), text);
    }

    /// Adds to a text that has so many bytes by now.
    #[inline]
    fn append(&mut self, len: &mut usize, part: &[u8]) {
        // Mostly there is one part.
        if *len == 0 && self.put_text(part) {
            *len = part.len();
        } else {
            self.append_more(len, part);
        }
    }

    #[inline(never)]
    fn append_more(&mut self, len: &mut usize, part: &[u8]) {
        let used = *len % 8;
        *len += part.len();
        let (first, rest) = part.split_at(if used == 0 { 0 } else { part.len().min(8 - used) });
        if !first.is_empty() {
            self.set(self.len() - 1, |last| last | word(first) << (8 * used));
        }
        text_words(rest, |word| self.put(Coded::One([word])));
    }

    #[inline]
    fn put(&mut self, value: Coded<'_>) {
        if !self.put_in_place(value) {
            self.put_elsewhere(value);
        }
    }

    /// False where there is no room.
    #[expect(clippy::inline_always, reason = "what the value is, callers know")]
    #[inline(always)]
    fn put_in_place(&mut self, value: Coded<'_>) -> bool {
        match value {
            Coded::One(words) => self.put_words(words),
            Coded::Two(words) => self.put_words(words),
            Coded::Text(head, text) => {
                let Some((room, left)) = self.room.split_at_checked(value.words()) else { return false };
                if let [first, places @ ..] = room {
                    first.store(head, Relaxed);
                    write_text(places, text.as_bytes());
                }
                self.room = left;
                true
            }
            Coded::TooLong => false,
        }
    }

    #[inline]
    fn put_text(&mut self, text: &[u8]) -> bool {
        let Some((room, left)) = self.room.split_at_checked(text.len().div_ceil(8)) else { return false };
        write_text(room, text);
        self.room = left;
        true
    }

    #[inline]
    fn put_words<const N: usize>(&mut self, words: [u64; N]) -> bool {
        let Some((room, left)) = self.room.split_first_chunk::<N>() else { return false };
        room.iter().zip(words).for_each(|(place, word)| place.store(word, Relaxed));
        self.room = left;
        true
    }

    #[cold]
    fn put_elsewhere(&mut self, value: Coded<'_>) {
        let own = self.own();
        match value {
            Coded::One(words) => own.extend(words),
            Coded::Two(words) => own.extend(words),
            Coded::Text(head, text) => {
                own.push(head);
                text_words(text.as_bytes(), |word| own.push(word));
            }
            Coded::TooLong => debug_assert!(false, "it is cut before"),
        }
    }

    /// The words in memory of their own, where they are from now on.
    fn own(&mut self) -> &mut Vec<u64> {
        let used = self.used();
        (self.place, self.room) = (&[], &[]);
        self.own.reserve(2 * used.len());
        self.own.extend(used.iter().map(|word| word.load(Relaxed)));
        &mut self.own
    }

    /// Changes a word.
    #[inline]
    fn set(&mut self, at: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(place) = self.place.get(at) {
            place.store(change(place.load(Relaxed)), Relaxed);
        } else if let Some(word) = self.own.get_mut(at) {
            *word = change(*word);
        }
    }

    /// With what was recorded later: of a key that stands here already, the later value wins. What would be more than so many
    /// fields is counted as cut.
    pub fn updated(
        &self,
        later: &FieldBuf<'_>,
        site: &'static Metadata<'static>,
        most: usize,
    ) -> FieldBuf<'static> {
        let mut kept = FieldBuf { cut: self.cut + later.cut, ..FieldBuf::new() };
        let (own, later) = (self.bytes(), later.bytes());
        let (own, later) = (RawFields::new(&own, site), RawFields::new(&later, site));
        for (key, _, raw) in own.clone() {
            if later.clone().all(|(k, ..)| k != key) {
                kept.put_raw(raw);
            }
        }
        let (mut rest, mut many) = (later, own.clone().count());
        while let Some((key, _, raw)) = rest.next() {
            if rest.clone().any(|(k, ..)| k == key) {
                continue;
            }
            if own.clone().all(|(k, ..)| k != key) {
                if many >= most {
                    kept.cut += 1;
                    continue;
                }
                many += 1;
            }
            let start = kept.len();
            kept.put_raw(raw);
            if !kept.keep(start) {
                // Better the value that was there than none.
                own.clone().filter(|(k, ..)| *k == key).for_each(|(_, _, raw)| kept.put_raw(raw));
            }
        }
        kept
    }

    /// Of each key only the value that was recorded last.
    #[cold]
    pub fn keep_latest(&mut self, site: &'static Metadata<'static>) {
        let bytes = self.bytes();
        let mut kept = FieldBuf { cut: self.cut, ..FieldBuf::new() };
        RawFields::new(&bytes, site).latest().into_iter().for_each(|(_, _, raw)| kept.put_raw(raw));
        *self = kept;
    }

    /// The same field as it is written elsewhere.
    fn put_raw(&mut self, raw: &[u8]) {
        raw.each(|word| self.put(Coded::One([word])));
    }

    /// The text of a field, if there is one of that name and it has a text.
    pub fn text_of(&self, name: &str, site: &'static Metadata<'static>) -> Option<String> {
        site.fields().field(name)?;
        match RawFields::new(&self.bytes(), site).find(|(key, ..)| *key == name) {
            Some((_, ValueRef::Str(text), _)) => Some(text.to_owned()),
            _ => None,
        }
    }

    /// A field as text, if there is one of that name.
    pub fn value_of(&self, name: &str, site: &'static Metadata<'static>) -> Option<String> {
        RawFields::new(&self.bytes(), site)
            .find(|(key, ..)| *key == name)
            .map(|(_, value, _)| value.to_string())
    }

    /// Names and values.
    pub fn to_values(&self, site: &'static Metadata<'static>) -> Vec<(Text, Value)> {
        let bytes = self.bytes();
        RawFields::new(&bytes, site)
            .map(|(key, value, _)| (key.to_owned().into(), value.to_value()))
            .collect()
    }

    /// Adds those of these fields that another item has; the names of the others are left.
    pub fn inherit(&mut self, names: &mut Vec<&str>, of: &FieldBuf<'_>, site: &'static Metadata<'static>) {
        let bytes = of.bytes();
        names.retain(|name| {
            let found = RawFields::new(&bytes, site).find(|(key, ..)| key == name);
            found.into_iter().for_each(|(_, value, _)| self.push(Key::Name(name), value));
            found.is_none()
        });
    }

    /// The fields as they are read.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() * 8);
        self.words().each(|word| bytes.extend(word.to_le_bytes()));
        bytes
    }

    /// The key of the value that comes next; none where it can't be kept.
    #[inline]
    fn push_key(&mut self, key: Key<'_>) -> Option<u8> {
        match key {
            Key::Index(index @ 0..255) => Some(index as u8),
            Key::Index(_) => {
                self.cut += 1;
                None
            }
            Key::Name(name) => Some(self.push_name(name)),
        }
    }

    #[cold]
    fn push_name(&mut self, name: &str) -> u8 {
        let name = cut::name(name);
        self.put(Coded::Text(head(NAMED, NAME, name.len(), false), &name));
        NAMED
    }

    #[inline]
    fn keep(&mut self, start: usize) -> bool {
        let fits = self.len() <= MAX_FIELDS / 8;
        if !fits {
            self.own().truncate(start);
            self.cut += 1;
        }
        fits
    }
}

/// A text while it is printed. It is dropped only by a panic: then what there is of it is made a whole field.
struct Printed<'f, 'a> {
    fields: &'f mut FieldBuf<'a>,
    /// Where the field begins, with its name, and where its value does.
    start: usize,
    at: usize,
    key: u8,
    /// How many bytes it has by now.
    len: usize,
}

impl Drop for Printed<'_, '_> {
    #[cold]
    fn drop(&mut self) {
        if self.len == 0 {
            return self.fields.own().truncate(self.start);
        }
        self.fields.set(self.at, |_| head(self.key, STR, self.len, false));
        self.fields.keep(self.start);
    }
}

/// The words of fields, wherever they are.
#[derive(Clone, Copy, Debug)]
pub struct FieldWords<'a> {
    place: &'a [AtomicU64],
    own: &'a [u64],
}

impl Words for FieldWords<'_> {
    #[inline]
    fn count(self) -> usize {
        self.place.len() + self.own.len()
    }

    #[inline]
    fn each(self, mut put: impl FnMut(u64)) {
        self.place.each(&mut put);
        self.own.each(put);
    }

    #[inline]
    fn write(self, places: &[AtomicU64]) {
        if self.own.is_empty() { self.place.write(places) } else { self.own.write(places) }
    }
}
