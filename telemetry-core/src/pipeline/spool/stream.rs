//! A segment on disk, read through a buffer of one size: whatever stands in it, no more of it is in memory. It is never written.

use std::io;

use super::frame::{MOST_HEAD, Source};

/// So much is read at once: what is wanted at once fits in several times.
const BUFFER: usize = 256 << 10;
const _: () = assert!(MOST_HEAD < BUFFER / 2);

/// `R` reads: from there, so many bytes at most, behind what is there.
#[derive(Debug)]
pub(super) struct Stream<R> {
    read: R,
    len: usize,
    buffer: Vec<u8>,
    /// Where the buffer begins.
    start: usize,
    /// From where on it could not be read, and why: it is read no further.
    pub(super) failed: Option<(usize, io::Error)>,
}

impl<R: FnMut(u64, u64, &mut Vec<u8>) -> io::Result<()>> Stream<R> {
    /// The first so many bytes of what is read.
    pub(super) fn new(read: R, bytes: u64) -> Self {
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { read, len, buffer: Vec::new(), start: 0, failed: None }
    }

    fn fill(&mut self, from: usize) {
        self.buffer.clear();
        self.start = from;
        if self.failed.is_some() {
            return;
        }
        let most = self.len.saturating_sub(from).min(BUFFER) as u64;
        if let Err(e) = (self.read)(from as u64, most, &mut self.buffer) {
            self.failed = Some((from + self.buffer.len(), e));
        }
    }
}

impl<R: FnMut(u64, u64, &mut Vec<u8>) -> io::Result<()>> Source for &mut Stream<R> {
    fn len(&self) -> usize {
        self.len
    }

    fn at(&mut self, from: usize, least: usize) -> &[u8] {
        let end = self.start + self.buffer.len();
        if from < self.start || from.saturating_add(least).min(self.len) > end {
            self.fill(from);
        }
        self.buffer.get(from - self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::disk;
    use super::super::frame::{Head, Label, pieces, pieces_of, whole};
    use super::*;
    use crate::exporters::Signal;

    fn read(bytes: &[u8]) -> Stream<impl FnMut(u64, u64, &mut Vec<u8>) -> io::Result<()>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Stream::new(
            move |from, most, into: &mut Vec<u8>| disk::read(&file, from, most, into),
            bytes.len() as u64,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        /// Frames around the size of the buffer, of which some bytes are others.
        #[test]
        fn it_is_read_as_it_is_in_memory(
            lens in prop::collection::vec(prop_oneof![0..100_usize, BUFFER - 200..BUFFER + 200, 0..3 * BUFFER], 0..5),
            format in 0..300_usize,
            hits in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let label = Label::new(&"f".repeat(format), &"d".repeat(10 * format));
            let head = Head { number: 7, signal: Signal::Events, time: 1, items: 2 };
            let mut bytes: Vec<u8> = lens.iter().flat_map(|len| whole(head, &label, &vec![0xff; *len])).collect();
            for (at, byte) in hits.iter().filter(|_| !lens.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if lens.len() > 3 {
                bytes.truncate(cut.index(bytes.len()));
            }
            let mut stream = read(&bytes);
            prop_assert!(pieces_of(&mut stream).eq(pieces(&bytes)));
            prop_assert!(stream.failed.is_none() && stream.buffer.capacity() <= 2 * BUFFER);
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_torn() {
        let head = Head { number: 7, signal: Signal::Events, time: 1, items: 2 };
        let bytes = whole(head, &Label::new("f", "d"), b"body");
        let mut stream = read(&bytes);
        stream.len += 100;
        let found: Vec<_> = pieces_of(&mut stream).map(|(range, _)| range).collect();
        assert_eq!(found, [0..bytes.len(), bytes.len()..bytes.len() + 100]);
    }
}
