//! Finished records, one behind the other.

use tracing_core::{Level, Metadata};

use super::cursor::{Cursor, push_text};
use super::{EventHead, EventRecord, FieldBuf, Fields, Site, SpanHead, SpanRecord, Time};
use crate::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceId};

/// Finished records of one signal, one behind the other.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    sites: Vec<&'static Metadata<'static>>,
    items: usize,
}

const HAS_PARENT: u8 = 1;
const SAMPLED: u8 = 1 << 1;
const UNIX: u8 = 1 << 2;
const INLINE: u8 = 1 << 3;
const RENAMED: u8 = 1 << 4;
const HAS_TRACE: u8 = 1 << 5;

const ERROR: u8 = 2;

impl Chunk {
    /// An empty chunk with room for that many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), sites: Vec::with_capacity(bytes / 256), items: 0 }
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
        self.bytes.len() + size_of_val(&*self.sites)
    }

    /// Bytes that it keeps from other use, filled or not.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.sites.capacity() * size_of::<&Metadata<'_>>()
    }

    /// Forgets all records, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.sites.clear();
        self.items = 0;
    }

    /// Adds all records of another chunk of the same signal.
    pub fn append(&mut self, other: &Chunk) {
        self.bytes.extend_from_slice(&other.bytes);
        self.sites.extend_from_slice(&other.sites);
        self.items += other.items;
    }

    /// Adds a finished span.
    pub fn push_span(&mut self, head: &SpanHead<'_>, fields: &FieldBuf) {
        let start = self.begin();
        let (unix, time) = match head.start {
            Time::Tick(t) => (0, t),
            Time::Unix(t) => (UNIX, t),
        };
        let flags = unix
            | head.parent.map_or(0, |_| HAS_PARENT)
            | if head.context.sampled { SAMPLED } else { 0 }
            | head.name.map_or(0, |_| RENAMED)
            | inline(&head.site);
        let (status, message) = match head.status {
            StatusRef::Unset => (0, ""),
            StatusRef::Ok => (1, ""),
            StatusRef::Error(message) => (ERROR, message),
        };
        self.bytes.extend_from_slice(&[flags, head.kind as u8, status]);
        self.put_context(head.context);
        if let Some(parent) = head.parent {
            self.put(parent.get());
        }
        self.put(time);
        self.put(head.duration_nano);
        self.bytes.extend_from_slice(&head.cut.saturating_add(fields.cut).to_le_bytes());
        if status == ERROR {
            push_text(&mut self.bytes, message);
        }
        if let Some(name) = head.name {
            push_text(&mut self.bytes, name);
        }
        self.put_site(&head.site);
        self.end(start, fields);
    }

    /// Adds an event.
    pub fn push_event(&mut self, head: &EventHead<'_>, fields: &FieldBuf) {
        let start = self.begin();
        let (unix, time) = match head.time {
            Time::Tick(t) => (0, t),
            Time::Unix(t) => (UNIX, t),
        };
        let flags = unix
            | head.trace_id.map_or(0, |_| HAS_TRACE)
            | head.span_id.map_or(0, |_| HAS_PARENT)
            | if head.sampled { SAMPLED } else { 0 }
            | inline(&head.site);
        self.bytes.push(flags);
        if let Some(trace) = head.trace_id {
            self.bytes.extend_from_slice(&trace.get().to_le_bytes());
        }
        if let Some(span) = head.span_id {
            self.put(span.get());
        }
        self.put(time);
        self.bytes.extend_from_slice(&head.cut.saturating_add(fields.cut).to_le_bytes());
        self.put_site(&head.site);
        self.end(start, fields);
    }

    /// The spans of a chunk that was filled with spans.
    pub fn spans(&self) -> impl Iterator<Item = SpanRecord<'_>> {
        let mut sites = self.sites.iter();
        self.records().map(move |mut r| {
            let (flags, kind, status) = (r.u8(), r.u8(), r.u8());
            let context = r.context(flags);
            let parent = if flags & HAS_PARENT == 0 { None } else { SpanId::new(r.u64()) };
            let (start, duration_nano, cut) = (r.time(flags), r.u64(), r.u32());
            let status = match status {
                0 => StatusRef::Unset,
                ERROR => StatusRef::Error(r.text()),
                _ => StatusRef::Ok,
            };
            let name = (flags & RENAMED != 0).then(|| r.text());
            let kind = SpanKind::from_index(kind);
            let (site, meta) = r.site(flags, &mut sites);
            let head = SpanHead { context, parent, start, duration_nano, kind, status, name, site, cut };
            SpanRecord { head, fields: Fields { bytes: r.0, site: meta } }
        })
    }

    /// The events of a chunk that was filled with events.
    pub fn events(&self) -> impl Iterator<Item = EventRecord<'_>> {
        let mut sites = self.sites.iter();
        self.records().map(move |mut r| {
            let flags = r.u8();
            let trace_id = if flags & HAS_TRACE == 0 { None } else { TraceId::new(r.u128()) };
            let span_id = if flags & HAS_PARENT == 0 { None } else { SpanId::new(r.u64()) };
            let sampled = flags & SAMPLED != 0;
            let (time, cut) = (r.time(flags), r.u32());
            let (site, meta) = r.site(flags, &mut sites);
            EventRecord {
                head: EventHead { trace_id, span_id, sampled, time, site, cut },
                fields: Fields { bytes: r.0, site: meta },
            }
        })
    }

    fn records(&self) -> impl Iterator<Item = Cursor<'_>> {
        let mut rest = Cursor(&self.bytes);
        (0..self.items).map(move |_| {
            let len = rest.u32() as usize;
            Cursor(rest.bytes(len))
        })
    }

    fn begin(&mut self) -> usize {
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.len()
    }

    fn end(&mut self, start: usize, fields: &FieldBuf) {
        self.bytes.extend_from_slice(&fields.bytes);
        let len = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start - 4..start].copy_from_slice(&len.to_le_bytes());
        self.items += 1;
    }

    fn put(&mut self, v: u64) {
        self.bytes.extend_from_slice(&v.to_le_bytes());
    }

    fn put_context(&mut self, context: SpanContext) {
        self.bytes.extend_from_slice(&context.trace_id.get().to_le_bytes());
        self.put(context.span_id.get());
    }

    fn put_site(&mut self, site: &Site<'_>) {
        match site {
            Site::Static(meta) => self.sites.push(meta),
            Site::Inline { name, target, level } => {
                self.bytes.push(level_index(*level));
                push_text(&mut self.bytes, name);
                push_text(&mut self.bytes, target);
            }
        }
    }
}

fn inline(site: &Site<'_>) -> u8 {
    if matches!(site, Site::Inline { .. }) { INLINE } else { 0 }
}

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

fn level_index(level: Level) -> u8 {
    LEVELS.iter().zip(0..).find(|(l, _)| **l == level).map_or(2, |(_, i)| i)
}

/// What only records hold.
impl<'a> Cursor<'a> {
    fn time(&mut self, flags: u8) -> Time {
        if flags & UNIX == 0 { Time::Tick(self.u64()) } else { Time::Unix(self.u64()) }
    }

    fn context(&mut self, flags: u8) -> SpanContext {
        SpanContext {
            trace_id: TraceId::new(self.u128()).unwrap_or(TraceId::MIN),
            span_id: SpanId::new(self.u64()).unwrap_or(SpanId::MIN),
            sampled: flags & SAMPLED != 0,
        }
    }

    /// Static sites stand in the order of their records, beside the bytes.
    fn site(
        &mut self,
        flags: u8,
        sites: &mut std::slice::Iter<'_, &'static Metadata<'static>>,
    ) -> (Site<'a>, Option<&'static Metadata<'static>>) {
        if flags & INLINE == 0
            && let Some(meta) = sites.next()
        {
            return (Site::Static(meta), Some(meta));
        }
        let level = LEVELS[usize::from(self.u8()).min(LEVELS.len() - 1)];
        (Site::Inline { level, name: self.text(), target: self.text() }, None)
    }
}
