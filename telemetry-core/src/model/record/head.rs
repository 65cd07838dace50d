//! What a finished span or event is, beside its fields, and both together as they are read.

use tracing_core::{Level, Metadata};

use super::fields::Fields;
use super::links::Links;
use crate::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceId};

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
    /// Whether another program told of that span, where that is known.
    pub parent_is_remote: Option<bool>,
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
    /// Whether somebody vouches for the randomness of the trace id.
    pub random: bool,
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
    /// The number of the thread that wrote it; 0 where nobody wanted to know.
    pub thread: u32,
    /// That thread opened it too, nobody else was in it, and it was entered once at most; false where nobody wanted to know.
    pub on_one_thread: bool,
    /// Of such a span: another thread opened its parent.
    pub is_parent_far: bool,
}

/// An event inside a chunk.
#[derive(Clone, Copy, Debug)]
pub struct EventRecord<'a> {
    /// All but the fields.
    pub head: EventHead<'a>,
    /// Names and values.
    pub fields: Fields<'a>,
    /// The number of the thread that wrote it; 0 where nobody wanted to know.
    pub thread: u32,
}
