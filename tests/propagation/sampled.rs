//! What `tracestate` says of how a trace was sampled (`ot=th`, `ot=rv`): it fits what this program decided, or is not there.

use telemetry_layer::Builder;
use telemetry_layer::sampling::Sampling;
use tracing_subscriber::filter::LevelFilter;

use crate::{SPAN, of, passed_through, sent_on_by};

/// The flags and the state that are sent on of a trace whose id's low 56 bits begin with `a3`.
fn told(change: impl FnOnce(Builder) -> Builder, flags: &str, state: &str) -> (String, Option<String>) {
    let parent = format!("00-4bf92f3577b34da600a3000000000000-{SPAN}-{flags}");
    let lines = [("traceparent", &*parent), ("tracestate", state)];
    let sent = sent_on_by(change, LevelFilter::INFO, &lines);
    let (parent_sent, passed) = (of(&sent, "traceparent").unwrap(), passed_through(&lines));
    assert_eq!(
        (of(&passed, "traceparent"), of(&passed, "tracestate")),
        (Some(&*parent), Some(state)),
        "unchanged"
    );
    (parent_sent[53..].to_owned(), of(&sent, "tracestate").map(str::to_owned))
}

#[test]
fn a_threshold_that_fits_the_flag_is_handed_on_and_no_other() {
    for (flags, came, sent) in [
        ("01", "ot=th:8", Some("ot=th:8")),
        ("01", "a=1,ot=th:a3,b=2", Some("a=1,ot=th:a3,b=2")),
        ("01", "ot=th:0", Some("ot=th:0")),
        ("01", "ot=th:a30000000000", Some("ot=th:a30000000000")),
        // It would not have been kept.
        ("01", "ot=th:c", None),
        ("01", "ot=th:a4", None),
        ("01", "a=1,ot=x:y;th:c,b=2", Some("ot=x:y,a=1,b=2")),
        // It was not kept, so nothing is to be counted.
        ("00", "ot=th:c", None),
        ("00", "a=1,ot=th:8", Some("a=1")),
        ("01", "ot=th:many", None),
        ("01", "ot=th:123456789abcdef", None),
        // Another number is sampled by than the trace id.
        ("01", "ot=th:c;rv:d0000000000000", Some("ot=th:c;rv:d0000000000000")),
        ("01", "ot=rv:70000000000000;th:8", Some("ot=rv:70000000000000")),
        ("01", "ot=rv:70000000000000", Some("ot=rv:70000000000000")),
        // One that is malformed does not count.
        ("01", "ot=th:8;rv:7", Some("ot=th:8;rv:7")),
    ] {
        assert_eq!(told(|b| b, flags, came), (flags.to_owned(), sent.map(str::to_owned)), "{flags} {came}");
    }
}

#[test]
fn who_decides_by_a_rate_of_its_own_says_so() {
    let half = |b: Builder| b.sample_rate(0.5).sampling(Sampling::new().ignore_remote());
    for (flags, came, sent) in [
        ("00", "ot=th:c", ("01", Some("ot=th:8"))),
        ("01", "a=1", ("01", Some("ot=th:8,a=1"))),
        ("01", "a=1,ot=th:c;rv:d0000000000000", ("01", Some("ot=th:8;rv:d0000000000000,a=1"))),
        ("01", "ot=rv:70000000000000;th:0", ("00", Some("ot=rv:70000000000000"))),
        ("01", "ot=th:0;rv:70000000000000,a=1", ("00", Some("ot=rv:70000000000000,a=1"))),
    ] {
        let (flags_sent, state) = told(half, flags, came);
        assert_eq!((&*flags_sent, state.as_deref()), sent, "{flags} {came}");
    }
    // A limit keeps a share that nobody knows.
    let limited = |b: Builder| b.sampling(Sampling::new().ignore_remote().spans_per_second(5.0));
    assert_eq!(told(limited, "00", "ot=th:8"), ("01".to_owned(), None));
    let by_name = |b: Builder| b.sampling(Sampling::new().ignore_remote().spans("server", 1.0));
    assert_eq!(told(by_name, "00", "ot=th:8,a=1"), ("01".to_owned(), Some("a=1".to_owned())));
}

#[test]
fn a_trace_that_begins_here_says_how_it_was_sampled() {
    let none: [(&str, &str); 0] = [];
    let sent = |change: fn(Builder) -> Builder| sent_on_by(change, LevelFilter::INFO, &none);
    assert_eq!(of(&sent(|b| b), "tracestate"), Some("ot=th:0"));
    assert_eq!(of(&sent(|b| b.sample_rate(0.0)), "tracestate"), None);
    assert_eq!(of(&sent(|b| b.sampling(Sampling::new().events(0.5))), "tracestate"), Some("ot=th:0"));
    assert_eq!(of(&sent(|b| b.sampling(Sampling::new().spans_per_second(9.0))), "tracestate"), None);
    let tenth = (0..200).map(|_| sent(|b| b.sample_rate(0.1)));
    let kept: Vec<_> = tenth.filter(|sent| of(sent, "traceparent").unwrap().ends_with("03")).collect();
    assert!(
        !kept.is_empty() && kept.iter().all(|sent| of(sent, "tracestate") == Some("ot=th:e666")),
        "{kept:?}"
    );
}
