//! The views through which an exporter reads a batch: borrowed from the records, nothing is copied.

use tracing_core::{Level, Metadata};

use crate::clock::{Anchors, Tick};
use crate::model::record::{EventRecord, FieldKey, RawValue, Site, SpanRecord, Time};
use crate::model::{Event, Span, SpanContext, SpanId, SpanKind, StatusRef, Text, TraceId, Value, ValueRef};

fn unix(time: Time, anchors: &Anchors) -> u64 {
    match time {
        Time::Tick(tick) => anchors.unix_nanos(Tick::from_raw(tick)),
        Time::Unix(nanos) => nanos,
    }
}

/// What was made by hand comes from wherever its maker had it.
#[cfg(feature = "chrome-trace")]
fn thread(number: u32, time: Time) -> Option<u32> {
    (number > 0 && matches!(time, Time::Tick(_))).then_some(number)
}

/// A finished span, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    pub(super) record: SpanRecord<'a>,
    pub(super) anchors: &'a Anchors,
}

impl<'a> SpanRef<'a> {
    /// The trace it belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.record.head.context.trace_id
    }

    /// Its own id.
    pub fn span_id(&self) -> SpanId {
        self.record.head.context.span_id
    }

    /// The span it is a part of; none for the root of a trace.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.record.head.parent
    }

    /// What was done.
    pub fn name(&self) -> &'a str {
        self.record.head.name.unwrap_or(site_name(&self.record.head.site))
    }

    /// Its part in a call between services.
    pub fn kind(&self) -> SpanKind {
        self.record.head.kind
    }

    /// How it ended.
    pub fn status(&self) -> StatusRef<'a> {
        self.record.head.status
    }

    /// When it began, in nanoseconds since the Unix epoch.
    pub fn start_unix_nano(&self) -> u64 {
        unix(self.record.head.start, self.anchors)
    }

    /// How long it was open, in nanoseconds.
    pub fn duration_nano(&self) -> u64 {
        self.record.head.duration_nano
    }

    /// When it ended, in nanoseconds since the Unix epoch: start and duration, whatever the wall clock did.
    pub fn end_unix_nano(&self) -> u64 {
        self.start_unix_nano().saturating_add(self.duration_nano())
    }

    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.record.fields.iter()
    }

    /// Other spans that it points to, in the order of the links.
    pub fn links(&self) -> impl Iterator<Item = SpanContext> + use<'a> {
        self.record.head.links.iter()
    }

    /// W3C `tracestate`; empty where there is none.
    pub fn trace_state(&self) -> &'a str {
        self.record.head.trace_state
    }

    /// The number of the thread that recorded its end; none where that is not known.
    #[cfg(feature = "chrome-trace")]
    pub(super) fn thread(&self) -> Option<u32> {
        thread(self.record.thread, self.record.head.start)
    }

    /// Whether all of it was on that thread at one go, as a call of a function is.
    #[cfg(feature = "chrome-trace")]
    pub(super) fn is_on_one_thread(&self) -> bool {
        self.record.on_one_thread
    }

    /// Whether its parent was opened by another thread, of such a span.
    #[cfg(feature = "chrome-trace")]
    pub(super) fn is_parent_far(&self) -> bool {
        self.record.is_parent_far
    }

    /// The same, owned.
    pub fn to_span(&self) -> Span {
        Span {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            parent_span_id: self.parent_span_id(),
            name: self.name().to_owned().into(),
            kind: self.kind(),
            level: self.level(),
            target: self.target().to_owned().into(),
            start_unix_nano: self.start_unix_nano(),
            duration_nano: self.duration_nano(),
            status: self.status().to_status(),
            fields: owned(self.fields()),
            links: self.links().collect(),
            trace_state: self.trace_state().to_owned(),
        }
    }
}

/// An event, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    pub(super) record: EventRecord<'a>,
    pub(super) anchors: &'a Anchors,
}

const MESSAGE: &str = "message";

impl<'a> EventRef<'a> {
    /// The trace it fell in.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.record.head.trace_id
    }

    /// The span it fell in.
    pub fn span_id(&self) -> Option<SpanId> {
        self.record.head.span_id
    }

    /// Whether the trace it fell in was chosen by head sampling; false outside of traces.
    pub fn is_sampled(&self) -> bool {
        self.record.head.sampled
    }

    /// The name the program gave it; empty where it gave none.
    pub fn name(&self) -> &'a str {
        let name = site_name(&self.record.head.site);
        // What `tracing` calls an event without a name of its own: "event src/main.rs:12".
        let place = name.strip_prefix("event ").and_then(|place| place.rsplit_once(':'));
        let unnamed = place.zip(self.code()).is_some_and(|((file, line), (own_file, own_line))| {
            file == own_file && line.parse().ok() == own_line
        });
        if unnamed { "" } else { name }
    }

    /// The text for people; empty where there is none.
    pub fn message(&self) -> &'a str {
        match self.record.fields.iter().find(|(name, _)| *name == MESSAGE) {
            Some((_, ValueRef::Str(text))) => text,
            _ => "",
        }
    }

    /// When it happened, in nanoseconds since the Unix epoch.
    pub fn time_unix_nano(&self) -> u64 {
        unix(self.record.head.time, self.anchors)
    }

    /// Names and values beside the message.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.record.fields.iter().filter(|(name, _)| *name != MESSAGE)
    }

    /// The number of the thread on which it happened; none where that is not known.
    #[cfg(feature = "chrome-trace")]
    pub(super) fn thread(&self) -> Option<u32> {
        thread(self.record.thread, self.record.head.time)
    }

    /// The same, owned.
    pub fn to_event(&self) -> Event {
        Event {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            name: self.name().to_owned().into(),
            message: self.message().to_owned(),
            level: self.level(),
            target: self.target().to_owned().into(),
            time_unix_nano: self.time_unix_nano(),
            fields: owned(self.fields()),
        }
    }
}

/// What both say of where they come from and what does not fit into them.
macro_rules! of_both {
    ($item:ident) => {
        impl<'a> $item<'a> {
            /// How detailed, or how severe.
            pub fn level(&self) -> Level {
                self.record.head.site.level()
            }

            /// The module or component that it comes from.
            pub fn target(&self) -> &'a str {
                match self.record.head.site {
                    Site::Static(meta) => meta.target(),
                    Site::Inline { target, .. } => target,
                }
            }

            /// Source file and line.
            pub fn code(&self) -> Option<(&'static str, Option<u32>)> {
                let meta = self.call_site()?;
                Some((meta.file()?, meta.line()))
            }

            /// What the `tracing` call site says of itself, the same for all that comes from there; none for what was made
            /// by hand.
            pub fn call_site(&self) -> Option<&'static Metadata<'static>> {
                match self.record.head.site {
                    Site::Static(meta) => Some(meta),
                    Site::Inline { .. } => None,
                }
            }

            /// Names and values as they stand in the record: a field of the call site by its index, texts as bytes. For encoders
            /// that write what is constant of a call site once. Of an event the message is among them.
            pub fn keyed_fields(&self) -> impl Iterator<Item = (FieldKey<'a>, RawValue<'a>)> + use<'a> {
                self.record.fields.keyed()
            }

            /// The value of one field.
            pub fn field(&self, name: &str) -> Option<ValueRef<'a>> {
                self.fields().find(|(n, _)| *n == name).map(|(_, v)| v)
            }

            /// How many fields did not fit.
            pub fn dropped_fields(&self) -> u32 {
                self.record.head.cut
            }
        }
    };
}

of_both!(SpanRef);
of_both!(EventRef);

fn owned<'a>(fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Vec<(Text, Value)> {
    fields.map(|(name, value)| (name.to_owned().into(), value.to_value())).collect()
}

fn site_name<'a>(site: &Site<'a>) -> &'a str {
    match site {
        Site::Static(meta) => meta.name(),
        Site::Inline { name, .. } => name,
    }
}
