//! A finished span, owned: for hand-made items, for tests and for serde.

use super::{SpanContext, SpanId, Text, TraceId, Value};
use tracing_core::Level;

/// One finished piece of work in a trace. Times are nanoseconds, since the Unix epoch or long.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "a span goes nowhere before it is given to a collector"]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span it is a part of; none for the root of a trace.
    #[cfg_attr(feature = "serde", serde(default))]
    pub parent_span_id: Option<SpanId>,
    /// What was done.
    pub name: Text,
    /// Its part in a call between services.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kind: SpanKind,
    /// How severe or how detailed.
    #[cfg_attr(feature = "serde", serde(with = "super::level_serde", default = "info"))]
    pub level: Level,
    /// The module or component that opened it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub target: Text,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start_unix_nano: u64,
    /// How long it was open, in nanoseconds.
    pub duration_nano: u64,
    /// How it ended.
    #[cfg_attr(feature = "serde", serde(default))]
    pub status: Status,
    /// Names and values, in the order they were recorded.
    #[cfg_attr(feature = "serde", serde(default, with = "super::event::fields_serde"))]
    pub fields: Vec<(Text, Value)>,
    /// Other spans that it points to.
    #[cfg_attr(feature = "serde", serde(default))]
    pub links: Vec<SpanContext>,
    /// W3C `tracestate`; empty where there is none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub trace_state: String,
}

#[cfg(feature = "serde")]
fn info() -> Level {
    Level::INFO
}

/// How a span ended, in OpenTelemetry's three words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Status {
    /// Nobody said.
    #[default]
    Unset,
    /// Somebody said that it went well.
    Ok,
    /// It failed; with a description, perhaps empty.
    Error(String),
}

/// How a span ended, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusRef<'a> {
    /// Nobody said.
    Unset,
    /// Somebody said that it went well.
    Ok,
    /// It failed; with a description, perhaps empty.
    Error(&'a str),
}

impl Status {
    /// The same, borrowed.
    pub fn as_ref(&self) -> StatusRef<'_> {
        match self {
            Self::Unset => StatusRef::Unset,
            Self::Ok => StatusRef::Ok,
            Self::Error(message) => StatusRef::Error(message),
        }
    }
}

impl StatusRef<'_> {
    /// `unset`, `ok` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error(_) => "error",
        }
    }

    /// Whether it failed.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The same, owned.
    pub fn to_status(self) -> Status {
        match self {
            Self::Unset => Status::Unset,
            Self::Ok => Status::Ok,
            Self::Error(message) => Status::Error(message.to_owned()),
        }
    }
}

/// A span's part in a call between services, in OpenTelemetry's five words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum SpanKind {
    /// Work inside one program.
    #[default]
    Internal,
    /// The handling of a request from elsewhere.
    Server,
    /// A request to elsewhere.
    Client,
    /// A message handed to a broker.
    Producer,
    /// A message taken from a broker.
    Consumer,
}

impl SpanKind {
    const NAMES: [(&str, SpanKind); 5] = [
        ("internal", SpanKind::Internal),
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];

    pub(super) fn from_index(index: u8) -> Self {
        Self::NAMES.get(usize::from(index)).map_or(Self::Internal, |(_, kind)| *kind)
    }

    /// The lower-case word.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The kind of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }
}

impl Span {
    /// A root span of level `info` with an unset status and no fields.
    pub fn new(
        context: SpanContext,
        name: impl Into<Text>,
        start_unix_nano: u64,
        duration_nano: u64,
    ) -> Self {
        Self {
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent_span_id: None,
            name: name.into(),
            kind: SpanKind::Internal,
            level: Level::INFO,
            target: Text::default(),
            start_unix_nano,
            duration_nano,
            status: Status::Unset,
            fields: Vec::new(),
            links: Vec::new(),
            trace_state: String::new(),
        }
    }

    /// The same as a child of that span.
    pub fn child_of(mut self, parent: SpanId) -> Self {
        self.parent_span_id = Some(parent);
        self
    }

    /// The same with that field added.
    pub fn field(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The same with a link to another span.
    pub fn link(mut self, to: SpanContext) -> Self {
        self.links.push(to);
        self
    }

    /// The same with that status.
    pub fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// When it ended, in nanoseconds since the Unix epoch.
    pub fn end_unix_nano(&self) -> u64 {
        self.start_unix_nano.saturating_add(self.duration_nano)
    }
}
