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
//! into the call site's field names, or a name), its type, its value. All numbers are little-endian.

use super::{SpanContext, SpanId, SpanKind, StatusRef, TraceId, ValueRef};
use tracing_core::{Level, Metadata};

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

/// Fields on their way into a record.
#[derive(Clone, Debug, Default)]
pub struct FieldBuf {
    bytes: Vec<u8>,
    cut: u32,
}

/// What names a field: its index among the names of its call site, or the name itself.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// `Field::index()`; below 255.
    Index(usize),
    /// For items without a call site.
    Name(&'a str),
}

const NAMED: u8 = 255;
const BOOL: u8 = 0;
const U64: u8 = 1;
const I64: u8 = 2;
const F64: u8 = 3;
const STR: u8 = 4;
/// A text that was cut at [`MAX_TEXT`].
const STR_CUT: u8 = 5;

impl FieldBuf {
    /// No fields.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), cut: 0 }
    }

    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cut = 0;
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many fields did not fit.
    pub fn cut(&self) -> u32 {
        self.cut
    }

    /// Bytes held, for whoever keeps a buffer for later.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds a field. A long text is cut at a character; a field beyond [`MAX_FIELDS`], or the 256th of its call
    /// site, is counted, not kept.
    pub fn push(&mut self, key: Key<'_>, value: ValueRef<'_>) {
        let start = self.bytes.len();
        if !self.push_key(key) {
            return;
        }
        match value {
            ValueRef::Bool(v) => self.bytes.extend_from_slice(&[BOOL, u8::from(v)]),
            ValueRef::U64(v) => self.push_fixed(U64, v),
            ValueRef::I64(v) => self.push_fixed(I64, v.cast_unsigned()),
            ValueRef::F64(v) => self.push_fixed(F64, v.to_bits()),
            ValueRef::Str(v) => {
                let kept = &v[..v.floor_char_boundary(MAX_TEXT)];
                self.bytes.push(if kept.len() < v.len() { STR_CUT } else { STR });
                push_text(&mut self.bytes, kept);
            }
        }
        self.keep(start);
    }

    /// Adds a field as `Debug` or `Display` prints it, without a copy of the text in between.
    pub fn push_fmt(&mut self, key: Key<'_>, text: std::fmt::Arguments<'_>) {
        let start = self.bytes.len();
        if !self.push_key(key) {
            return;
        }
        let head = self.bytes.len();
        self.bytes.extend_from_slice(&[STR, 0, 0]);
        let mut text_of = Capped { bytes: &mut self.bytes, left: MAX_TEXT, cut: false };
        // An error of the user's own `Debug` leaves what it had printed by then.
        let _ = std::fmt::write(&mut text_of, text);
        if text_of.cut {
            self.bytes[head] = STR_CUT;
        }
        let len = u16::try_from(self.bytes.len() - head - 3).unwrap_or(u16::MAX);
        self.bytes[head + 1..head + 3].copy_from_slice(&len.to_le_bytes());
        self.keep(start);
    }

    /// Adds what was recorded later: of a key that stands here already, the later value wins.
    pub fn update(&mut self, later: &FieldBuf, site: &'static Metadata<'static>) {
        let mut kept = FieldBuf { bytes: Vec::with_capacity(self.bytes.len()), cut: self.cut + later.cut };
        for (key, _, raw) in self.iter(site) {
            if later.iter(site).all(|(k, ..)| k != key) {
                kept.bytes.extend_from_slice(raw);
            }
        }
        for (_, _, raw) in later.iter(site) {
            let start = kept.bytes.len();
            kept.bytes.extend_from_slice(raw);
            kept.keep(start);
        }
        *self = kept;
    }

    fn iter(&self, site: &'static Metadata<'static>) -> RawFields<'_> {
        RawFields { bytes: Cursor(&self.bytes), site: Some(site) }
    }

    fn push_key(&mut self, key: Key<'_>) -> bool {
        match key {
            Key::Index(i) if i < usize::from(NAMED) => self.bytes.push(i as u8),
            Key::Index(_) => {
                self.cut += 1;
                return false;
            }
            Key::Name(name) => {
                self.bytes.push(NAMED);
                push_text(&mut self.bytes, name);
            }
        }
        true
    }

    fn push_fixed(&mut self, tag: u8, v: u64) {
        let mut value = [tag; 9];
        value[1..].copy_from_slice(&v.to_le_bytes());
        self.bytes.extend_from_slice(&value);
    }

    fn keep(&mut self, start: usize) {
        if self.bytes.len() > MAX_FIELDS {
            self.bytes.truncate(start);
            self.cut += 1;
        }
    }
}

struct Capped<'a> {
    bytes: &'a mut Vec<u8>,
    left: usize,
    cut: bool,
}

impl std::fmt::Write for Capped<'_> {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        if self.cut {
            return Ok(());
        }
        let kept = &s[..s.floor_char_boundary(self.left)];
        self.bytes.extend_from_slice(kept.as_bytes());
        self.left -= kept.len();
        self.cut = kept.len() < s.len();
        Ok(())
    }
}

/// The fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    site: Option<&'static Metadata<'static>>,
}

impl<'a> Fields<'a> {
    /// Names and values, in the order they were recorded.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        RawFields { bytes: Cursor(self.bytes), site: self.site }.map(|(key, value, _)| (key, value))
    }
}

struct RawFields<'a> {
    bytes: Cursor<'a>,
    site: Option<&'static Metadata<'static>>,
}

impl<'a> Iterator for RawFields<'a> {
    /// Key, value, and the bytes of both.
    type Item = (&'a str, ValueRef<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.bytes.0;
        if start.is_empty() {
            return None;
        }
        let key = match self.bytes.u8() {
            NAMED => self.bytes.text(),
            index => self
                .site
                .and_then(|meta| meta.fields().iter().nth(usize::from(index)))
                .map_or("", |field| field.name().strip_prefix("r#").unwrap_or(field.name())),
        };
        let value = match self.bytes.u8() {
            BOOL => ValueRef::Bool(self.bytes.u8() != 0),
            U64 => ValueRef::U64(self.bytes.u64()),
            I64 => ValueRef::I64(self.bytes.u64().cast_signed()),
            F64 => ValueRef::F64(f64::from_bits(self.bytes.u64())),
            _ => ValueRef::Str(self.bytes.text()),
        };
        Some((key, value, &start[..start.len() - self.bytes.0.len()]))
    }
}

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

/// A text as it is kept: at most [`MAX_TEXT`] of it.
pub fn capped(text: std::fmt::Arguments<'_>) -> String {
    let mut bytes = Vec::new();
    let _ = std::fmt::write(&mut Capped { bytes: &mut bytes, left: MAX_TEXT, cut: false }, text);
    String::from_utf8(bytes).unwrap_or_default()
}

/// Two bytes of length, then the text, cut to [`MAX_TEXT`].
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads what the writers above wrote. Beyond the end it reads zeros: a record can be wrong, never unsafe.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if let Some((head, tail)) = self.0.split_first_chunk::<N>() {
            self.0 = tail;
            *head
        } else {
            debug_assert!(false, "a record ends in the middle of a value");
            self.0 = &[];
            [0; N]
        }
    }

    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take())
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(len.min(self.0.len()));
        self.0 = tail;
        head
    }

    fn text(&mut self) -> &'a str {
        let len = u16::from_le_bytes(self.take());
        std::str::from_utf8(self.bytes(usize::from(len))).unwrap_or_default()
    }

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

#[cfg(test)]
mod tests;
