//! An allocator that is observed itself, also by what the layer allocates. Alone in its program, which has one allocator,
//! and with a global subscriber: others see nothing while they look at something.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::{Signal, SpanMetrics};
use telemetry_tests::{Memory, SOON};
use tracing::{error, info, info_span};

/// Records each allocation of a thread that is watched, later of all threads.
struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// More threads than have places of their own for spans.
const MANY: usize = 520;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALL_ARE_WATCHED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static IS_RECORDING: Cell<bool> = const { Cell::new(false) };
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
    let is_watched = IS_WATCHED.get() || ALL_ARE_WATCHED.load(Ordering::Relaxed);
    if is_watched && !IS_RECORDING.replace(true) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        info_span!("allocating", bytes).in_scope(|| info!("allocated"));
        IS_RECORDING.set(false);
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
    let rules = Sampling::new().spans_per_second(1e9).events_per_second(1e9);
    let builder = Collector::builder().ignore_env().sampling(rules).flush_interval(Duration::from_hours(1));
    let collector = builder.exporter(memory.clone()).install().unwrap();
    let layer = TelemetryLayer::new(&collector)
        .with_span_metrics(SpanMetrics::new())
        .with_redacted_fields(["secret"]);
    tracing_subscriber::registry().with(layer).init();
    std::thread::spawn(|| {
        let work = || {
            info_span!("first", secret = "s").in_scope(|| {
                measured("some").unwrap();
                counted("one");
                error!(error = "failed", long = "a".repeat(1000), "an error");
            });
        };
        // Now `tracing` knows the call sites, and the thread has what it needs: the first allocation that is recorded is
        // one by which the layer takes down what there is to know of a call site.
        info_span!("before").in_scope(|| telemetry_layer::suppress(work));
        IS_WATCHED.set(true);
        work();
        IS_WATCHED.set(false);
    })
    .join()
    .unwrap();
    let ledger = collector.ledger();
    collector.flush(SOON);
    let many = ALLOCATIONS.load(Ordering::Relaxed);
    let kept = memory.kept();
    assert_eq!(kept.span("measured").parent_span_id, Some(kept.span("first").span_id));
    let seen = kept.spans.iter().filter(|span| span.name == "allocating").count() as u64;
    // What telemetry asks for while it holds a lock is counted, and not looked at.
    let suppressed = ledger.signal(Signal::Spans).suppressed;
    assert!(seen > 0 && suppressed > 0, "{seen} of {many}");
    assert_eq!(seen + suppressed, many + 2, "of the spans of `work` two were suppressed");

    // The collector's own threads too, more threads than there are places for their spans, and spans without end.
    ALL_ARE_WATCHED.store(true, Ordering::Relaxed);
    let gate = Arc::new(Barrier::new(MANY));
    let work = |gate: Arc<Barrier>| {
        let span = info_span!("on a thread", text = "b".repeat(1000));
        gate.wait();
        span.in_scope(|| info!("said"));
        drop(span);
        // At its very end the Registry opens no span.
        IS_RECORDING.set(true);
    };
    let threads: Vec<_> = (0..MANY)
        .map(|_| {
            let gate = Arc::clone(&gate);
            std::thread::Builder::new().stack_size(256 << 10).spawn(move || work(gate)).unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(collector.flush(SOON).is_complete());
    ALL_ARE_WATCHED.store(false, Ordering::Relaxed);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances(), "{report}");
    let many = memory.kept().spans.iter().filter(|span| span.name == "on a thread").count();
    assert_eq!(many, MANY);
}
