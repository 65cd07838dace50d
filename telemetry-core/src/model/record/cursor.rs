//! How numbers and texts are read, and texts are written.

use crate::model::cut::{TEXT_BYTES, prefix};

/// Two bytes of length, then the text, which is short already.
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let text = prefix(text, *TEXT_BYTES.end());
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads what the writers above wrote. Beyond the end it reads zeros: a record can be wrong, never unsafe.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        if let Some((head, tail)) = self.0.split_first_chunk::<N>() {
            self.0 = tail;
            *head
        } else {
            debug_assert!(false, "a record ends in the middle of a value");
            self.0 = &[];
            [0; N]
        }
    }

    #[inline]
    pub(super) fn words<const N: usize>(&mut self) -> [u64; N] {
        if let Some(words) = self.0.as_chunks().0.first_chunk::<N>() {
            self.0 = self.0.get(8 * N..).unwrap_or_default();
            words.map(u64::from_le_bytes)
        } else {
            debug_assert!(false, "a record ends in the middle of its head");
            self.0 = &[];
            [0; N]
        }
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub(super) fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take())
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(len.min(self.0.len()));
        self.0 = tail;
        head
    }

    pub(super) fn text(&mut self) -> &'a str {
        let len = u16::from_le_bytes(self.take());
        std::str::from_utf8(self.bytes(usize::from(len))).unwrap_or_default()
    }
}
