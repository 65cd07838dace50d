//! What an exporter is given, and the views through which it reads it.

use std::sync::Arc;

use crate::clock::{Anchors, Tick};
use crate::metrics::{MetricRef, Snapshot};
use crate::model::record::{Chunk, EventRecord, Site, SpanRecord, Time};
use crate::model::{
    Event, Resource, Span, SpanContext, SpanId, SpanKind, StatusRef, Text, TraceId, ValueRef,
};
use tracing_core::{Level, Metadata};

/// The three kinds of telemetry. Each has lanes of its own on the way to an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Finished spans.
    Spans,
    /// Events.
    Events,
    /// Data points of metrics.
    Metrics,
}

impl Signal {
    /// All three.
    pub const ALL: [Signal; 3] = [Signal::Spans, Signal::Events, Signal::Metrics];

    /// `spans`, `events` or `metrics`.
    pub fn name(self) -> &'static str {
        ["spans", "events", "metrics"][self as usize]
    }
}

/// Some items of one signal on their way out. How it keeps them is its own business: exporters walk
/// [`spans`](Self::spans), [`events`](Self::events) and [`metrics`](Self::metrics), two of which are empty.
#[derive(Debug)]
pub struct Batch {
    items: Items,
    resource: Arc<Resource>,
    anchors: Arc<Anchors>,
}

#[derive(Debug)]
enum Items {
    Spans(Chunk),
    Events(Chunk),
    Metrics(Snapshot),
}

impl Batch {
    pub(crate) fn of_spans(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        Self { items: Items::Spans(chunk), resource, anchors }
    }

    pub(crate) fn of_events(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        Self { items: Items::Events(chunk), resource, anchors }
    }

    pub(crate) fn of_metrics(snapshot: Snapshot, resource: Arc<Resource>) -> Self {
        Self { items: Items::Metrics(snapshot), resource, anchors: Arc::default() }
    }

    /// What it holds.
    pub fn signal(&self) -> Signal {
        match self.items {
            Items::Spans(_) => Signal::Spans,
            Items::Events(_) => Signal::Events,
            Items::Metrics(_) => Signal::Metrics,
        }
    }

    /// How many items.
    pub fn len(&self) -> usize {
        match &self.items {
            Items::Spans(chunk) | Items::Events(chunk) => chunk.len(),
            Items::Metrics(snapshot) => snapshot.len(),
        }
    }

    /// Whether there are none; an exporter never sees such a batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The global tags.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Its spans, in the order they ended on each thread.
    pub fn spans(&self) -> impl Iterator<Item = SpanRef<'_>> {
        let chunk = if let Items::Spans(chunk) = &self.items { Some(chunk) } else { None };
        chunk.into_iter().flat_map(Chunk::spans).map(|record| SpanRef { record, anchors: &self.anchors })
    }

    /// Its events, in the order they happened on each thread.
    pub fn events(&self) -> impl Iterator<Item = EventRef<'_>> {
        let chunk = if let Items::Events(chunk) = &self.items { Some(chunk) } else { None };
        chunk.into_iter().flat_map(Chunk::events).map(|record| EventRef { record, anchors: &self.anchors })
    }

    /// Its data points, sorted by name and tags.
    pub fn metrics(&self) -> impl Iterator<Item = MetricRef<'_>> {
        let snapshot = if let Items::Metrics(snapshot) = &self.items { Some(snapshot) } else { None };
        snapshot.into_iter().flat_map(Snapshot::iter)
    }

    /// Bytes that it keeps from other use, for queues that are bounded by them.
    pub(crate) fn bytes(&self) -> usize {
        match &self.items {
            Items::Spans(chunk) | Items::Events(chunk) => chunk.bytes(),
            // A point, its histogram; names and tags are shared with the series.
            Items::Metrics(snapshot) => {
                snapshot.iter().map(|m| 128 + 16 * m.histogram().map_or(0, |h| h.buckets.len())).sum()
            }
        }
    }
}

fn unix(time: Time, anchors: &Anchors) -> u64 {
    match time {
        Time::Tick(tick) => anchors.unix_nanos(Tick::from_raw(tick)),
        Time::Unix(nanos) => nanos,
    }
}

/// A finished span, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    record: SpanRecord<'a>,
    anchors: &'a Anchors,
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

    /// How detailed.
    pub fn level(&self) -> Level {
        self.record.head.site.level()
    }

    /// The module or component that opened it.
    pub fn target(&self) -> &'a str {
        site_target(&self.record.head.site)
    }

    /// Source file and line.
    pub fn code(&self) -> Option<(&'static str, Option<u32>)> {
        site_code(&self.record.head.site)
    }

    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.record.fields.iter()
    }

    /// The value of one field.
    pub fn field(&self, name: &str) -> Option<ValueRef<'a>> {
        self.fields().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// How many fields did not fit.
    pub fn dropped_fields(&self) -> u32 {
        self.record.head.cut
    }

    /// Other spans that it points to, in the order of the links.
    pub fn links(&self) -> impl Iterator<Item = SpanContext> + use<'a> {
        self.record.head.links.iter()
    }

    /// W3C `tracestate`; empty where there is none.
    pub fn trace_state(&self) -> &'a str {
        self.record.head.trace_state
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
    record: EventRecord<'a>,
    anchors: &'a Anchors,
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

    /// How severe.
    pub fn level(&self) -> Level {
        self.record.head.site.level()
    }

    /// The module or component that it comes from.
    pub fn target(&self) -> &'a str {
        site_target(&self.record.head.site)
    }

    /// Source file and line.
    pub fn code(&self) -> Option<(&'static str, Option<u32>)> {
        site_code(&self.record.head.site)
    }

    /// Names and values beside the message.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.record.fields.iter().filter(|(name, _)| *name != MESSAGE)
    }

    /// How many fields did not fit.
    pub fn dropped_fields(&self) -> u32 {
        self.record.head.cut
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

fn owned<'a>(fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Vec<(Text, crate::model::Value)> {
    fields.map(|(name, value)| (name.to_owned().into(), value.to_value())).collect()
}

fn meta(site: &Site<'_>) -> Option<&'static Metadata<'static>> {
    match site {
        Site::Static(meta) => Some(meta),
        Site::Inline { .. } => None,
    }
}

fn site_name<'a>(site: &Site<'a>) -> &'a str {
    match site {
        Site::Static(meta) => meta.name(),
        Site::Inline { name, .. } => name,
    }
}

fn site_target<'a>(site: &Site<'a>) -> &'a str {
    match site {
        Site::Static(meta) => meta.target(),
        Site::Inline { target, .. } => target,
    }
}

fn site_code(site: &Site<'_>) -> Option<(&'static str, Option<u32>)> {
    let meta = meta(site)?;
    Some((meta.file()?, meta.line()))
}
