//! What all wires of lines share: items go in one behind the other, as many as fit, and what neighbours have in common is written
//! once.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::protocol::Encoded;
use crate::metrics::MetricRef;
use crate::model::Tags;

/// Adds what `put` writes of as many of the first items as fit into so many bytes, but of one at least. An item that it refuses is
/// left out, with its reason, and nothing of it stays.
pub(super) fn put_items<T>(
    body: &mut Vec<u8>,
    mut items: impl Iterator<Item = T>,
    max_bytes: usize,
    mut put: impl FnMut(&mut Vec<u8>, T) -> Result<(), Cow<'static, str>>,
) -> Encoded {
    let (start, mut encoded) = (body.len(), Encoded::default());
    // Batches have several parts: a loop inside is faster than one that asks for each item.
    let _: ControlFlow<()> = items.try_for_each(|item| {
        let before = body.len();
        if let Err(reason) = put(body, item) {
            body.truncate(before);
            encoded.reject(reason);
            return ControlFlow::Continue(());
        }
        if before > start && body.len() - start > max_bytes {
            body.truncate(before);
            return ControlFlow::Break(());
        }
        encoded.items += 1;
        ControlFlow::Continue(())
    });
    encoded
}

/// A set of bytes, from a pattern: for each byte, whether it is in it.
macro_rules! byte_set {
    ($are:pat) => {{
        let (mut all, mut byte) = ([false; 256], 0);
        while byte < all.len() {
            all[byte] = matches!(byte as u8, $are);
            byte += 1;
        }
        all
    }};
}
pub(super) use byte_set;

/// Adds what stands in front of the first byte that is not in the set, and returns the rest, which mostly is nothing. A set has all
/// bytes above ASCII or none, so that no character is torn.
#[inline]
pub(super) fn put_while<'a>(out: &mut Vec<u8>, text: &'a str, plain: &[bool; 256]) -> &'a str {
    let end = text.bytes().position(|byte| !plain[usize::from(byte)]).unwrap_or(text.len());
    let (plain, rest) = text.split_at(end);
    out.extend_from_slice(plain.as_bytes());
    rest
}

/// A part of a point as it was written last: neighbours mostly have the same name, and the same time.
pub(super) struct Kept<K> {
    of: Option<K>,
    text: Vec<u8>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { of: None, text: Vec::new() }
    }
}

impl<K: PartialEq> Kept<K> {
    /// What `put` writes of that, which is the same always.
    #[inline]
    pub(super) fn of(&mut self, of: K, put: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        if self.of.as_ref() != Some(&of) {
            self.text.clear();
            put(&mut self.text);
            self.of = Some(of);
        }
        &self.text
    }
}

/// A name. Two that are the same are one text, mostly.
#[derive(Clone, Copy)]
pub(super) struct Name<'a>(pub(super) &'a str);

impl PartialEq for Name<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || self.0 == other.0
    }
}

/// The tags of a point, with the global ones, as they were written last. Neighbours are mostly of one metric and have the same keys:
/// then only the values that are other ones are written anew.
#[derive(Default)]
pub(super) struct KeptTags<'a> {
    of: Option<&'a Tags>,
    text: Vec<u8>,
    /// Where the values of the point's own tags are in it.
    values: Vec<Range<usize>>,
    value: Vec<u8>,
}

impl<'a> KeptTags<'a> {
    /// Those of a point. `key` is given a key and its value, and writes what stands before the value, which may depend on all keys
    /// and on which values are empty; `value` writes a value, which depends on nothing else.
    #[inline]
    pub(super) fn of(
        &mut self,
        point: MetricRef<'a>,
        key: impl FnMut(&mut Vec<u8>, &'a str, &'a str),
        mut value: impl FnMut(&mut Vec<u8>, &'a str),
    ) -> &[u8] {
        let own = point.own_tags();
        let before = self.of.replace(own);
        let mut change = |at, text| self.change(at, |out| value(out, text));
        if before.is_none_or(|before| !own.changes(before, &mut change)) {
            let mut owns = own.iter().peekable();
            self.put(point.tags(), key, value, |name| owns.next_if(|(own, _)| *own == name).is_some());
        }
        &self.text
    }

    /// These, which the next ones do not begin with.
    pub(super) fn of_these(
        &mut self,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        key: impl FnMut(&mut Vec<u8>, &'a str, &'a str),
        value: impl FnMut(&mut Vec<u8>, &'a str),
    ) {
        self.forget();
        self.put(tags, key, value, |_| false);
    }

    fn put(
        &mut self,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        mut key: impl FnMut(&mut Vec<u8>, &'a str, &'a str),
        mut value: impl FnMut(&mut Vec<u8>, &'a str),
        mut is_own: impl FnMut(&str) -> bool,
    ) {
        self.text.clear();
        self.values.clear();
        for (name, text) in tags {
            key(&mut self.text, name, text);
            let start = self.text.len();
            value(&mut self.text, text);
            if is_own(name) {
                self.values.push(start..self.text.len());
            }
        }
    }

    /// Those of the point that was last.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The next ones are written anew.
    pub(super) fn forget(&mut self) {
        self.of = None;
    }

    /// Another value in the place of one.
    #[inline]
    fn change(&mut self, at: usize, put: impl FnOnce(&mut Vec<u8>)) {
        let (text, value) = (&mut self.text, &mut self.value);
        value.clear();
        put(value);
        let Some(Range { start, end: old_end }) = self.values.get(at).cloned() else { return };
        let (end, old_len) = (start + value.len(), text.len());
        if end != old_end {
            text.resize(old_len.max(old_len + end - old_end), 0);
            text.copy_within(old_end..old_len, end);
            text.truncate(old_len + end - old_end);
            self.values[at].end = end;
            for behind in &mut self.values[at + 1..] {
                *behind = behind.start + end - old_end..behind.end + end - old_end;
            }
        }
        text[start..end].copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
