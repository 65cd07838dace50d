//! One record in words of 64 bits, each little-endian: a head of fixed size, then texts, then fields. Texts and fields
//! begin at a word each.
//!
//! A record begins with its length in bytes.

use tracing_core::{Level, Metadata};

use super::cursor::{Cursor, push_text};
use super::fields::Fields;
use super::head::{EventHead, EventRecord, Site, SpanHead, SpanRecord, Time};
use super::links::Links;
use super::words::Words;
use crate::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceId};

const SAMPLED: u8 = 1;
const UNIX: u8 = 1 << 1;
const INLINE: u8 = 1 << 2;
const RENAMED: u8 = 1 << 3;
const HAS_STATE: u8 = 1 << 4;
const HAS_LINKS: u8 = 1 << 5;
const RANDOM: u8 = 1 << 6;
/// One thread opened, entered and closed it.
const ON_ONE_THREAD: u8 = 1 << 7;

const ERROR: u8 = 2;

/// What is known of a parent: whether this program told of it, or another one.
const LOCAL: u8 = 1;
const REMOTE: u8 = 2;
/// A flag beside these: another thread opened the parent.
const FAR: u8 = 1 << 2;

pub(super) const SPAN_WORDS: usize = 8;
/// Which of them is the duration.
const DURATION: usize = 6;
pub(super) const EVENT_WORDS: usize = 6;

/// A record that is ready to be written.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<W, const HEAD: usize> {
    /// What it begins with.
    pub head: [u64; HEAD],
    /// What follows.
    pub rest: W,
    /// The call site, which is kept beside the bytes.
    pub site: Option<&'static Metadata<'static>>,
}

impl<W: Words> Encoded<W, SPAN_WORDS> {
    /// A finished span with its fields; before them comes what [`SpanHead::texts`] says, if anything.
    #[inline]
    pub fn span(head: &SpanHead<'_>, rest: W) -> Self {
        let status = match head.status {
            StatusRef::Unset => 0,
            StatusRef::Ok => 1,
            StatusRef::Error(_) => ERROR,
        };
        let (time_flag, start) = time(head.start);
        let flags = time_flag
            | if head.context.sampled { SAMPLED } else { 0 }
            | if head.context.random { RANDOM } else { 0 }
            | head.name.map_or(0, |_| RENAMED)
            | if head.trace_state.is_empty() { 0 } else { HAS_STATE }
            | if head.links.is_empty() { 0 } else { HAS_LINKS }
            | inline(&head.site);
        let parent = head.parent_is_remote.map_or(0, |is_remote| LOCAL + u8::from(is_remote));
        let trace = head.context.trace_id.get();
        let words = [
            first(SPAN_WORDS + rest.count(), [flags, head.kind as u8, status, parent]),
            (trace >> 64) as u64,
            trace as u64,
            head.context.span_id.get(),
            head.parent.map_or(0, SpanId::get),
            start,
            head.duration_nano,
            u64::from(head.cut),
        ];
        Self { head: words, rest, site: meta(&head.site) }
    }
}

impl<W> Encoded<W, SPAN_WORDS> {
    /// Its span ends now.
    #[inline]
    pub fn end(&mut self, duration_nano: u64) {
        self.head[DURATION] = duration_nano;
    }

    /// One thread opened, entered and closed it, and entered it once; perhaps another one opened its parent.
    pub fn on_one_thread(&mut self, is_parent_far: bool) {
        let flags = [ON_ONE_THREAD, 0, 0, if is_parent_far { FAR } else { 0 }];
        self.head[0] |= u64::from(u32::from_le_bytes(flags)) << 32;
    }
}

impl<W: Words> Encoded<W, EVENT_WORDS> {
    /// An event with its fields; before them comes what [`Site::texts`] says, if anything.
    #[inline]
    pub fn event(head: &EventHead<'_>, rest: W) -> Self {
        let (time_flag, time) = time(head.time);
        let flags = time_flag
            | if head.sampled { SAMPLED } else { 0 }
            | if head.random { RANDOM } else { 0 }
            | inline(&head.site);
        let trace = head.trace_id.map_or(0, TraceId::get);
        let words = [
            first(EVENT_WORDS + rest.count(), [flags, 0, 0, 0]),
            (trace >> 64) as u64,
            trace as u64,
            head.span_id.map_or(0, SpanId::get),
            time,
            u64::from(head.cut),
        ];
        Self { head: words, rest, site: meta(&head.site) }
    }
}

impl<W: Words, const HEAD: usize> Encoded<W, HEAD> {
    /// How many words it takes.
    #[inline]
    pub fn words(&self) -> usize {
        HEAD + self.rest.count()
    }
}

/// The word that every record begins with.
#[inline]
fn first(words: usize, high: [u8; 4]) -> u64 {
    let bytes = words as u64 * 8;
    bytes.min(u64::from(u32::MAX)) | u64::from(u32::from_le_bytes(high)) << 32
}

impl SpanHead<'_> {
    /// What is seldom there.
    pub fn texts(&self) -> Vec<u8> {
        let mut texts = Vec::new();
        if let StatusRef::Error(message) = self.status {
            push_text(&mut texts, message);
        }
        if let Some(name) = self.name {
            push_text(&mut texts, name);
        }
        if !self.trace_state.is_empty() {
            push_text(&mut texts, self.trace_state);
        }
        if !self.links.is_empty() {
            self.links.write(&mut texts);
        }
        texts.extend(self.site.texts());
        texts
    }
}

impl Site<'_> {
    /// What no call site says.
    #[inline]
    pub fn texts(&self) -> Vec<u8> {
        let mut texts = Vec::new();
        if let Site::Inline { name, target, level } = self {
            texts.push(level_index(*level));
            push_text(&mut texts, name);
            push_text(&mut texts, target);
        }
        texts
    }
}

fn inline(site: &Site<'_>) -> u8 {
    if matches!(site, Site::Inline { .. }) { INLINE } else { 0 }
}

fn meta(site: &Site<'_>) -> Option<&'static Metadata<'static>> {
    match site {
        Site::Static(meta) => Some(meta),
        Site::Inline { .. } => None,
    }
}

fn time(time: Time) -> (u8, u64) {
    match time {
        Time::Tick(tick) => (0, tick),
        Time::Unix(nanos) => (UNIX, nanos),
    }
}

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

fn level_index(level: Level) -> u8 {
    LEVELS.iter().zip(0..).find(|(l, _)| **l == level).map_or(2, |(_, i)| i)
}

/// Where the call sites of records come from that have one: they stand beside the bytes, in the same order.
type Sites<'a> = std::slice::Iter<'a, &'static Metadata<'static>>;

/// A span as it stands in its chunk.
#[derive(Clone, Copy, Debug)]
pub struct RawSpan<'a> {
    bytes: &'a [u8],
    site: Option<&'static Metadata<'static>>,
}

impl<'a> RawSpan<'a> {
    /// Its call site; none where it was made by hand.
    pub fn site(self) -> Option<&'static Metadata<'static>> {
        self.site
    }

    /// What stands there.
    #[expect(clippy::inline_always, reason = "what callers have no use for is not read then")]
    #[inline(always)]
    pub fn read(self) -> SpanRecord<'a> {
        let mut rest = Cursor(self.bytes);
        let [first, trace_high, trace_low, span_id, parent, start, duration_nano, last] = rest.words();
        let [.., flags, kind, status, told] = first.to_le_bytes();
        let context = SpanContext {
            trace_id: trace_id(trace_high, trace_low).unwrap_or(TraceId::MIN),
            span_id: SpanId::new(span_id).unwrap_or(SpanId::MIN),
            sampled: flags & SAMPLED != 0,
            random: flags & RANDOM != 0,
            is_remote: false,
        };
        let parent = SpanId::new(parent);
        let on_one_thread = flags & ON_ONE_THREAD != 0;
        let is_parent_far = told & FAR != 0;
        let told = told & !FAR;
        let parent_is_remote = (told != 0).then_some(told == REMOTE);
        let (start, cut, thread) = (moment(flags, start), last as u32, (last >> 32) as u32);
        let status = match status {
            0 => StatusRef::Unset,
            ERROR => StatusRef::Error(rest.text()),
            _ => StatusRef::Ok,
        };
        let name = (flags & RENAMED != 0).then(|| rest.text());
        let trace_state = if flags & HAS_STATE == 0 { "" } else { rest.text() };
        let links = if flags & HAS_LINKS == 0 { Links::default() } else { Links::read(&mut rest) };
        let site = rest.site(self.site);
        let kind = SpanKind::from_index(kind);
        let head = SpanHead {
            context,
            parent,
            parent_is_remote,
            start,
            duration_nano,
            kind,
            status,
            name,
            site,
            cut,
            trace_state,
            links,
        };
        let fields = Fields { bytes: rest.aligned(self.bytes.len()), site: self.site };
        SpanRecord { head, fields, thread, on_one_thread, is_parent_far }
    }
}

/// A whole record.
impl<'a> Cursor<'a> {
    /// Whether its call site stands beside the bytes.
    pub(super) fn has_site(self) -> bool {
        self.0.get(4).is_some_and(|flags| flags & INLINE == 0)
    }

    pub(super) fn span(self, sites: &mut Sites<'_>) -> RawSpan<'a> {
        RawSpan { bytes: self.0, site: self.site_of(sites) }
    }

    fn site_of(self, sites: &mut Sites<'_>) -> Option<&'static Metadata<'static>> {
        if self.has_site() { sites.next().copied() } else { None }
    }

    pub(super) fn event(mut self, sites: &mut Sites<'_>) -> EventRecord<'a> {
        let (whole, meta) = (self.0.len(), self.site_of(sites));
        let [first, trace_high, trace_low, span_id, time, last] = self.words();
        let [.., flags, _, _, _] = first.to_le_bytes();
        let (trace_id, span_id) = (trace_id(trace_high, trace_low), SpanId::new(span_id));
        let (time, cut, thread) = (moment(flags, time), last as u32, (last >> 32) as u32);
        let site = self.site(meta);
        let (sampled, random) = (flags & SAMPLED != 0, flags & RANDOM != 0);
        let head = EventHead { trace_id, span_id, sampled, random, time, site, cut };
        EventRecord { head, fields: Fields { bytes: self.aligned(whole), site: meta }, thread }
    }

    /// What is left of the record from the next word on.
    fn aligned(mut self, whole: usize) -> &'a [u8] {
        let done = whole - self.0.len();
        self.bytes(done.next_multiple_of(8) - done);
        self.0
    }

    fn site(&mut self, meta: Option<&'static Metadata<'static>>) -> Site<'a> {
        if let Some(meta) = meta {
            return Site::Static(meta);
        }
        let level = LEVELS[usize::from(self.u8()).min(LEVELS.len() - 1)];
        Site::Inline { level, name: self.text(), target: self.text() }
    }
}

fn trace_id(high: u64, low: u64) -> Option<TraceId> {
    TraceId::new(u128::from(high) << 64 | u128::from(low))
}

fn moment(flags: u8, time: u64) -> Time {
    if flags & UNIX == 0 { Time::Tick(time) } else { Time::Unix(time) }
}
