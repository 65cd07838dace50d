//! Other spans that a span points to, beside its parent.

use super::cursor::Cursor;
use crate::model::{SpanContext, SpanId, TraceId};

/// Links of a span, in the order they were made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    List(&'a [SpanContext]),
    Bytes(&'a [u8]),
}

impl Default for Source<'_> {
    fn default() -> Self {
        Self::List(&[])
    }
}

const SAMPLED: u8 = 1;
const RANDOM: u8 = 1 << 1;
const REMOTE: u8 = 1 << 2;

/// Trace, span, flags.
const BYTES: usize = 16 + 8 + 1;

impl<'a> Links<'a> {
    /// A span keeps at most that many.
    pub const MAX: usize = 128;

    /// These, as far as a span keeps them.
    pub fn new(list: &'a [SpanContext]) -> Self {
        Self(Source::List(&list[..list.len().min(Self::MAX)]))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Source::List([]) | Source::Bytes([]))
    }

    /// The spans that are pointed to.
    pub fn iter(&self) -> impl Iterator<Item = SpanContext> + use<'a> {
        let (list, bytes) = match self.0 {
            Source::List(list) => (list, &[][..]),
            Source::Bytes(bytes) => (&[][..], bytes),
        };
        let read = |bytes: &[u8; BYTES]| {
            let mut cursor = Cursor(bytes);
            let (trace_id, span_id) = (TraceId::new(cursor.u128())?, SpanId::new(cursor.u64())?);
            let flags = cursor.u8();
            let is = |flag| flags & flag != 0;
            let (sampled, random, is_remote) = (is(SAMPLED), is(RANDOM), is(REMOTE));
            Some(SpanContext { trace_id, span_id, sampled, random, is_remote })
        };
        list.iter().copied().chain(bytes.as_chunks::<BYTES>().0.iter().filter_map(read))
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.iter().count() as u8);
        for link in self.iter() {
            bytes.extend_from_slice(&link.trace_id.get().to_le_bytes());
            bytes.extend_from_slice(&link.span_id.get().to_le_bytes());
            let flag = |is, flag| if is { flag } else { 0 };
            let SpanContext { sampled, random, is_remote, .. } = link;
            bytes.push(flag(sampled, SAMPLED) | flag(random, RANDOM) | flag(is_remote, REMOTE));
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Self {
        let many = usize::from(cursor.u8());
        Self(Source::Bytes(cursor.bytes(many * BYTES)))
    }
}
