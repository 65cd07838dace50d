//! Any `traceparent`, `tracestate` and `baggage`.
//!
//! Invariant: a context or none, never a panic. What is injected of a context is extracted again as the same context, but for
//! what no header may hold, a `tracestate` or properties of baggage with other characters, and entries behind the most that is sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_core::model::TraceContext;

type Headers = [Option<String>; 3];

fuzz_target!(|input: ([Option<&str>; 3], bool)| {
    let ([parent, state, baggage], is_valid) = input;
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";
    let headers = [if is_valid { Some(valid) } else { parent }, state, baggage];
    let Some(first) = extracted(&headers.map(|header| header.map(str::to_owned))) else {
        assert!(!is_valid);
        return;
    };
    assert!(first.trace_state.len() <= TraceContext::MAX_STATE);
    let sent = injected(&first);
    let second = extracted(&sent).expect("what is sent can be read");
    assert_eq!(second.span, first.span);
    let is_sent = first.trace_state.bytes().all(is_in_header);
    assert_eq!(second.trace_state, if is_sent { &*first.trace_state } else { "" });
    assert!(first.baggage.starts_with(&second.baggage), "{first:?}\n{second:?}");
    // A byte becomes three at most.
    if baggage.is_none_or(|list| list.len() * 3 <= TraceContext::MAX_BAGGAGE) {
        assert_eq!(first.baggage, second.baggage);
    }
    let again = injected(&second);
    assert_eq!((&again, extracted(&again)), (&sent, Some(second)));
});

fn is_in_header(byte: u8) -> bool {
    byte == b'\t' || (b' '..0x7f).contains(&byte)
}

fn extracted(headers: &Headers) -> Option<TraceContext> {
    let known = |name: &str| TraceContext::HEADERS.iter().position(|known| *known == name);
    TraceContext::extract(|name| headers[known(name)?].as_deref())
}

fn injected(context: &TraceContext) -> Headers {
    let mut headers = Headers::default();
    context.inject(|name, value| {
        assert!(value.bytes().all(is_in_header), "{name}: {value}");
        let place = TraceContext::HEADERS.iter().position(|known| *known == name).expect("a known header");
        assert_eq!(headers[place].replace(value), None, "{name} is given once");
    });
    headers
}
