//! B3: ids as Zipkin's libraries send them, in one header or in several. Baggage and state are not a part of it.
//!
//! Source: B3 Propagation (openzipkin/b3-propagation); OpenTelemetry specification 1.60, "B3 Requirements".

use super::ids::lower_hex;
use super::{SpanContext, SpanId, TraceId};

const SINGLE: &str = "b3";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

/// The names of the headers.
pub(super) const HEADERS: &[&str] = &[SINGLE, TRACE_ID, SPAN_ID, SAMPLED, FLAGS];

/// What is said of sampling beyond the flag that the other formats have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Decision {
    /// The flag says it all.
    #[default]
    Made,
    /// It is sampled because somebody looks for something: that is handed on.
    Debug,
    /// Whoever comes next decides.
    Deferred,
}

/// The one header counts before the several.
pub(super) fn extract<'a>(get: &dyn Fn(&str) -> Option<&'a str>) -> Option<(SpanContext, Decision)> {
    get(SINGLE).and_then(parse).or_else(|| {
        let decision = match (get(FLAGS), get(SAMPLED)) {
            (Some("1"), _) => "d",
            (_, None) => "",
            (_, Some("true")) => "1",
            (_, Some("false")) => "0",
            (_, Some(sampled)) => sampled,
        };
        read(get(TRACE_ID)?, get(SPAN_ID)?, decision)
    })
}

/// `TRACE-SPAN`, `TRACE-SPAN-DECISION` or `TRACE-SPAN-DECISION-PARENT`.
fn parse(text: &str) -> Option<(SpanContext, Decision)> {
    let mut parts = text.trim().split('-');
    let (trace, span, decision, parent) = (parts.next()?, parts.next()?, parts.next(), parts.next());
    if decision == Some("")
        || parts.next().is_some()
        || parent.is_some_and(|parent| lower_hex(parent, 16).is_none())
    {
        return None;
    }
    read(trace, span, decision.unwrap_or_default())
}

fn read(trace: &str, span: &str, decision: &str) -> Option<(SpanContext, Decision)> {
    let (sampled, decision) = match decision {
        "" => (false, Decision::Deferred),
        "0" => (false, Decision::Made),
        "1" => (true, Decision::Made),
        "d" => (true, Decision::Debug),
        _ => return None,
    };
    let (trace, span) = (trace.trim(), span.trim());
    // Older programs have ids of half the length.
    let trace_id = TraceId::new(lower_hex(trace, 32).or_else(|| lower_hex(trace, 16))?)?;
    let span_id = SpanId::new(u64::try_from(lower_hex(span, 16)?).ok()?)?;
    Some((SpanContext { is_remote: true, ..SpanContext::new(trace_id, span_id, sampled) }, decision))
}

fn word(span: SpanContext, decision: Decision) -> &'static str {
    match decision {
        Decision::Deferred => "",
        Decision::Debug if span.sampled => "d",
        Decision::Debug | Decision::Made => ["0", "1"][usize::from(span.sampled)],
    }
}

/// As one header.
pub(super) fn inject(span: SpanContext, decision: Decision, set: &mut dyn FnMut(&'static str, String)) {
    let SpanContext { trace_id, span_id, .. } = span;
    let decision = match word(span, decision) {
        "" => String::new(),
        word => format!("-{word}"),
    };
    set(SINGLE, format!("{trace_id}-{span_id}{decision}"));
}

/// As several.
pub(super) fn inject_multi(span: SpanContext, decision: Decision, set: &mut dyn FnMut(&'static str, String)) {
    set(TRACE_ID, span.trace_id.to_string());
    set(SPAN_ID, span.span_id.to_string());
    match word(span, decision) {
        "" => {}
        "d" => set(FLAGS, "1".to_owned()),
        word => set(SAMPLED, word.to_owned()),
    }
}
