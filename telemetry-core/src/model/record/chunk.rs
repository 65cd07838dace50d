//! Finished records, one behind the other.

use tracing_core::Metadata;

use super::cursor::Cursor;
use super::encode::Encoded;
use super::field_buf::FieldBuf;
use super::head::{EventHead, EventRecord, SpanHead, SpanRecord};
use super::words::Words;

/// Finished records of one signal, one behind the other.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    sites: Vec<&'static Metadata<'static>>,
    items: usize,
}

impl Chunk {
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
        self.bytes.len() + size_of_val(&*self.sites)
    }

    /// Adds a finished span.
    pub fn push_span(&mut self, head: &SpanHead<'_>, fields: &FieldBuf<'_>) {
        self.push(&Encoded::span(head, (&*head.texts(), fields.words())));
    }

    /// Adds an event.
    pub fn push_event(&mut self, head: &EventHead<'_>, fields: &FieldBuf<'_>) {
        self.push(&Encoded::event(head, (&*head.site.texts(), fields.words())));
    }

    fn push<const HEAD: usize>(&mut self, record: &Encoded<impl Words, HEAD>) {
        let mut put = |word: u64| self.bytes.extend_from_slice(&word.to_le_bytes());
        record.head.iter().for_each(|word| put(*word));
        record.rest.each(put);
        self.sites.extend(record.site);
        self.items += 1;
    }

    /// Adds `items` records as they were written elsewhere, whole, and the call sites that they have.
    pub fn extend(
        &mut self,
        items: usize,
        words: impl Iterator<Item = u64>,
        sites: impl Iterator<Item = &'static Metadata<'static>>,
    ) {
        words.for_each(|word| self.bytes.extend_from_slice(&word.to_le_bytes()));
        self.sites.extend(sites);
        self.items += items;
    }

    /// The spans of a chunk that was filled with spans.
    pub fn spans(&self) -> impl Iterator<Item = SpanRecord<'_>> {
        let mut sites = self.sites.iter();
        self.records().map(move |record| record.span(&mut sites))
    }

    /// The events of a chunk that was filled with events.
    pub fn events(&self) -> impl Iterator<Item = EventRecord<'_>> {
        let mut sites = self.sites.iter();
        self.records().map(move |record| record.event(&mut sites))
    }

    fn records(&self) -> impl Iterator<Item = Cursor<'_>> {
        let mut rest = Cursor(&self.bytes);
        (0..self.items).map(move |_| {
            let len = Cursor(rest.0).u32() as usize;
            Cursor(rest.bytes(len))
        })
    }
}
