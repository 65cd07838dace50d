//! A disk that fills up while `file:` or `chrome-trace:` writes, and empties again. Alone in its program: its stand-in is the largest size that files
//! of a process may have.
#![allow(unsafe_code)] // Only C has limits.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use telemetry_layer::prelude::*;
use telemetry_tests::{SOON, numbers_in};
use tracing::{Dispatch, dispatcher, info_span};

fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: it reads the limit, and the signal is that of this process.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// The numbers of all spans in the files of a trace; all of them are drawn as calls are.
fn numbers_of_traces(directory: &Path) -> Vec<u64> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        if text.is_empty() {
            continue;
        }
        let events: Vec<serde_json::Value> = serde_json::from_str(&format!("{text}]")).unwrap();
        assert_eq!(events[0]["name"], "process_name");
        let spans = events.iter().filter(|event| event["ph"] == "X");
        numbers.extend(spans.map(|span| span["args"]["fields"]["i"].as_u64().unwrap()));
    }
    numbers.sort_unstable();
    numbers
}

/// A collector that flushes when it is told to, and what records a span for each of some numbers there.
fn recording(url: String) -> (Collector, impl Fn(Range<u64>)) {
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = builder.on_export(|_| ()).endpoint(url).start().unwrap();
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    let record = move |numbers: Range<u64>| {
        dispatcher::with_default(&subscriber, || numbers.for_each(|i| drop(info_span!("work", i))));
    };
    (collector, record)
}

#[test]
fn what_does_not_fit_is_taken_back_and_comes_later() {
    for options in ["", "?format=otlp", "?rotate_bytes=60000&keep=100"] {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file:{}{options}", directory.path().display());
        let (collector, record) = recording(url);
        record(0..20);
        assert!(collector.flush(SOON).is_complete());
        let mut there: Vec<u64> = (0..20).collect();
        record(20..500);
        // Not even the next line fits, and then a part of them.
        for bytes in [1, 10_000, 20_000, 30_000] {
            limit(bytes);
            let is_complete = collector.flush(Duration::from_millis(50)).is_complete();
            assert!(!is_complete, "{bytes}");
            assert_eq!(numbers_in(directory.path()), there, "no line twice, none torn");
        }
        limit(libc::RLIM_INFINITY);
        assert!(collector.shutdown(SOON).is_complete());
        there.extend(20..500);
        assert_eq!(numbers_in(directory.path()), there);
    }

    // A trace, each file of which is one of its own.
    for options in ["", "?rotate_bytes=20000&keep=100"] {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("chrome-trace:{}/trace.json{options}", directory.path().display());
        let (collector, record) = recording(url);
        record(0..20);
        assert!(collector.flush(SOON).is_complete());
        assert_eq!(numbers_of_traces(directory.path()), (0..20).collect::<Vec<_>>());
        record(20..500);
        for bytes in [1, 10_000, 20_000, 30_000] {
            limit(bytes);
            let is_complete = collector.flush(Duration::from_millis(50)).is_complete();
            assert!(!is_complete, "{bytes}");
            assert_eq!(numbers_of_traces(directory.path()), (0..20).collect::<Vec<_>>());
        }
        limit(libc::RLIM_INFINITY);
        assert!(collector.shutdown(SOON).is_complete());
        assert_eq!(numbers_of_traces(directory.path()), (0..500).collect::<Vec<_>>());
    }

    // What the resource is comes whole too.
    let directory = tempfile::tempdir().unwrap();
    let collector = Collector::builder()
        .ignore_env()
        .endpoint(format!("file:{}", directory.path().display()))
        .start()
        .unwrap();
    limit(10);
    collector.record("size", 1);
    assert!(!collector.flush(Duration::from_millis(50)).is_complete());
    let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().contains("resource")));
    limit(libc::RLIM_INFINITY);
    assert!(collector.shutdown(SOON).is_complete());
    let resource = fs::read(directory.path().join("resource.json")).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&resource).unwrap().is_object());
}
