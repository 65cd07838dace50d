//! A disk that fills up while `file:` writes, and empties again. Alone in its program: its stand-in is the largest size that files
//! of a process may have.
#![allow(unsafe_code)] // Only C has limits.

use std::fs;
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

#[test]
fn what_does_not_fit_is_taken_back_and_comes_later() {
    for options in ["", "?format=otlp", "?rotate_bytes=60000&keep=100"] {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file:{}{options}", directory.path().display());
        let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
        let collector = builder.on_export(|_| ()).endpoint(url).start().unwrap();
        let subscriber = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
        let record = |numbers: std::ops::Range<u64>| {
            dispatcher::with_default(&subscriber, || numbers.for_each(|i| drop(info_span!("work", i))));
        };
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
