//! Memory that one thread fills with finished records while the dispatcher reads them.
//!
//! The writer alone stores words and then says how many there are; the reader looks no further. Neither waits for the
//! other.

use crate::model::record::{Chunk, Encoded, Words};
use crate::sync::StaticRef;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::prefetch;
use tracing_core::Metadata;

use Ordering::{Acquire, Relaxed, Release};

#[derive(Debug)]
pub(super) struct Block {
    words: Box<[AtomicU64]>,
    /// The call sites of those records that have one, in their order.
    sites: Box<[StaticRef<Metadata<'static>>]>,
    prefetches: bool,
    /// Written by the writer.
    written: AtomicU64,
    /// Written by the reader.
    read: AtomicU64,
}

/// How far a block is filled or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    words: usize,
    items: usize,
    sites: usize,
}

const ITEM_BITS: u32 = 20;
const ITEMS: u64 = (1 << ITEM_BITS) - 1;
/// No record has fewer words.
const LEAST_RECORD: usize = 6;
/// So far ahead of what is written cache lines are asked for.
const AHEAD: usize = 16;
/// Words in a cache line.
const LINE: usize = 8;

impl Mark {
    fn of(packed: u64) -> Self {
        Self {
            words: (packed >> (2 * ITEM_BITS)) as usize,
            items: (packed >> ITEM_BITS & ITEMS) as usize,
            sites: (packed & ITEMS) as usize,
        }
    }

    fn packed(self) -> u64 {
        (self.words as u64) << (2 * ITEM_BITS) | (self.items as u64) << ITEM_BITS | self.sites as u64
    }
}

impl Block {
    /// All bytes that a block of that size takes.
    pub(super) fn bytes_of(size: usize) -> usize {
        let words = Self::words_of(size);
        words * size_of::<AtomicU64>() + words / LEAST_RECORD * size_of::<StaticRef<Metadata<'static>>>()
    }

    fn words_of(size: usize) -> usize {
        (size / 8).min(1 << 23)
    }

    /// An empty block of about that size in bytes, at most 64 MiB.
    pub(super) fn new(size: usize) -> Self {
        let words = Self::words_of(size);
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            sites: (0..words / LEAST_RECORD).map(|_| StaticRef::default()).collect(),
            prefetches: prefetch::is_supported(),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    /// The bytes of its words, which is what it was made for.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// All bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.size() + size_of_val(&*self.sites)
    }

    /// Adds a record, which `last` completes when all but its head is written; false if there is no room. Only one thread
    /// ever calls this.
    #[expect(clippy::inline_always, reason = "what the record is, callers know")]
    #[inline(always)]
    pub(super) fn push<W: Words, const HEAD: usize>(
        &self,
        mut record: Encoded<W, HEAD>,
        last: impl FnOnce(&mut Encoded<W, HEAD>),
    ) -> bool {
        let written = self.written.load(Relaxed);
        let (mark, words) = (Mark::of(written), record.words());
        let room = self.words.get(mark.words..).and_then(|room| room.get(..words));
        let Some((head, rest)) = room.and_then(|room| room.split_first_chunk::<HEAD>()) else { return false };
        record.rest.write(rest);
        if self.prefetches {
            // As many lines as most records take.
            let end = mark.words + words;
            prefetch::to_write(self.words.get(end + AHEAD));
            prefetch::to_write(self.words.get(end + AHEAD + LINE));
            prefetch::to_write(self.sites.get(mark.sites + AHEAD));
        }
        if let Some(site) = record.site {
            self.sites[mark.sites].set(site);
        }
        last(&mut record);
        head.iter().zip(record.head).for_each(|(place, word)| place.store(word, Relaxed));
        let more = Mark { words, items: 1, sites: usize::from(record.site.is_some()) };
        self.written.store(written + more.packed(), Release);
        true
    }

    /// How many records nobody has read.
    pub(super) fn unread(&self) -> usize {
        Mark::of(self.written.load(Acquire)).items - Mark::of(self.read.load(Relaxed)).items
    }

    /// About how many bytes these take.
    pub(super) fn unread_bytes(&self) -> usize {
        let (read, written) = (Mark::of(self.read.load(Relaxed)), Mark::of(self.written.load(Acquire)));
        8 * (written.words - read.words + written.sites - read.sites)
    }

    /// Moves what nobody has read behind the records of a chunk, and says how many these are. One thread at a time
    /// calls this.
    pub(super) fn read_into(&self, chunk: &mut Chunk) -> usize {
        let (from, to) = (Mark::of(self.read.load(Relaxed)), Mark::of(self.written.load(Acquire)));
        let words = self.words[from.words..to.words].iter().map(|word| word.load(Relaxed));
        let sites = self.sites[from.sites..to.sites].iter().filter_map(StaticRef::get);
        chunk.extend(to.items - from.items, words, sites);
        self.read.store(to.packed(), Relaxed);
        to.items - from.items
    }

    /// Empties it. Nobody writes or reads meanwhile.
    pub(super) fn clear(&self) {
        self.written.store(0, Relaxed);
        self.read.store(0, Relaxed);
    }
}
