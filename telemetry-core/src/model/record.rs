//! The bytes in which a finished span or event travels from the thread that made it to the exporters.
//!
//! Writers append to a [`Chunk`]; readers walk it and see borrowed [`SpanRecord`]s and [`EventRecord`]s.
//! A record is copied as it is and never becomes an object on the way. What a `tracing` call site says of
//! itself is not copied at all: a record points at the call site's `&'static Metadata`.
//!
//! Times are left as the writer's clock gave them ([`Time::Tick`]), or are nanoseconds since the Unix epoch
//! for items made by hand ([`Time::Unix`]).
//!
//! A record: its length, then fixed values, then optional texts, then fields. A field: its key (an index
//! into the call site's field names, or a name), its type, its value, in whole words of 64 bits. All numbers are
//! little-endian.

mod chunk;
mod cursor;
mod encode;
mod fields;
mod links;

use tracing_core::{Level, Metadata};

use super::{SpanContext, SpanId, SpanKind, StatusRef, TraceId};

pub use chunk::{Chunk, Mark};
pub use encode::{Encoded, Words};
pub use fields::{FieldBuf, FieldWords, Fields, Key, capped};
pub use links::Links;

/// A text longer than this is cut where it is recorded.
pub const MAX_TEXT: usize = 8 << 10;
/// A record's fields take at most this many bytes; what does not fit is counted in the record as cut.
pub const MAX_FIELDS: usize = 32 << 10;

/// A moment as the writer knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Of the collector's clock.
    Tick(u64),
    /// Nanoseconds since the Unix epoch.
    Unix(u64),
}

/// Where a span or an event was made.
#[derive(Clone, Copy, Debug)]
pub enum Site<'a> {
    /// A `tracing` call site.
    Static(&'static Metadata<'static>),
    /// Made by hand, or come in over a wire.
    Inline {
        /// Name.
        name: &'a str,
        /// Module or component.
        target: &'a str,
        /// Level.
        level: Level,
    },
}

impl Site<'_> {
    /// The level.
    pub fn level(&self) -> Level {
        match self {
            Self::Static(meta) => *meta.level(),
            Self::Inline { level, .. } => *level,
        }
    }
}

/// What a finished span is, beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead<'a> {
    /// Trace, id, sampled or not.
    pub context: SpanContext,
    /// The span it is a part of.
    pub parent: Option<SpanId>,
    /// When it began.
    pub start: Time,
    /// How long it was open, in nanoseconds.
    pub duration_nano: u64,
    /// Its part in a call between services.
    pub kind: SpanKind,
    /// How it ended.
    pub status: StatusRef<'a>,
    /// Its name, where it is another than its site's.
    pub name: Option<&'a str>,
    /// Where it was made.
    pub site: Site<'a>,
    /// Fields that did not fit.
    pub cut: u32,
    /// W3C `tracestate`; empty where there is none.
    pub trace_state: &'a str,
    /// Other spans that it points to.
    pub links: Links<'a>,
}

/// What an event is, beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct EventHead<'a> {
    /// The trace it fell in.
    pub trace_id: Option<TraceId>,
    /// The span it fell in.
    pub span_id: Option<SpanId>,
    /// Whether that trace was chosen by head sampling.
    pub sampled: bool,
    /// When it happened.
    pub time: Time,
    /// Where it was made.
    pub site: Site<'a>,
    /// Fields that did not fit.
    pub cut: u32,
}

/// A finished span inside a chunk.
#[derive(Clone, Copy, Debug)]
pub struct SpanRecord<'a> {
    /// All but the fields.
    pub head: SpanHead<'a>,
    /// Names and values.
    pub fields: Fields<'a>,
}

/// An event inside a chunk.
#[derive(Clone, Copy, Debug)]
pub struct EventRecord<'a> {
    /// All but the fields.
    pub head: EventHead<'a>,
    /// Names and values.
    pub fields: Fields<'a>,
}

#[cfg(test)]
mod tests;
