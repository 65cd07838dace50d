//! What is left of exporters that were replaced or removed: nothing but their account.

use std::sync::Weak;
use std::time::Instant;

use super::*;
use crate::pipeline::lanes::Lanes;
use crate::sync::lock;

fn lanes(collector: &Collector) -> Weak<Lanes> {
    Arc::downgrade(&lock(&collector.engine.exporters)[0].lanes)
}

/// The thread of the exporter has them for a moment longer.
#[track_caller]
fn go(lanes: &Weak<Lanes>) {
    let begin = Instant::now();
    while lanes.strong_count() > 0 {
        assert!(begin.elapsed() < SOON, "somebody has them");
        std::thread::yield_now();
    }
}

#[test]
fn the_memory_of_exporters_goes_with_them() {
    let down = |_: &Batch| Err::<(), _>(ExportError::retry("down"));
    let collector = builder().on_export(|_| ()).exporter(Route::new(down).name("it")).start().unwrap();
    for n in 0..5 {
        collector.collect_span(&span(n));
        let old = lanes(&collector);
        let report = collector.replace("it", down, SOON).unwrap();
        assert!(report.late().is_empty(), "{report}");
        // Its worker has ended, and the dispatcher has all that it left.
        go(&old);
        assert_eq!(lock(&collector.engine.exporters).len(), 1);
    }
    let last = lanes(&collector);
    let report = collector.remove("it", Duration::from_millis(200)).unwrap();
    assert!(report.late().is_empty() && !report.is_complete(), "{report}");
    go(&last);
    assert!(lock(&collector.engine.exporters).is_empty());
    let spans = account(&collector, "it");
    assert_eq!((spans.accepted, spans.dropped.by(Reason::Deadline), spans.buffered), (5, 5, 0));
}
