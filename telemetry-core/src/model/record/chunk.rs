//! Finished records, one behind the other.

use tracing_core::Metadata;

use super::cursor::Cursor;
use super::encode::{EVENT_WORDS, Encoded, RawSpan, SPAN_WORDS};
use super::field_buf::FieldBuf;
use super::head::{EventHead, EventRecord, SpanHead, SpanRecord};
use super::words::Words;

/// Finished records of one signal, one behind the other.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The records, and behind their end whatever stood there before: memory that is used again is not cleared.
    bytes: Vec<u8>,
    end: usize,
    sites: Vec<&'static Metadata<'static>>,
    items: usize,
}

/// Where a record begins in its chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// So many bytes come before it.
    bytes: usize,
    /// So many call sites.
    sites: usize,
}

impl Chunk {
    /// An empty one for records of about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        // A record of a call site takes 8 words at least, and most take more.
        Self { bytes: vec![0; bytes], end: 0, sites: Vec::with_capacity(bytes / 64), items: 0 }
    }

    /// The same memory without records.
    pub fn emptied(mut self) -> Self {
        self.sites.clear();
        Self { end: 0, items: 0, ..self }
    }

    /// Whether records of so many bytes fit into the memory it has.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() - self.end >= bytes
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// How many bytes the records take.
    pub fn bytes(&self) -> usize {
        self.end + size_of_val(&*self.sites)
    }

    /// How much memory it keeps from other use.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.sites.capacity() * size_of::<&Metadata<'static>>()
    }

    /// Adds a finished span.
    pub fn push_span(&mut self, head: &SpanHead<'_>, fields: &FieldBuf<'_>) {
        self.push(&Encoded::span(head, (&*head.texts(), fields.words())));
    }

    /// Adds an event.
    pub fn push_event(&mut self, head: &EventHead<'_>, fields: &FieldBuf<'_>) {
        self.push(&Encoded::event(head, (&*head.site.texts(), fields.words())));
    }

    pub(super) fn push<const HEAD: usize>(&mut self, record: &Encoded<impl Words, HEAD>) {
        let mut words = self.room(record.words()).iter_mut();
        let mut put = |word: u64| words.next().into_iter().for_each(|place| *place = word.to_le_bytes());
        record.head.iter().for_each(|word| put(*word));
        record.rest.each(put);
        self.sites.extend(record.site);
        self.items += 1;
    }

    /// Adds `items` records as they were written elsewhere, whole, and the call sites that they have.
    pub fn extend(
        &mut self,
        items: usize,
        words: impl ExactSizeIterator<Item = u64>,
        sites: impl Iterator<Item = &'static Metadata<'static>>,
    ) {
        self.room(words.len()).iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        self.sites.extend(sites);
        self.items += items;
    }

    /// Room for so many words behind the records, to which it belongs from now on.
    fn room(&mut self, words: usize) -> &mut [[u8; 8]] {
        let from = self.end;
        self.end += 8 * words;
        if self.bytes.len() < self.end {
            self.bytes.resize(self.end, 0);
        }
        self.bytes[from..self.end].as_chunks_mut().0
    }

    /// Says of all spans from there on that the thread with that number wrote them.
    pub fn spans_are_of(&mut self, from: usize, thread: u32) {
        self.are_of(from, SPAN_WORDS, thread);
    }

    /// The same of events.
    pub fn events_are_of(&mut self, from: usize, thread: u32) {
        self.are_of(from, EVENT_WORDS, thread);
    }

    /// It stands in the upper half of the last word of a head.
    fn are_of(&mut self, from: usize, head_words: usize, thread: u32) {
        let mut rest = self.bytes.get_mut(from..self.end).unwrap_or_default();
        while let Some(len) = rest.first_chunk::<4>().map(|len| u32::from_le_bytes(*len) as usize) {
            let Some((record, more)) = rest.split_at_mut_checked(len.max(8 * head_words)) else { return };
            record[8 * head_words - 4..8 * head_words].copy_from_slice(&thread.to_le_bytes());
            rest = more;
        }
    }

    /// Where the next record will begin.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The spans of a chunk that was filled with spans.
    pub fn spans(&self) -> impl Iterator<Item = SpanRecord<'_>> {
        self.spans_from(Mark::default(), self.items)
    }

    /// The events of a chunk that was filled with events.
    pub fn events(&self) -> impl Iterator<Item = EventRecord<'_>> {
        self.events_from(Mark::default(), self.items)
    }

    /// The same, but only so many from there on.
    pub fn spans_from(&self, from: Mark, items: usize) -> impl Iterator<Item = SpanRecord<'_>> {
        self.raw_spans_from(from, items).map(RawSpan::read)
    }

    /// The same, which nobody has looked into.
    pub fn raw_spans_from(&self, from: Mark, items: usize) -> impl Iterator<Item = RawSpan<'_>> {
        let mut sites = self.sites.get(from.sites..).unwrap_or_default().iter();
        self.records(from, items).map(move |record| record.span(&mut sites))
    }

    /// The same, but only so many from there on.
    pub fn events_from(&self, from: Mark, items: usize) -> impl Iterator<Item = EventRecord<'_>> {
        let mut sites = self.sites.get(from.sites..).unwrap_or_default().iter();
        self.records(from, items).map(move |record| record.event(&mut sites))
    }

    /// Where the record stands that comes so many after that one.
    pub fn skip(&self, from: Mark, items: usize) -> Mark {
        self.records(from, items).fold(from, |mark, record| Mark {
            bytes: mark.bytes + record.0.len(),
            sites: mark.sites + usize::from(record.has_site()),
        })
    }

    /// Adds so many records of another chunk, from there on.
    pub fn copy(&mut self, other: &Chunk, from: Mark, items: usize) {
        let to = other.skip(from, items);
        let bytes = &other.bytes[from.bytes..to.bytes];
        self.room(bytes.len() / 8).as_flattened_mut().copy_from_slice(bytes);
        self.sites.extend_from_slice(&other.sites[from.sites..to.sites]);
        self.items += items;
    }

    fn records(&self, from: Mark, items: usize) -> impl Iterator<Item = Cursor<'_>> {
        let mut rest = Cursor(self.bytes.get(from.bytes..self.end).unwrap_or_default());
        (0..items).map(move |_| {
            let len = Cursor(rest.0).u32() as usize;
            Cursor(rest.bytes(len))
        })
    }
}
