//! One stored body as it stands in a segment: a body with what is known of it becomes bytes, bytes become frames again. Pure.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | [`MAGIC`], which no text has; its second byte is [`DONE`] where the body is done with, and older ones are not |
//! | 4 | how many bytes follow behind the checksum |
//! | 4 | CRC-32 of that length and of these bytes |
//! | 1 | version of what follows |
//! | 1 | signal: spans, events, metrics |
//! | 8, 8, 4 | number of the frame; when it was stored, in nanoseconds since the Unix epoch; items |
//! | 1, n | format of the body |
//! | 2, n | destination, without secrets |
//! | rest | the body |
//!
//! Numbers are little-endian. A later version changes nothing before its own number, so an older program finds the end of the
//! frame, and a newer one reads this version too.

use std::ops::Range;

use crate::exporters::Signal;

const MAGIC: [u8; 4] = [0xff, b'S', b'P', 0xfe];
/// Where a frame is marked as done with, and how: no flipped bit does that.
pub(super) const DONE_AT: u64 = 1;
pub(super) const DONE: u8 = b'D';
const VERSION: u8 = 1;
/// Magic, length, checksum.
const START: usize = 12;
/// What stands before a body, without its texts, and at most with them.
const FIXED: usize = 25;
pub(super) const MOST_HEAD: usize = FIXED + u8::MAX as usize + u16::MAX as usize;
/// More bytes are in no frame.
pub(super) const MOST: u64 = 1 << 31;
/// After damage so many places are tried at which a frame may begin again: enough for bytes that nobody chose.
const MOST_TRIES: usize = 1000;

/// For whom a body is, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) format: String,
    pub(super) destination: String,
    /// Whoever has this one wants bodies for other destinations too.
    takes_all: bool,
}

impl Label {
    /// Long texts are cut: they only have to tell one destination from another.
    pub(super) fn new(format: &str, destination: &str) -> Self {
        let cut = |text: &str, most| text[..text.floor_char_boundary(most)].to_owned();
        Self { format: cut(format, 255), destination: cut(destination, 4096), takes_all: false }
    }

    /// The same, which takes bodies for other destinations too, if that is wanted.
    pub(super) fn of_all(self, takes_all: bool) -> Self {
        Self { takes_all, ..self }
    }

    /// Whether a body with that label is for who has this one.
    pub(super) fn takes(&self, other: &Self) -> bool {
        self.format == other.format && (self.takes_all || self.destination == other.destination)
    }

    /// Whether bodies are written in the same way.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.format == other.format
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.destination, self.format)
    }
}

/// What is known of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) signal: Signal,
    pub(super) time: u64,
    pub(super) items: u32,
}

/// A frame that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) head: Head,
    pub(super) label: Label,
    /// Where the body stands.
    pub(super) body: Range<usize>,
    /// It is marked: nobody wants it any more.
    pub(super) is_done: bool,
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Frame),
    /// Whole, and of a version that is not known here.
    Unknown,
    /// Not what was written.
    Damage,
    /// The beginning of a frame whose end was not written.
    Torn,
}

/// How many bytes the frame of such a body has.
pub(super) fn size(label: &Label, body: &[u8]) -> usize {
    START + FIXED + label.format.len() + label.destination.len() + body.len()
}

/// The bytes of a frame before its body, which follows; all of it has at most [`MOST`].
pub(super) fn encode(head: Head, label: &Label, body: &[u8]) -> Vec<u8> {
    let size = size(label, body);
    let length = (size - START) as u32;
    let mut frame = Vec::with_capacity(size - body.len());
    frame.extend(MAGIC);
    frame.extend(length.to_le_bytes());
    frame.extend([0; 4]);
    frame.extend([VERSION, head.signal as u8]);
    frame.extend(head.number.to_le_bytes());
    frame.extend(head.time.to_le_bytes());
    frame.extend(head.items.to_le_bytes());
    frame.push(label.format.len() as u8);
    frame.extend(label.format.as_bytes());
    frame.extend((label.destination.len() as u16).to_le_bytes());
    frame.extend(label.destination.as_bytes());
    let sum = Checksum::of(length, &[&frame[START..], body]);
    frame[8..START].copy_from_slice(&sum.to_le_bytes());
    frame
}

/// All bytes of a frame.
#[cfg(test)]
pub(super) fn whole(head: Head, label: &Label, body: &[u8]) -> Vec<u8> {
    [&*encode(head, label, body), body].concat()
}

/// The bytes of a segment.
pub(super) trait Source {
    fn len(&self) -> usize;

    /// What stands there, as far as it is at hand: at least so many bytes, of which nobody wants more than [`MOST_HEAD`], but where
    /// it ends.
    fn at(&mut self, from: usize, least: usize) -> &[u8];
}

impl Source for &[u8] {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn at(&mut self, from: usize, _: usize) -> &[u8] {
        self.get(from..).unwrap_or_default()
    }
}

/// The frames at the beginning of a segment that are whole, and where.
pub(super) fn wholes(mut bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, Found)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (to, found) = read(&mut bytes, at)?;
        Some((std::mem::replace(&mut at, to)..to, found))
    })
}

/// What stands in a segment, piece by piece, and where.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, Found)> {
    pieces_of(bytes)
}

/// The same of one that is not in memory as a whole.
pub(super) fn pieces_of(mut source: impl Source) -> impl Iterator<Item = (Range<usize>, Found)> {
    let (mut at, mut next, mut tries) = (0, None, 0);
    std::iter::from_fn(move || {
        if let Some((to, found)) = next.take() {
            return Some((std::mem::replace(&mut at, to)..to, found));
        }
        if at == source.len() {
            return None;
        }
        let start = at;
        if let Some((to, found)) = read(&mut source, at) {
            at = to;
            return Some((start..to, found));
        }
        let mut from = at + 1;
        while tries < MOST_TRIES
            && let Some(begin) = beginning(&mut source, from)
        {
            tries += 1;
            next = read(&mut source, begin);
            if next.is_some() {
                at = begin;
                return Some((start..begin, Found::Damage));
            }
            from = begin + 1;
        }
        at = source.len();
        Some((start..at, if is_torn(&mut source, start) { Found::Torn } else { Found::Damage }))
    })
}

/// Where the next frame may begin.
fn beginning(source: &mut impl Source, mut from: usize) -> Option<usize> {
    loop {
        let bytes = source.at(from, MAGIC.len());
        if let Some(at) = bytes.windows(MAGIC.len()).position(|four| four == MAGIC) {
            return Some(from + at);
        }
        from += (bytes.len() + 1).checked_sub(MAGIC.len()).filter(|passed| *passed > 0)?;
    }
}

/// The frame that begins there, and where it ends; none where it is not whole.
fn read(source: &mut impl Source, at: usize) -> Option<(usize, Found)> {
    let start = source.at(at, START);
    let mut magic: [u8; 4] = start.get(..4)?.try_into().ok()?;
    let is_done = magic[DONE_AT as usize] == DONE;
    if is_done {
        magic[DONE_AT as usize] = MAGIC[DONE_AT as usize];
    }
    if magic != MAGIC {
        return None;
    }
    let length = u32::from_le_bytes(start.get(4..8)?.try_into().ok()?);
    let sum = u32::from_le_bytes(start.get(8..START)?.try_into().ok()?);
    let from = at + START;
    let to = from.checked_add(usize::try_from(length).ok()?).filter(|to| *to <= source.len())?;
    let head = source.at(from, MOST_HEAD.min(to - from));
    let found = parse(&head[..head.len().min(to - from)], from..to, is_done);
    let (mut known, mut place) = (Checksum::new(length), from);
    while place < to {
        let bytes = source.at(place, 1);
        let bytes = &bytes[..bytes.len().min(to - place)];
        if bytes.is_empty() {
            return None;
        }
        known.0.update(bytes);
        place += bytes.len();
    }
    (known.0.finalize() == sum).then(|| (to, found.map_or(Found::Unknown, Found::Frame)))
}

/// What the beginning of a content says, which stands there; none where it is of another version.
fn parse(head: &[u8], content: Range<usize>, is_done: bool) -> Option<Frame> {
    let mut rest = head;
    let mut take = |n: usize| rest.split_off(..n);
    let [VERSION, signal] = *take(2)? else { return None };
    let signal = *Signal::EACH.get(usize::from(signal))?;
    let number = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let time = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let items = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let format = usize::from(take(1)?[0]);
    let format = str::from_utf8(take(format)?).ok()?.to_owned();
    let destination = u16::from_le_bytes(take(2)?.try_into().ok()?);
    let destination = str::from_utf8(take(destination.into())?).ok()?.to_owned();
    let body = content.start + (head.len() - rest.len())..content.end;
    let head = Head { number, signal, time, items };
    Some(Frame { head, label: Label { format, destination, takes_all: false }, body, is_done })
}

/// Of a length and what has it.
struct Checksum(crc32fast::Hasher);

impl Checksum {
    fn new(length: u32) -> Self {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&length.to_le_bytes());
        Self(sum)
    }

    fn of(length: u32, content: &[&[u8]]) -> u32 {
        let mut sum = Self::new(length);
        content.iter().for_each(|part| sum.0.update(part));
        sum.0.finalize()
    }
}

/// Whether what stands there, behind which no frame comes, may be the beginning of one, or room for one that was never filled.
fn is_torn(source: &mut impl Source, start: usize) -> bool {
    let left = source.len() - start;
    let tail = source.at(start, START);
    let starts = tail.iter().zip(MAGIC).all(|(a, b)| *a == b);
    let length =
        tail.get(4..8).map_or(u64::MAX, |four| four.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)));
    starts && length > left.saturating_sub(START) as u64 || has_only_zeros(source, start)
}

fn has_only_zeros(source: &mut impl Source, mut from: usize) -> bool {
    loop {
        match source.at(from, 1) {
            [] => return true,
            bytes if bytes.iter().any(|byte| *byte != 0) => return false,
            bytes => from += bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(number: u64, signal: Signal) -> Head {
        Head { number, signal, time: 1_700_000_000_000_000_000 + number, items: number as u32 }
    }

    fn label() -> Label {
        Label::new("otlp", "http://localhost:4318/v1")
    }

    /// Some frames behind each other, and where each ends.
    fn segment(bodies: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for (i, body) in bodies.iter().enumerate() {
            let frame = whole(head(i as u64, Signal::EACH[i % 3]), &label(), body);
            assert_eq!(frame.len(), size(&label(), body));
            all.extend(frame);
            ends.push(all.len());
        }
        (all, ends)
    }

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        let of = |(_, found)| if let Found::Frame(frame) = found { Some(frame.head.number) } else { None };
        pieces(bytes).filter_map(of).collect()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5)) {
            let (bytes, ends) = segment(&bodies);
            let found: Vec<_> = pieces(&bytes).collect();
            prop_assert_eq!(found.len(), bodies.len());
            for (i, (range, found)) in found.into_iter().enumerate() {
                prop_assert_eq!(range.end, ends[i]);
                let Found::Frame(frame) = found else { panic!("{found:?}") };
                prop_assert_eq!((frame.head, frame.label), (head(i as u64, Signal::EACH[i % 3]), label()));
                prop_assert_eq!(&bytes[frame.body], &*bodies[i]);
            }
        }

        #[test]
        fn a_tail_that_was_cut_costs_only_the_frame_it_is_in(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let (bytes, ends) = segment(&bodies);
            let cut = cut.index(bytes.len() + 1);
            let found: Vec<_> = pieces(&bytes[..cut]).map(|(_, found)| found).collect();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            prop_assert_eq!(numbers(&bytes[..cut]).len(), whole);
            prop_assert_eq!(found.last() == Some(&Found::Torn), cut > 0 && !ends.contains(&cut));
            prop_assert!(!found.contains(&Found::Damage));
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(prop_oneof![Just(0xff), Just(b'S'), any::<u8>()], 0..300)) {
            let mut at = 0;
            for (range, _) in pieces(&bytes) {
                prop_assert!(range.start == at && range.end > at);
                at = range.end;
            }
            prop_assert_eq!(at, bytes.len());
        }
    }

    #[test]
    fn a_bit_that_flips_costs_one_frame() {
        let (bytes, ends) = segment(&[b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let hit = ends.iter().filter(|end| **end <= at).count() as u64;
                let others: Vec<u64> = (0..3).filter(|i| *i != hit).collect();
                assert_eq!(numbers(&bytes), others, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_frame_of_a_later_version_is_passed_over_whole() {
        let (mut bytes, ends) = segment(&[b"one".to_vec(), b"two".to_vec()]);
        bytes[START] = VERSION + 1;
        let sum = Checksum::of((ends[0] - START) as u32, &[&bytes[START..ends[0]]]);
        bytes[8..START].copy_from_slice(&sum.to_le_bytes());
        let found: Vec<_> = pieces(&bytes).collect();
        assert_eq!(found[0], (0..ends[0], Found::Unknown));
        assert_eq!(numbers(&bytes), [1]);
    }

    /// What the first version of this crate has left: all later ones must read it.
    #[test]
    fn the_first_version_is_read() {
        let written = [
            &[0xff, b'S', b'P', 0xfe, 31, 0, 0, 0, 0x6e, 0xd0, 0xda, 0x5c][..],
            &[1, 1, 7, 0, 0, 0, 0, 0, 0, 0],
            &1_700_000_000_000_000_007_u64.to_le_bytes(),
            &[7, 0, 0, 0, 1, b'f', 1, 0, b'd'],
            b"body",
        ]
        .concat();
        assert_eq!(numbers(&written), [7]);
        assert_eq!(whole(head(7, Signal::Events), &Label::new("f", "d"), b"body"), written);
    }

    #[test]
    fn zeros_where_a_frame_was_to_come_are_torn() {
        let (mut bytes, _) = segment(&[b"one".to_vec()]);
        bytes.extend([0; 40]);
        assert_eq!(pieces(&bytes).last().unwrap().1, Found::Torn);
        bytes.extend([1; 40]);
        assert_eq!(pieces(&bytes).last().unwrap().1, Found::Damage);
    }

    #[test]
    fn beginnings_that_are_none_are_not_tried_for_ever() {
        let mut frame = MAGIC.to_vec();
        frame.extend([0x00, 0x80, 0x00, 0x00]);
        let bytes = frame.repeat(1 << 18);
        assert!(numbers(&bytes).is_empty());
    }
}
