//! `init`, which is global. Alone in its program: while any thread has a subscriber of its own, `tracing`
//! lets nothing through that is recorded while something else is.

use telemetry_layer::Error;
use telemetry_layer::prelude::*;
use telemetry_tests::{Memory, SOON};

/// Uses `tracing` while it is being recorded, which a global subscriber lets through.
struct Logs;

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        tracing::info!("from Debug");
        f.write_str("logged")
    }
}

#[test]
fn one_line_sets_up_collector_and_subscriber_for_all_threads() {
    let memory = Memory::default();
    let builder = || Collector::builder().ignore_env().exporter(memory.clone());
    let telemetry = telemetry_layer::init_with(builder()).unwrap();
    std::thread::spawn(|| {
        tracing::info_span!("work", value = ?Logs).in_scope(|| tracing::info!(value = ?Logs, "done"));
        count!("global");
        tracing::debug!("not at info");
    })
    .join()
    .unwrap();
    assert!(matches!(builder().install(), Err(Error::AlreadyInstalled)), "a program has one");
    assert!(matches!(telemetry_layer::init_with(builder()), Err(Error::AlreadyInstalled)));
    assert!(Collector::current().is_some());
    let report = telemetry.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances());
    let kept = memory.kept();
    assert_eq!((kept.spans.len(), kept.event("done").span_id), (1, Some(kept.span("work").span_id)));
    let nested: Vec<_> =
        kept.events.iter().filter(|e| e.message == "from Debug").map(|e| e.span_id).collect();
    assert_eq!(
        nested,
        [None, Some(kept.span("work").span_id)],
        "what Debug logs is recorded where it happens"
    );
    assert!(kept.metrics.iter().any(|m| m.identity.name == "global"));
}
