//! An allocator that is observed itself, also by what the layer allocates. Alone in its program, which has one allocator,
//! and with a global subscriber: others see nothing while they look at something.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use telemetry_layer::SpanMetrics;
use telemetry_layer::prelude::*;
use telemetry_tests::{Memory, SOON, count_of};
use tracing::{error, info, info_span};

/// Records each allocation of a thread that is watched.
struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: the system's allocator does what is asked for.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

fn allocated(bytes: usize) {
    let is_watched = IS_WATCHED.try_with(|watched| watched.replace(false)).unwrap_or_default();
    if is_watched {
        count!("allocations");
        histogram!("allocated", bytes);
        info_span!("allocating", bytes).in_scope(|| info!("allocated"));
        IS_WATCHED.set(true);
    }
}

#[time_me(outcome)]
fn measured(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[count_me(tags(text = text))]
fn counted(text: &str) {
    info!(counter.texts = 1, "counted {text}");
}

#[test]
fn an_allocator_may_record_what_it_does_whatever_is_being_recorded() {
    let memory = Memory::default();
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = builder.exporter(memory.clone()).install().unwrap();
    let layer =
        TelemetryLayer::new(&collector).with_span_metrics(SpanMetrics::new()).redact_fields(["secret"]);
    tracing_subscriber::registry().with(layer).init();
    std::thread::spawn(|| {
        IS_WATCHED.set(true);
        info_span!("first", secret = "s", long = "a".repeat(1000)).in_scope(|| {
            measured("some").unwrap();
            counted("one");
            error!(error = "failed", "an error");
        });
        IS_WATCHED.set(false);
    })
    .join()
    .unwrap();
    let metrics = collector.snapshot();
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    let many = count_of(&metrics, "allocations", &[]);
    assert!(many > 10, "{many}");
    assert_eq!(count_of(&metrics, "allocated", &[]), many);
    let kept = memory.kept();
    assert_eq!(kept.span("measured").parent_span_id, Some(kept.span("first").span_id));
    let seen = kept.spans.iter().filter(|span| span.name == "allocating").count() as u64;
    println!("{many} allocations, {seen} of them seen as spans");
    assert!(seen > 0 && seen <= many);
}
