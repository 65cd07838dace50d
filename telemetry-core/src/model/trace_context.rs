//! What crosses process borders: W3C `traceparent`, `tracestate` and `baggage`.

use std::fmt::Write as _;

use super::{SpanContext, SpanId, TraceId};

/// Where a trace stands, as one program tells another.
///
/// ```
/// use telemetry_core::model::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::extract(|name| (name == "traceparent").then_some(header)).unwrap();
/// assert!(context.span.sampled);
/// let mut headers = Vec::new();
/// context.inject(|name, value| headers.push((name, value)));
/// assert_eq!(headers, [("traceparent", header.to_owned())]);
/// ```
///
/// Source: W3C Trace Context (levels 1 and 2) and W3C Baggage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what is said of a trace goes nowhere before it is injected or set as a parent"]
pub struct TraceContext {
    /// The span that speaks: its trace, its id, whether it is sampled.
    pub span: SpanContext,
    /// `tracestate`, for the tracing systems that took part; at most [`Self::MAX_STATE`] bytes are kept.
    pub trace_state: String,
    /// Names and values that travel with the trace; at most [`Self::MAX_BAGGAGE`] bytes are sent.
    pub baggage: Vec<(String, String)>,
    /// By the name of an entry of baggage, the properties that came behind its value (`key=value;flag`): they are sent on
    /// as they came.
    pub baggage_properties: Vec<(String, String)>,
}

/// The header of that name, by the names in [`TraceContext::HEADERS`].
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// Flags of `traceparent`. Level 2 has the second one.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 1 << 1;

impl TraceContext {
    /// The names of the headers.
    pub const HEADERS: [&'static str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];
    /// A longer `tracestate` loses its last entries.
    pub const MAX_STATE: usize = 512;
    /// Longer baggage loses its last entries.
    pub const MAX_BAGGAGE: usize = 8192;

    /// Without state and baggage.
    pub fn new(span: SpanContext) -> Self {
        Self { span, trace_state: String::new(), baggage: Vec::new(), baggage_properties: Vec::new() }
    }

    /// Reads what another program sent; `get` gives the header of a name. None where `traceparent` is missing or
    /// malformed: then a new trace begins. Of a malformed list of baggage the entries that can be read are kept.
    pub fn extract<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let span = parse_parent(get(TRACEPARENT)?.trim())?;
        let state = get(TRACESTATE).map(|text| shortened(text.trim(), Self::MAX_STATE)).unwrap_or_default();
        let mut context = Self { trace_state: state.trim_end().to_owned(), ..Self::new(span) };
        get(BAGGAGE).into_iter().for_each(|list| context.parse_baggage(list));
        Some(context)
    }

    /// Gives `set` each header that another program needs. What no header may hold is left out.
    pub fn inject(&self, mut set: impl FnMut(&'static str, String)) {
        let SpanContext { trace_id, span_id, sampled, random, .. } = self.span;
        let flags = if sampled { SAMPLED } else { 0 } | if random { RANDOM } else { 0 };
        set(TRACEPARENT, format!("00-{trace_id}-{span_id}-{flags:02x}"));
        if !self.trace_state.is_empty() && self.trace_state.bytes().all(is_in_header) {
            set(TRACESTATE, self.trace_state.clone());
        }
        let mut list = String::new();
        for (key, value) in &self.baggage {
            let before = list.len();
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(key);
            list.push('=');
            encode(value, &mut list);
            let properties = self.baggage_properties.iter().filter(|(name, _)| name == key);
            for (_, properties) in properties.filter(|(_, text)| text.bytes().all(is_in_property)) {
                list.push(';');
                list.push_str(properties);
            }
            if list.len() > Self::MAX_BAGGAGE {
                list.truncate(before);
                break;
            }
        }
        if !list.is_empty() {
            set(BAGGAGE, list);
        }
    }

    /// The value of baggage with that name.
    pub fn baggage(&self, name: &str) -> Option<&str> {
        self.baggage.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same with that baggage, in place of what has the same name. A name has only the characters of an HTTP token;
    /// any other is not taken.
    pub fn with_baggage(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.baggage.retain(|(key, _)| *key != name);
        self.baggage_properties.retain(|(key, _)| *key != name);
        if is_token(&name) {
            self.baggage.push((name, value.into()));
        }
        self
    }
}

impl TraceContext {
    fn parse_baggage(&mut self, list: &str) {
        for entry in shortened(list, Self::MAX_BAGGAGE).split(',') {
            let (pair, properties) =
                entry.split_once(';').map_or((entry, None), |(pair, rest)| (pair, Some(rest.trim())));
            let Some((key, value)) = pair.split_once('=') else { continue };
            let key = key.trim();
            if is_token(key) {
                // Of two with the same name the later one counts.
                self.baggage.retain(|(name, _)| name != key);
                self.baggage_properties.retain(|(name, _)| name != key);
                self.baggage.push((key.to_owned(), decode(value.trim())));
                let properties = properties.filter(|text| !text.is_empty());
                self.baggage_properties.extend(properties.map(|text| (key.to_owned(), text.to_owned())));
            }
        }
    }
}

/// What the value of a header is made of.
fn is_in_header(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' ' || byte == b'\t'
}

/// What a list of properties is made of.
fn is_in_property(byte: u8) -> bool {
    is_in_header(byte) && !b"\",\\".contains(&byte)
}

fn parse_parent(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    // A later version may have more parts; its first four mean the same.
    if !hex(version, 2) || version == "ff" || !hex(flags, 2) || (version == "00" && parts.next().is_some()) {
        return None;
    }
    if !hex(trace, 32) || !hex(span, 16) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(SpanContext {
        trace_id: TraceId::new(u128::from_str_radix(trace, 16).ok()?)?,
        span_id: SpanId::new(u64::from_str_radix(span, 16).ok()?)?,
        sampled: flags & SAMPLED != 0,
        random: flags & RANDOM != 0,
        is_remote: true,
    })
}

/// As many whole entries of a list as fit.
fn shortened(list: &str, max: usize) -> String {
    if list.len() <= max {
        return list.to_owned();
    }
    let cut = &list[..list.floor_char_boundary(max)];
    if list[cut.len()..].starts_with(',') {
        return cut.to_owned();
    }
    cut.rsplit_once(',').map_or("", |(whole, _)| whole).to_owned()
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && !b"\",;\\%".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        assert!(!of(right).unwrap().span.sampled);
        assert!(
            of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-ever").unwrap().span.sampled
        );
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
    fn lists_that_are_too_long_lose_whole_entries() {
        let state = (0..100).map(|i| format!("vendor{i}=value")).collect::<Vec<_>>().join(",");
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceContext::extract(|name| match name {
            TRACEPARENT => Some(parent),
            TRACESTATE => Some(&state),
            _ => Some("a=1;secret, b = x%20y ,no entry,=z,c=%zz%+1"),
        });
        let read = read.unwrap();
        assert!(read.trace_state.len() <= TraceContext::MAX_STATE && read.trace_state.ends_with("=value"));
        assert_eq!(
            (read.baggage("a"), read.baggage("b"), read.baggage("c")),
            (Some("1"), Some("x y"), Some("%zz%+1"))
        );
        assert_eq!(read.baggage.len(), 3);
    }

    #[test]
    fn a_state_that_is_cut_has_no_space_at_its_end_and_one_that_is_no_header_is_not_sent() {
        let read = |state: &str| {
            TraceContext::extract(|name| match name {
                TRACEPARENT => Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                TRACESTATE => Some(state),
                _ => None,
            })
            .unwrap()
        };
        assert_eq!(read(&format!("a=1 ,b={}", "x".repeat(600))).trace_state, "a=1");
        let mut sent = Vec::new();
        for state in ["a=1", "a=1\r\nx: y", "a=\u{e9}"] {
            read(state).inject(|name, value| sent.extend((name == TRACESTATE).then_some(value)));
        }
        assert_eq!(sent, ["a=1"]);
    }

    #[test]
    fn properties_of_baggage_are_sent_on_as_they_came() {
        let read = |list: &str| {
            TraceContext::extract(|name| match name {
                TRACEPARENT => Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                BAGGAGE => Some(list),
                _ => None,
            })
            .unwrap()
        };
        let sent = |context: &TraceContext| {
            let mut sent = String::new();
            context.inject(|name, value| {
                if name == BAGGAGE {
                    sent = value;
                }
            });
            sent
        };
        let came = read("a=0;old,a=1; ttl=30;secret, b=2;,c=3;x=\u{e9}");
        assert_eq!(
            (came.baggage("a"), came.baggage("b"), came.baggage("c")),
            (Some("1"), Some("2"), Some("3"))
        );
        assert_eq!(sent(&came), "a=1;ttl=30;secret,b=2,c=3", "what no header may hold is left out");
        assert_eq!(sent(&came.with_baggage("a", "5")), "b=2,c=3,a=5");
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
    }
}
