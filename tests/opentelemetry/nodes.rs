//! A span as both exporters have it.

use std::collections::BTreeMap;

use opentelemetry_sdk::trace::SpanData;
use telemetry_layer::model::Status;
use telemetry_layer::prelude::*;
use telemetry_tests::Kept;
use telemetry_tests::beside::Ours;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::{Layer, fmt, registry};

use crate::Otel;

/// A span as both exporters have it. Spans are known by their names.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) parent: Option<String>,
    /// Another span of the same trace, always the same one.
    pub(crate) trace: String,
    pub(crate) kind: String,
    pub(crate) status: Option<Result<(), String>>,
    pub(crate) links: Vec<String>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) events: Vec<(String, BTreeMap<String, String>)>,
}

pub(crate) type Nodes = BTreeMap<String, Node>;

pub(crate) fn of_otel(spans: &[SpanData]) -> Nodes {
    use opentelemetry::trace::Status;
    let pairs = |all: &[opentelemetry::KeyValue]| {
        // It exports what was recorded twice as two fields; the last one counts.
        all.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect::<BTreeMap<_, _>>()
    };
    let event = |event: &opentelemetry::trace::Event| {
        let mut fields = pairs(&event.attributes);
        // An event with an error and no message is renamed.
        let error = fields.remove("exception.message").map(|text| ("error".to_owned(), text));
        let message = if error.is_some() { String::new() } else { event.name.to_string() };
        (message, fields.into_iter().chain(error).collect())
    };
    let named = |id| spans.iter().find(|s| s.span_context.span_id() == id).map(|s| s.name.to_string());
    let node = |span: &SpanData| Node {
        parent: named(span.parent_span_id),
        trace: spans
            .iter()
            .filter(|s| s.span_context.trace_id() == span.span_context.trace_id())
            .map(|s| s.name.to_string())
            .min()
            .unwrap_or_default(),
        kind: format!("{:?}", span.span_kind),
        status: match &span.status {
            Status::Unset => None,
            Status::Ok => Some(Ok(())),
            Status::Error { description } => Some(Err(description.to_string())),
        },
        links: span.links.iter().filter_map(|link| named(link.span_context.span_id())).collect(),
        fields: pairs(&span.attributes),
        events: span.events.iter().map(event).collect(),
    };
    spans.iter().map(|span| (span.name.to_string(), node(span))).collect()
}

pub(crate) fn of_ours(kept: &Kept) -> Nodes {
    use telemetry_layer::model::Value;
    let spans = &kept.spans;
    let pairs = |all: &[(std::borrow::Cow<'static, str>, Value)]| {
        all.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<BTreeMap<_, _>>()
    };
    let named = |id| spans.iter().find(|span| span.span_id == id).map(|span| span.name.to_string());
    let node = |span: &telemetry_layer::model::Span| Node {
        parent: span.parent_span_id.and_then(named),
        trace: spans
            .iter()
            .filter(|other| other.trace_id == span.trace_id)
            .map(|other| other.name.to_string())
            .min()
            .unwrap_or_default(),
        kind: format!("{:?}", span.kind),
        status: match &span.status {
            Status::Ok => Some(Ok(())),
            Status::Error(description) => Some(Err(description.clone())),
            _ => None,
        },
        links: span.links.iter().filter_map(|link| named(link.span_id)).collect(),
        fields: pairs(&span.fields),
        events: kept
            .events
            .iter()
            .filter(|event| event.span_id == Some(span.span_id))
            .map(|event| {
                let level = ("level".to_owned(), event.level.to_string());
                let target = ("target".to_owned(), event.target.to_string());
                (event.message.clone(), pairs(&event.fields).into_iter().chain([level, target]).collect())
            })
            .collect(),
    };
    spans.iter().map(|span| (span.name.to_string(), node(span))).collect()
}

/// Runs the program where both layers are, with the same filter; what each exported.
pub(crate) fn both(max: LevelFilter, program: impl FnOnce()) -> (Nodes, Nodes) {
    let (ours, otel) = (Ours::default(), Otel::default());
    let subscriber = registry().with(ours.layer().with_filter(max)).with(otel.plain().with_filter(max));
    // What neither is to see is wanted by somebody, so that each filter is asked.
    let subscriber = subscriber.with(fmt::layer().with_writer(std::io::sink));
    tracing::subscriber::with_default(subscriber, program);
    (of_ours(&ours.kept()), of_otel(&otel.spans()))
}
