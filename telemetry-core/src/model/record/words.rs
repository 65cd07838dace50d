//! What can be written as words of 64 bits.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What can be written as words of 64 bits.
pub trait Words: Copy {
    /// How many.
    fn count(self) -> usize;

    /// Each of them, in their order.
    fn each(self, put: impl FnMut(u64));

    /// Writes them to these places, as many as there are of both.
    fn write(self, places: &[AtomicU64]) {
        let mut places = places.iter();
        self.each(|word| places.next().into_iter().for_each(|place| place.store(word, Relaxed)));
    }
}

impl Words for &[u64] {
    fn count(self) -> usize {
        self.len()
    }

    fn each(self, put: impl FnMut(u64)) {
        self.iter().copied().for_each(put);
    }
}

impl Words for &[AtomicU64] {
    #[inline]
    fn count(self) -> usize {
        self.len()
    }

    #[inline]
    fn each(self, mut put: impl FnMut(u64)) {
        self.iter().for_each(|word| put(word.load(Relaxed)));
    }

    #[inline]
    fn write(self, places: &[AtomicU64]) {
        places.iter().zip(self).for_each(|(place, word)| place.store(word.load(Relaxed), Relaxed));
    }
}

/// Bytes, of which the last word is filled with zeros.
impl Words for &[u8] {
    fn count(self) -> usize {
        self.len().div_ceil(8)
    }

    fn each(self, mut put: impl FnMut(u64)) {
        let (whole, rest) = self.as_chunks::<8>();
        whole.iter().for_each(|word| put(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            put(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }
}

/// One behind the other.
impl<A: Words, B: Words> Words for (A, B) {
    fn count(self) -> usize {
        self.0.count() + self.1.count()
    }

    fn each(self, mut put: impl FnMut(u64)) {
        self.0.each(&mut put);
        self.1.each(put);
    }
}
