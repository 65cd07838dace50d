//! What crosses process borders: W3C `traceparent`, `tracestate` and `baggage`, and B3 (feature `b3`).
//!
//! What comes in is what anybody sent; what goes out follows the specifications, or is left out.

#[cfg(feature = "b3")]
use super::b3;
use super::ids::lower_hex;
use super::{SpanContext, SpanId, TraceId, baggage, trace_state};

/// Where a trace stands, and what travels with it, as one program tells another.
///
/// ```
/// use telemetry_core::model::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::extract(|name| (name == "traceparent").then_some(header)).unwrap();
/// assert!(context.span.unwrap().sampled);
/// let mut headers = Vec::new();
/// context.inject(|name, value| headers.push((name, value)));
/// assert_eq!(headers, [("traceparent", header.to_owned())]);
/// ```
///
/// Source: W3C Trace Context (levels 1 and 2) and W3C Baggage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what is said of a trace goes nowhere before it is injected or set as a parent"]
pub struct TraceContext {
    /// The span that speaks: its trace, its id, whether it is sampled. None where only baggage came.
    pub span: Option<SpanContext>,
    /// `tracestate`, for the tracing systems that took part: at most [`Self::MAX_STATE`] bytes. What does not follow its
    /// grammar is neither taken nor sent.
    pub trace_state: String,
    /// Names and values that travel with the request, at most [`Self::MAX_BAGGAGE_MEMBERS`] of them in
    /// [`Self::MAX_BAGGAGE`] bytes. Of two with one name the later one is sent.
    pub baggage: Vec<(String, String)>,
    /// By the name of an entry of baggage, the properties that came behind its value (`key=value;flag`): they are sent on
    /// as they came, but for space.
    pub baggage_properties: Vec<(String, String)>,
    #[cfg(feature = "b3")]
    decision: b3::Decision,
}

/// A format in which programs tell each other where a trace stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Propagator {
    /// `traceparent` and `tracestate`.
    TraceContext,
    /// `baggage`.
    Baggage,
    /// B3 in one header, `b3`. What comes in several is read too.
    #[cfg(feature = "b3")]
    B3,
    /// B3 in several headers, `x-b3-traceid` and so on. What comes in one is read too.
    #[cfg(feature = "b3")]
    B3Multi,
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// Flags of `traceparent`. Level 2 has the second one.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 1 << 1;

impl Propagator {
    /// What programs speak that say nothing of it: W3C Trace Context and W3C Baggage.
    pub const DEFAULT: &'static [Self] = &[Self::TraceContext, Self::Baggage];

    /// All of them, with the words that settings have for them.
    pub(crate) const WORDS: &'static [(&'static str, Self)] = &[
        ("tracecontext", Self::TraceContext),
        ("baggage", Self::Baggage),
        #[cfg(feature = "b3")]
        ("b3", Self::B3),
        #[cfg(feature = "b3")]
        ("b3multi", Self::B3Multi),
    ];

    /// The names of the headers that it reads, in lower case.
    pub const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::TraceContext => &[TRACEPARENT, TRACESTATE],
            Self::Baggage => &[BAGGAGE],
            #[cfg(feature = "b3")]
            Self::B3 | Self::B3Multi => b3::HEADERS,
        }
    }
}

impl TraceContext {
    /// The names of the headers.
    pub const HEADERS: [&'static str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];
    /// A longer `tracestate` loses its members of more than 128 bytes first, then its last ones.
    pub const MAX_STATE: usize = trace_state::MAX;
    /// Of longer baggage those entries are left out that find no room.
    pub const MAX_BAGGAGE: usize = baggage::MAX;
    /// Of more entries the last ones are left out.
    pub const MAX_BAGGAGE_MEMBERS: usize = baggage::MAX_MEMBERS;

    /// Without state and baggage.
    pub fn new(span: SpanContext) -> Self {
        Self { span: Some(span), ..Self::default() }
    }

    /// Reads what another program sent; `get` gives the header of a name. None where there is nothing that can be read;
    /// without a `span` where `traceparent` is missing or malformed, which begins a new trace, and baggage came.
    pub fn extract<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Self::extract_as(Propagator::DEFAULT, get)
    }

    /// The same from those formats. Of those that tell of a span the first one in the list counts.
    pub fn extract_as<'a>(formats: &[Propagator], get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let mut context = Self::default();
        for format in formats {
            match format {
                Propagator::Baggage => {
                    let list = get(BAGGAGE).unwrap_or_default();
                    (context.baggage, context.baggage_properties) = baggage::parse(list);
                }
                _ if context.span.is_some() => {}
                Propagator::TraceContext => {
                    context.span = get(TRACEPARENT).and_then(parse_parent);
                    let state =
                        get(TRACESTATE).filter(|_| context.span.is_some()).and_then(trace_state::checked);
                    context.trace_state = state.unwrap_or_default().into_owned();
                }
                #[cfg(feature = "b3")]
                Propagator::B3 | Propagator::B3Multi => {
                    if let Some((span, decision)) = b3::extract(&get) {
                        (context.span, context.decision) = (Some(span), decision);
                    }
                }
            }
        }
        (context.span.is_some() || !context.baggage.is_empty()).then_some(context)
    }

    /// Gives `set` each header that another program needs. What no header may hold is left out.
    pub fn inject(&self, set: impl FnMut(&'static str, String)) {
        self.inject_as(Propagator::DEFAULT, set);
    }

    /// The same in those formats.
    pub fn inject_as(&self, formats: &[Propagator], mut set: impl FnMut(&'static str, String)) {
        for format in formats {
            match (format, self.span) {
                (Propagator::Baggage, _) => {
                    let list = baggage::write(&self.baggage, &self.baggage_properties);
                    if !list.is_empty() {
                        set(BAGGAGE, list);
                    }
                }
                (_, None) => {}
                (Propagator::TraceContext, Some(span)) => {
                    let SpanContext { trace_id, span_id, sampled, random, .. } = span;
                    let flags = if sampled { SAMPLED } else { 0 } | if random { RANDOM } else { 0 };
                    set(TRACEPARENT, format!("00-{trace_id}-{span_id}-{flags:02x}"));
                    let state = trace_state::checked(&self.trace_state).filter(|state| !state.is_empty());
                    state.into_iter().for_each(|state| set(TRACESTATE, state.into_owned()));
                }
                #[cfg(feature = "b3")]
                (Propagator::B3, Some(span)) => b3::inject(span, self.decision, &mut set),
                #[cfg(feature = "b3")]
                (Propagator::B3Multi, Some(span)) => b3::inject_multi(span, self.decision, &mut set),
            }
        }
    }

    /// The value of baggage with that name.
    pub fn baggage(&self, name: &str) -> Option<&str> {
        self.baggage.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same with that baggage, in place of what has the same name. A name has only the characters of an HTTP token;
    /// any other is not taken, and neither is what finds no room ([`Self::MAX_BAGGAGE_MEMBERS`], [`Self::MAX_BAGGAGE`]).
    pub fn with_baggage(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.baggage.retain(|(key, _)| *key != name);
        self.baggage_properties.retain(|(key, _)| *key != name);
        if baggage::is_token(&name)
            && baggage::has_room(&self.baggage, &self.baggage_properties, &name, &value)
        {
            self.baggage.push((name, value));
        }
        self
    }

    /// The same told by another span of the trace, for which it is decided whether it is sampled.
    pub fn with_span(mut self, span: SpanContext) -> Self {
        self.span = Some(span);
        #[cfg(feature = "b3")]
        if self.decision == b3::Decision::Deferred {
            self.decision = b3::Decision::Made;
        }
        self
    }

    /// Whether spans below have to be told more than ids.
    #[doc(hidden)]
    pub fn is_more_than_ids(&self) -> bool {
        #[cfg(feature = "b3")]
        if self.decision == b3::Decision::Debug {
            return true;
        }
        !self.trace_state.is_empty() || !self.baggage.is_empty()
    }

    /// Whether who comes next decides if the trace is sampled.
    #[cfg_attr(not(feature = "b3"), expect(clippy::unused_self, reason = "nothing but B3 leaves it open"))]
    pub(crate) fn is_deferred(&self) -> bool {
        #[cfg(feature = "b3")]
        return self.decision == b3::Decision::Deferred;
        #[cfg(not(feature = "b3"))]
        false
    }
}

fn parse_parent(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim_matches(trace_state::OWS).split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (version, flags) = (lower_hex(version, 2)?, lower_hex(flags, 2)? as u8);
    // A later version may have more parts; its first four mean the same.
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return None;
    }
    Some(SpanContext {
        trace_id: TraceId::new(lower_hex(trace, 32)?)?,
        span_id: SpanId::new(lower_hex(span, 16)? as u64)?,
        sampled: flags & SAMPLED != 0,
        random: flags & RANDOM != 0,
        is_remote: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(parent: &str) -> Option<TraceContext> {
        TraceContext::extract(|name| (name == TRACEPARENT).then_some(parent))
    }

    #[test]
    fn what_is_no_traceparent_begins_a_new_trace() {
        let right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert!(!of(right).unwrap().span.unwrap().sampled);
        let later = of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-ever").unwrap();
        assert!(later.span.unwrap().sampled);
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn baggage_made_by_hand_is_bounded_as_that_which_comes_in() {
        let none = TraceContext::default();
        let many = (0..300).fold(none.clone(), |context, n| context.with_baggage(format!("k{n}"), "v"));
        assert_eq!(many.baggage.len(), TraceContext::MAX_BAGGAGE_MEMBERS);
        assert_eq!(many.with_baggage("k7", "w").baggage("k7"), Some("w"), "what is there can be changed");
        let half = "v".repeat(TraceContext::MAX_BAGGAGE / 2);
        let large = ["a", "b", "c"].into_iter().fold(none, |context, key| context.with_baggage(key, &half));
        let large = large.with_baggage("small", "v");
        let names: Vec<_> = large.baggage.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["a", "small"]);
        let mut sent = Vec::new();
        large.inject(|name, value| sent.push((name, value.len())));
        assert_eq!(sent, [("baggage", half.len() + 2 + ",small=v".len())], "all of it");
    }

    proptest! {
        #[test]
        fn what_is_injected_is_extracted(trace in 1..u128::MAX, span in 1..u64::MAX, sampled: bool, random: bool, value in "\\PC{0,30}") {
            let span = SpanContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap(), sampled);
            let span = SpanContext { random, is_remote: true, ..span };
            let mut context = TraceContext::new(span).with_baggage("user", value).with_baggage("no name", "x");
            context.trace_state = "ot=th:8".to_owned();
            let mut headers = std::collections::HashMap::new();
            context.inject(|name, value| drop(headers.insert(name, value)));
            let read = TraceContext::extract(|name| headers.get(name).map(String::as_str));
            prop_assert_eq!(read, Some(context));
        }

        #[test]
        fn whatever_comes_is_sent_as_something_that_is_read_as_the_same(
            state in "([a-z]{1,3}=[a-z]{1,40}[, ]{1,2}){0,40}|[ -~]{0,20}|\\PC{0,20}",
            list in "([a-c]{1,2}=[a-z%0-9\"é]{0,9}(;[a-z= ]{0,5}){0,2}[, ]{1,2}){0,40}|\\PC{0,40}",
            is_alone: bool,
        ) {
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";
            let read = TraceContext::extract(|name| match name {
                TRACEPARENT => (!is_alone).then_some(parent),
                TRACESTATE => Some(&*state),
                _ => Some(&*list),
            });
            let mut headers = std::collections::HashMap::new();
            read.iter().for_each(|read| read.inject(|name, value| drop(headers.insert(name, value))));
            let again = TraceContext::extract(|name| headers.get(name).map(String::as_str));
            prop_assert_eq!(&again, &read);
            prop_assert!(headers.values().all(|value| value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b))));
        }
    }
}
