//! Exporters that are stuck, panic or are slow while a thread records as fast as it can: what they take has its bound, the books
//! balance, and the thread goes on. Alone in its program, as it counts what is allocated.
//!
//! `TELEMETRY_SPANS=10000000 cargo test --release --test endurance -- --nocapture` records so many with each of them, and says what the
//! slowest record took.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use telemetry_layer::exporters::from_url;
use telemetry_layer::prelude::*;
use telemetry_tests::Counted;
use telemetry_tests::receiver::{Form, Lines, Manner, Wire, silent};
use tracing::{dispatcher, info_span};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Bytes for records on their way, and for what waits for the exporter.
const BUFFERS: usize = 256 << 10;
const EXPORTER: usize = 128 << 10;
/// What waits, and as much that is out; the bodies of two requests, in JSON four times as large as what they are made of; and what stands
/// for itself: threads, runtimes, connections. All that is recorded would be more.
const MOST: usize = BUFFERS + 2 * EXPORTER + 2 * 5 * EXPORTER + (2 << 20);

#[test]
fn whatever_an_exporter_does_memory_has_its_bound_and_recording_goes_on() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Of those that are meant nobody has to read.
        if std::thread::current().name() != Some("telemetry-exporter") {
            say(panic);
        }
    }));
    for form in Form::EACH {
        let (_listener, address) = silent();
        endures(("stuck", form), from_url(&form.url(address, "timeout_ms=3600000")).unwrap());
        if form.is_of_points() {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let spool = format!("timeout_ms=100&spool={}&spool_bytes=1000000", directory.path().display());
        endures(("stuck, with a spool", form), from_url(&form.url(address, &spool)).unwrap());
    }
    for wire in Wire::EACH {
        let (_listener, place) = Lines::silent(wire);
        endures(("stuck", wire), from_url(&wire.url(&place, "timeout_ms=3600000")).unwrap());
        let slow = Lines::start(wire, |_| Manner::ReadSlowly);
        endures(("slow", wire), from_url(&wire.url(&slow.place, "")).unwrap());
    }
    endures("an error each time", Route::new(|_: &Batch| Err::<(), _>(ExportError::retry("away"))));
    endures("panics each time", Route::new(|batch: &Batch| assert_eq!(batch.len(), 0, "each time")));
    let slow = |batch: &Batch| batch.spans().for_each(|span| drop(span.name().repeat(10_000)));
    endures("slow", Route::new(slow));
    let (_never, says) = std::sync::mpsc::channel::<()>();
    endures("stuck", Route::new(move |_: &Batch| _ = says.recv()));
}

fn endures(what: impl Debug, route: Route) {
    let spans = std::env::var("TELEMETRY_SPANS").map_or(60_000, |spans| spans.parse().expect("a number"));
    let builder = Collector::builder().ignore_env().buffer_bytes(BUFFERS).exporter_bytes(EXPORTER);
    let collector = builder.on_export(|_| ()).exporter(route.name("it")).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let mut slowest = Duration::ZERO;
    let begin = Counted::begin_peak();
    dispatcher::with_default(&subscriber.into(), || {
        collector.scoped(|| {
            for user in 0_u64..spans {
                let begin = Instant::now();
                info_span!("work", user, size = 7, path = "/api/items", cached = true).in_scope(|| ());
                count!("done");
                slowest = slowest.max(begin.elapsed());
            }
        });
    });
    let grown = Counted::peak() - begin;
    let report = collector.shutdown(Duration::from_millis(100));
    let ledger = report.ledger();
    println!("{what:?}: {grown} bytes, the slowest record took {slowest:?}\n{ledger}");
    assert!(ledger.balances(), "{what:?}: {ledger}");
    assert_eq!(ledger.signal(Signal::Spans).recorded, spans, "{what:?}");
    assert!(grown <= MOST, "{what:?}: {grown} bytes");
}
