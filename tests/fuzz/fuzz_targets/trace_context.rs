//! Any `traceparent`, `tracestate`, `baggage` and B3, in any formats.
//!
//! Invariant: a context or none, never a panic. What is injected of a context holds nothing that a header may not hold, is
//! bounded, and is extracted again as the same context.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use telemetry_core::model::{Propagator, TraceContext};

const FORMATS: [&[Propagator]; 4] = [
    Propagator::DEFAULT,
    &[Propagator::B3, Propagator::Baggage],
    &[Propagator::Baggage, Propagator::B3Multi],
    &[Propagator::B3Multi, Propagator::TraceContext],
];

type Headers = BTreeMap<&'static str, String>;

fuzz_target!(|input: ([Option<&str>; 8], bool, u8)| {
    let (values, is_valid, formats) = input;
    let formats = FORMATS[usize::from(formats) % FORMATS.len()];
    let names = TraceContext::HEADERS.into_iter().chain(Propagator::B3.headers().iter().copied());
    let mut headers: Headers =
        names.zip(values).filter_map(|(name, value)| Some((name, value?.to_owned()))).collect();
    if is_valid {
        headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03".to_owned());
    }
    let Some(first) = extracted(formats, &headers) else {
        assert!(!is_valid || !formats.contains(&Propagator::TraceContext));
        return;
    };
    assert!(first.trace_state.len() <= TraceContext::MAX_STATE);
    assert!(first.baggage.len() <= TraceContext::MAX_BAGGAGE_MEMBERS);
    let sent = injected(formats, &first);
    assert!(sent.get("baggage").is_none_or(|list| list.len() <= TraceContext::MAX_BAGGAGE));
    let mut second = extracted(formats, &sent).expect("what is sent can be read");
    // Of two formats one says less of the id, and the other one less of the decision.
    if formats.contains(&Propagator::B3Multi) && formats.contains(&Propagator::TraceContext) {
        assert_eq!(second.span.map(|span| span.span_id), first.span.map(|span| span.span_id));
        second = first.clone();
    }
    assert_eq!(second, first);
    assert_eq!(injected(formats, &second), sent);
});

fn extracted(formats: &[Propagator], headers: &Headers) -> Option<TraceContext> {
    TraceContext::extract_as(formats, |name| headers.get(name).map(String::as_str))
}

fn injected(formats: &[Propagator], context: &TraceContext) -> Headers {
    let mut headers = Headers::new();
    context.inject_as(formats, |name, value| {
        assert!(value.bytes().all(|byte| byte == b'\t' || (b' '..0x7f).contains(&byte)), "{name}: {value}");
        assert_eq!(headers.insert(name, value), None, "{name} is given once");
    });
    headers
}
