//! What a thread records when it has nothing of its own any more. Alone in its program: the subscriber is global, as
//! those of threads are gone by then.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use telemetry_layer::SpanMetrics;
use telemetry_layer::prelude::*;
use telemetry_tests::{Memory, SOON, count_of, remote};
use tracing::field::Empty;
use tracing::{Span, info, info_span};

/// A future that was polled, a span, and another one below it.
struct Last(Option<Pin<Box<dyn Future<Output = ()>>>>, Option<Span>, Option<Span>);

thread_local! {
    /// Made before anything else of the thread, and so gone after it.
    static LAST: RefCell<Last> = const { RefCell::new(Last(None, None, None)) };
}

impl Drop for Last {
    fn drop(&mut self) {
        drop(self.0.take());
        let Some(parent) = self.1.take() else { return };
        info!("alone");
        info!(parent: &parent, "in it");
        parent.record("late", "yes");
        parent.add_link(remote(true).span.unwrap());
        drop((self.2.take(), parent));
        let _ = late();
    }
}

struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        info!("held");
    }
}

#[time_me]
async fn waits() {
    let _held = Held;
    std::future::pending::<()>().await;
}

// The Registry opens no span then: it has nothing of the thread any more.
#[time_me(outcome, span = false)]
fn late() -> Result<(), String> {
    Ok(())
}

#[test]
fn what_a_thread_records_at_its_very_end_is_kept() {
    let memory = Memory::default();
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = builder.exporter(memory.clone()).install().unwrap();
    let layer = TelemetryLayer::new(&collector).with_span_metrics(SpanMetrics::new());
    let open = layer.open_spans();
    tracing_subscriber::registry().with(layer).init();
    std::thread::spawn(|| {
        LAST.with(|_| ());
        let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(waits());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let parent = info_span!("parent", late = Empty);
        let child = info_span!(parent: &parent, "child");
        LAST.with_borrow_mut(|last| {
            (last.0, last.1, last.2) = (Some(future), Some(parent), Some(child));
        });
    })
    .join()
    .unwrap();
    // The layer has something of this thread before the thread has its variable, and the Registry later.
    std::thread::spawn(|| {
        info!("first");
        LAST.with(|_| ());
        let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(waits());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        LAST.with_borrow_mut(|last| last.0 = Some(future));
    })
    .join()
    .unwrap();
    assert!(open.list().is_empty());
    let metrics = collector.snapshot();
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    let kept = memory.kept();
    let spans: Vec<&str> = kept.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(spans, ["waits", "child", "parent", "waits"]);
    let parent = kept.span("parent");
    assert_eq!((parent.fields.len(), parent.links.len()), (1, 1));
    let parent = Some(parent.span_id);
    assert_eq!((kept.event("in it").span_id, kept.span("child").parent_span_id), (parent, parent));
    let held: Vec<_> = kept.events.iter().filter(|event| event.message == "held").collect();
    assert_eq!((held.len(), kept.event("alone").span_id), (2, None));
    assert!(held.iter().all(|event| event.span_id.is_none()), "their spans can't be entered any more");
    for (name, calls) in [("waits", 2), ("child", 1), ("parent", 1), ("late", 1)] {
        let tag = ("code.function.name", &*format!("ending::{name}"));
        assert_eq!(count_of(&metrics, "function.duration", &[tag]), calls, "{name}");
    }
}
