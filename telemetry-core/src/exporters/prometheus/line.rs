//! Most series are short lines: they are put together in a place of fixed size, where a copy costs a few instructions, and go to the
//! page at once.

/// So many bytes are short.
const MOST: usize = 256;

/// So many bytes before a value are.
const HEAD: usize = 32;

/// What is put together.
pub(super) struct Line {
    bytes: [u8; MOST],
    len: usize,
}

/// What stands before a value, if it is short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

impl Head {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut all = [0; HEAD];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: all, len: bytes.len() })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Line {
    pub(super) fn new() -> Self {
        Self { bytes: [0; MOST], len: 0 }
    }

    /// Begins another one.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Adds what stands before a value, if there is room.
    #[inline]
    pub(super) fn put_head(&mut self, head: &Head) -> Option<()> {
        // All of it, as a copy of fixed size costs less than one of few bytes.
        self.bytes.get_mut(self.len..self.len + HEAD)?.copy_from_slice(&head.bytes);
        self.len += head.len;
        Some(())
    }

    /// The last bytes but so many, to be changed.
    #[inline]
    pub(super) fn byte_before(&mut self, many: usize) -> Option<&mut u8> {
        self.bytes.get_mut(self.len.checked_sub(many)?)
    }

    /// Adds a value, if there is room.
    #[inline]
    pub(super) fn put(&mut self, text: &[u8]) -> Option<()> {
        let place = self.bytes.get_mut(self.len..self.len + text.len())?;
        self.len += text.len();
        match text.len() {
            0..4 => put_few(place, text),
            4..8 => put_ends::<4>(place, text),
            8..=16 => put_ends::<8>(place, text),
            _ => place.copy_from_slice(text),
        }
        Some(())
    }
}

/// The first bytes and the last ones, which may be the same in part.
#[inline]
fn put_ends<const N: usize>(place: &mut [u8], text: &[u8]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        place.first_chunk_mut().into_iter().for_each(|place| *place = *first);
        place.last_chunk_mut().into_iter().for_each(|place| *place = *last);
    }
}

/// Up to three bytes.
#[inline]
fn put_few(place: &mut [u8], text: &[u8]) {
    match (place, text) {
        ([to], [a]) => *to = *a,
        ([to, to_b], [a, b]) => (*to, *to_b) = (*a, *b),
        ([to, to_b, to_c], [a, b, c]) => (*to, *to_b, *to_c) = (*a, *b, *c),
        _ => {}
    }
}

/// All of up to three bytes; of texts of one length it is the same only where they are.
#[inline]
fn few(text: &[u8]) -> [u8; 3] {
    match *text {
        [a] => [a, 0, 0],
        [a, b] => [a, b, 0],
        [a, b, c] => [a, b, c],
        _ => [0; 3],
    }
}

/// Whether both are the same, of which most are short.
#[inline]
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0..4 => few(a) == few(b),
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..=16 => ends::<8>(a) == ends::<8>(b),
        _ => a == b,
    }
}

#[inline]
fn ends<const N: usize>(text: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (text.first_chunk(), text.last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_whole() {
        let text: Vec<u8> = (1..=100).collect();
        for len in 0..text.len() {
            let mut line = Line::new();
            let is_head = len <= HEAD;
            assert_eq!(Head::new(&text[..len]).is_some(), is_head);
            let put = Head::new(&text[..len]).map(|head| line.put_head(&head));
            assert_eq!(put.is_some(), is_head);
            assert!(line.put(&text[..len]).is_some());
            let twice = [&text[..if is_head { len } else { 0 }], &text[..len]].concat();
            assert_eq!(line.bytes(), twice);
            assert!(is_same(line.bytes(), &twice));
            for at in 0..len {
                let mut other = text[..len].to_vec();
                other[at] ^= 1;
                assert!(!is_same(&other, &text[..len]), "{at} of {len}");
            }
            assert!(!is_same(&text[..len], &text[..=len]));
        }
        let mut line = Line::new();
        while line.put(&text).is_some() {}
        assert_eq!(line.bytes(), text.repeat(MOST / text.len()), "what has no room is not there in part");
    }
}
