//! B3, in one header and in several.

use http::HeaderMap;
use telemetry_layer::Builder;
use telemetry_layer::model::Propagator;
use tracing_subscriber::filter::LevelFilter;

use crate::{PARENT, SPAN, TRACE, of, sent_on, sent_on_by};

const SINGLE: &[Propagator] = &[Propagator::B3];
const MULTI: &[Propagator] = &[Propagator::B3Multi];

fn by(formats: &'static [Propagator], filter: LevelFilter, lines: &[(&str, &str)]) -> HeaderMap {
    sent_on_by(|b: Builder| b.propagators(formats.iter().copied()), filter, lines)
}

/// Trace and decision of what a server sends on of those lines, as one header.
fn told(lines: &[(&str, &str)]) -> (String, String) {
    let sent = by(SINGLE, LevelFilter::INFO, lines);
    assert_eq!(sent.len(), 1, "{sent:?}");
    let parts: Vec<&str> = of(&sent, "b3").unwrap().split('-').collect();
    assert!(parts.len() == 3 && parts[1].len() == 16 && parts[1] != SPAN, "{parts:?}");
    (parts[0].to_owned(), parts[2].to_owned())
}

#[test]
fn both_forms_are_read_whichever_is_sent() {
    let (ids, short) = (format!("{TRACE}-{SPAN}"), &TRACE[16..]);
    let want = |trace: &str, decision: &str| (trace.to_owned(), decision.to_owned());
    for (b3, sent) in [
        (format!("{ids}-1"), want(TRACE, "1")),
        (format!("{ids}-0"), want(TRACE, "0")),
        (format!("{ids}-d"), want(TRACE, "d")),
        (format!("{ids}-1-05e3ac9a4f6e3b90"), want(TRACE, "1")),
        // Whoever gets it decides.
        (ids.clone(), want(TRACE, "1")),
        (format!("{short}-{SPAN}-1"), want(&format!("{short:0>32}"), "1")),
    ] {
        assert_eq!(told(&[("b3", &b3)]), sent, "{b3}");
    }
    let several = |last: (&'static str, &'static str)| {
        told(&[
            ("X-B3-TraceId", TRACE),
            ("X-B3-SpanId", SPAN),
            ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
            last,
        ])
    };
    for (name, value, decision) in [
        ("X-B3-Sampled", "1", "1"),
        ("X-B3-Sampled", "0", "0"),
        ("X-B3-Sampled", "true", "1"),
        ("X-B3-Sampled", "false", "0"),
        ("X-B3-Flags", "1", "d"),
        ("X-B3-Flags", "0", "1"),
    ] {
        assert_eq!(several((name, value)), want(TRACE, decision), "{name}: {value}");
    }
    let one = ("b3", &*format!("{}-{SPAN}-0", TRACE.replace('4', "5")));
    let both = told(&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1"), one]);
    assert_eq!(both, want(&TRACE.replace('4', "5"), "0"), "the one header counts");
}

#[test]
fn what_is_none_begins_a_trace() {
    let zeros = "0".repeat(32);
    for wrong in [
        "0".to_owned(),
        "1".to_owned(),
        "d".to_owned(),
        TRACE.to_owned(),
        format!("{TRACE}-{}", &SPAN[1..]),
        format!("{}-{SPAN}-1", &TRACE[1..]),
        format!("{zeros}-{SPAN}-1"),
        format!("{TRACE}-{}-1", &zeros[16..]),
        format!("{TRACE}-{SPAN}-x"),
        format!("{TRACE}-{SPAN}-"),
        format!("{TRACE}-{SPAN}-1-"),
        format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90-1"),
        format!("{}-{SPAN}-1", TRACE.to_uppercase()),
    ] {
        let (trace, decision) = told(&[("b3", &wrong)]);
        assert!(!wrong.contains(&trace) && decision == "1", "{wrong}");
    }
    assert_ne!(told(&[("x-b3-traceid", TRACE), ("x-b3-sampled", "1")]).0, TRACE);
}

#[test]
fn it_is_sent_as_it_is_chosen() {
    let lines = [("b3", &*format!("{TRACE}-{SPAN}-1")), ("baggage", "a=1")];
    let sent = by(MULTI, LevelFilter::INFO, &lines);
    assert_eq!(
        (of(&sent, "x-b3-traceid"), of(&sent, "x-b3-sampled"), sent.len()),
        (Some(TRACE), Some("1"), 3)
    );
    let unchanged = by(MULTI, LevelFilter::WARN, &lines);
    assert_eq!(of(&unchanged, "x-b3-spanid"), Some(SPAN));
    let debug = by(MULTI, LevelFilter::INFO, &[("b3", &*format!("{TRACE}-{SPAN}-d"))]);
    assert_eq!((of(&debug, "x-b3-flags"), of(&debug, "x-b3-sampled")), (Some("1"), None));
    let deferred = format!("{TRACE}-{SPAN}");
    let passed = by(SINGLE, LevelFilter::WARN, &[("b3", &*deferred)]);
    assert_eq!(of(&passed, "b3"), Some(&*deferred), "nobody has decided yet");
    let never = |b: Builder| b.propagators([Propagator::B3]).sample_rate(0.0);
    let decided = sent_on_by(never, LevelFilter::INFO, &[("b3", &*deferred)]);
    assert!(of(&decided, "b3").unwrap().ends_with("-0"), "{decided:?}");
}

#[test]
fn of_several_formats_the_first_that_tells_of_a_span_counts_and_all_are_sent() {
    const ALL: &[Propagator] = &[Propagator::TraceContext, Propagator::Baggage, Propagator::B3];
    let other = TRACE.replace('4', "5");
    let b3 = format!("{other}-{SPAN}-0");
    for (lines, trace) in [
        (vec![("traceparent", PARENT), ("tracestate", "v=1"), ("b3", &*b3)], TRACE),
        (vec![("traceparent", "damaged"), ("tracestate", "v=1"), ("b3", &*b3)], &other),
    ] {
        let sent = by(ALL, LevelFilter::INFO, &lines);
        assert_eq!(&of(&sent, "traceparent").unwrap()[3..35], trace);
        assert_eq!(&of(&sent, "b3").unwrap()[..32], trace);
        assert_eq!(of(&sent, "tracestate"), (trace == TRACE).then_some("v=1"));
    }
    assert!(
        !sent_on(&[("b3", &b3)])["traceparent"].to_str().unwrap().contains(&other),
        "where it is not chosen"
    );
    assert!(by(&[], LevelFilter::INFO, &[("traceparent", PARENT), ("baggage", "a=1")]).is_empty());
    const BAGGAGE: &[Propagator] = &[Propagator::Baggage];
    let sent = by(BAGGAGE, LevelFilter::INFO, &[("traceparent", PARENT), ("baggage", "a=1")]);
    assert_eq!((of(&sent, "baggage"), sent.len()), (Some("a=1"), 1));
}
