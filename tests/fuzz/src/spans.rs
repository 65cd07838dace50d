//! Spans, with a call site and without.

use std::num::{NonZeroU64, NonZeroU128};

use arbitrary::Arbitrary;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span as OtlpSpan, Status as OtlpStatus};
use telemetry_core::__private::record::{Encoded, Links, Site, SpanHead, Time};
use telemetry_core::model::{SpanContext, SpanId, SpanKind, StatusRef, TraceId};
use telemetry_core::{Collector, Signal};

use crate::Words;
use crate::fields::MadeFields;
use crate::otlp::{attribute, place};
use crate::sites::{level, site_of};

/// A span, as a record has it.
#[derive(Arbitrary, Clone, Debug)]
pub struct MadeSpan {
    site: u8,
    context: Context,
    parent: Option<NonZeroU64>,
    parent_is_remote: Option<bool>,
    start: u64,
    duration: u64,
    kind: u8,
    status: MadeStatus,
    name: Words,
    target: Words,
    level: u8,
    /// The name counts, though there is a call site.
    is_renamed: bool,
    cut: u32,
    trace_state: Words,
    links: Vec<Context>,
    fields: MadeFields,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Context {
    trace: NonZeroU128,
    span: NonZeroU64,
    sampled: bool,
    random: bool,
    is_remote: bool,
}

#[derive(Arbitrary, Clone, Debug)]
enum MadeStatus {
    Unset,
    Ok,
    Error(Words),
}

impl Context {
    fn made(self) -> SpanContext {
        let context = SpanContext::new(trace_id(self.trace), span_id(self.span), self.sampled);
        let mut context = context.with_random(self.random);
        context.is_remote = self.is_remote;
        context
    }

    fn flags(self) -> u32 {
        u32::from(self.sampled) | u32::from(self.random) << 1
    }

    fn otlp(self) -> Link {
        Link {
            trace_id: self.trace.get().to_be_bytes().to_vec(),
            span_id: self.span.get().to_be_bytes().to_vec(),
            flags: self.flags() | 0x100 | u32::from(self.is_remote) << 9,
            ..Link::default()
        }
    }
}

/// An id that is not 0.
pub fn trace_id(id: NonZeroU128) -> TraceId {
    TraceId::new(id.get()).expect("it is not 0")
}

/// An id that is not 0.
pub fn span_id(id: NonZeroU64) -> SpanId {
    SpanId::new(id.get()).expect("it is not 0")
}

impl MadeSpan {
    fn kind(&self) -> SpanKind {
        use SpanKind::{Client, Consumer, Internal, Producer, Server};
        [Internal, Server, Client, Producer, Consumer][usize::from(self.kind % 5)]
    }

    fn links(&self) -> impl Iterator<Item = Context> {
        self.links.iter().copied().take(Links::MAX)
    }

    pub(crate) fn record(&self, collector: &Collector) {
        let site = site_of(self.site);
        let (name, target, trace_state) = (self.name.text(), self.target.text(), self.trace_state.text());
        let message = if let MadeStatus::Error(words) = &self.status { words.text() } else { String::new() };
        let links: Vec<SpanContext> = self.links.iter().map(|link| link.made()).collect();
        let inline = Site::Inline { name: &name, target: &target, level: level(self.level) };
        let head = SpanHead {
            context: self.context.made(),
            parent: self.parent.map(span_id),
            parent_is_remote: self.parent_is_remote,
            start: Time::Unix(self.start),
            duration_nano: self.duration,
            kind: self.kind(),
            status: match self.status {
                MadeStatus::Unset => StatusRef::Unset,
                MadeStatus::Ok => StatusRef::Ok,
                MadeStatus::Error(_) => StatusRef::Error(&message),
            },
            name: self.is_renamed.then_some(&name),
            site: site.map_or(inline, Site::Static),
            cut: self.cut,
            trace_state: &trace_state,
            links: Links::new(&links),
        };
        let (texts, fields) = (head.texts(), self.fields.recorded(site));
        collector.sink().with_writer(|writer| {
            writer.push(Signal::Spans, Encoded::span(&head, (&*texts, fields.words())));
        });
    }

    /// Its scope, and what OTLP says of it.
    pub(crate) fn otlp(&self) -> (String, OtlpSpan) {
        let site = site_of(self.site);
        let own_name = site.filter(|_| !self.is_renamed).map(|site| site.name().to_owned());
        let fields = self.fields.all(site);
        // A field of such a name stands in its stead.
        let is_elsewhere =
            fields.iter().any(|(name, _)| ["code.file.path", "code.line.number"].contains(&&**name));
        let place = if is_elsewhere { Vec::new() } else { place(site) };
        let fields = fields.into_iter().map(|(name, value)| attribute(&name, &value));
        let status = |code: StatusCode, message| Some(OtlpStatus { message, code: code.into() });
        let remote = if self.parent.is_none() { Some(false) } else { self.parent_is_remote };
        let span = OtlpSpan {
            trace_id: self.context.trace.get().to_be_bytes().to_vec(),
            span_id: self.context.span.get().to_be_bytes().to_vec(),
            trace_state: self.trace_state.text(),
            parent_span_id: self.parent.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            flags: self.context.flags() | remote.map_or(0, |is_remote| 0x100 | u32::from(is_remote) << 9),
            name: own_name.unwrap_or_else(|| self.name.text()),
            kind: i32::from(self.kind % 5) + 1,
            start_time_unix_nano: self.start,
            end_time_unix_nano: self.start.saturating_add(self.duration),
            attributes: place.into_iter().chain(fields).collect(),
            dropped_attributes_count: self.cut,
            links: self.links().map(Context::otlp).collect(),
            status: match &self.status {
                MadeStatus::Unset => None,
                MadeStatus::Ok => status(StatusCode::Ok, String::new()),
                MadeStatus::Error(message) => status(StatusCode::Error, message.text()),
            },
            ..OtlpSpan::default()
        };
        (site.map_or_else(|| self.target.text(), |site| site.target().to_owned()), span)
    }
}
