//! What the tests that cross crates share. The README's code blocks are doc tests of this crate.

mod ask;
pub mod beside;
pub mod compiler;
mod counted;
pub mod lines;
pub mod monitor;
pub mod process;
pub mod program;
pub mod receiver;
pub mod scripted_tsd;
pub mod spool;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use telemetry_layer::metrics::Snapshot;
use telemetry_layer::model::{SpanContext, SpanId, TraceContext, TraceId};
use telemetry_layer::{Builder, Collector, TelemetryLayer};

pub use ask::{ask, asked};
pub use counted::Counted;
pub use lines::numbers_in;
pub use telemetry_layer::testing::{Kept, Memory};
use tracing_subscriber::layer::SubscriberExt as _;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Long enough for anything that is not stuck.
pub const SOON: Duration = Duration::from_secs(20);

/// Other threads of a test see that it is over, also where it failed.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// Whether it is.
    pub fn is_over(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// When what this gives is dropped, it is.
    pub fn when_dropped(&self) -> impl Drop {
        struct Sets<'a>(&'a AtomicBool);
        impl Drop for Sets<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        Sets(&self.0)
    }
}

/// Keeps a second dispatcher alive. Without one, `tracing` would remember of a call site that a thread without
/// subscriber reached first that nobody ever wants it.
fn keep_call_sites_open() {
    static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
}

/// A collector of a test's own: it looks at no variable, and flushes only when asked.
///
/// # Panics
///
/// If it can't be started.
pub fn collector(change: impl FnOnce(Builder) -> Builder) -> (Collector, Memory) {
    keep_call_sites_open();
    let memory = Memory::default();
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = change(builder.exporter(memory.clone())).start().expect("a collector");
    (collector, memory)
}

/// Runs `f` with a layer and a collector of its own; what was exported.
///
/// # Panics
///
/// If the ledger does not balance at the end, or something was lost.
pub fn recorded(f: impl FnOnce(&Collector)) -> Kept {
    recorded_by(|builder| builder, |layer| layer, f)
}

/// The same with a collector and a layer as they are made.
///
/// # Panics
///
/// If the ledger does not balance at the end, or something was lost.
pub fn recorded_by(
    change: impl FnOnce(Builder) -> Builder,
    layer: impl FnOnce(TelemetryLayer) -> TelemetryLayer,
    f: impl FnOnce(&Collector),
) -> Kept {
    let (collector, memory) = collector(change);
    let subscriber = tracing_subscriber::registry().with(layer(TelemetryLayer::new(&collector)));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| f(&collector)));
    exported(&collector, &memory)
}

/// Where another program stands.
///
/// # Panics
///
/// Never: these are ids.
pub fn remote(sampled: bool) -> TraceContext {
    let (trace_id, span_id) = (TraceId::new(7).expect("an id"), SpanId::new(8).expect("an id"));
    let mut span = SpanContext::new(trace_id, span_id, sampled);
    span.is_remote = true;
    TraceContext::new(span)
}

/// Shuts the collector down; what was exported.
///
/// # Panics
///
/// If the ledger does not balance, or something was lost.
pub fn exported(collector: &Collector, memory: &Memory) -> Kept {
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    memory.kept()
}

/// What instruments counted while `f` ran, without any subscriber.
pub fn measured(f: impl FnOnce()) -> Snapshot {
    let (collector, _) = collector(|b| b);
    collector.scoped(f);
    collector.snapshot()
}

/// How much was counted, or how many values there are, under that name with at least these tags.
pub fn count_of(metrics: &Snapshot, name: &str, tags: &[(&str, &str)]) -> u64 {
    let found = metrics.named(name).filter(|metric| tags.iter().all(|(k, v)| metric.tag(k) == Some(v)));
    found.map(|metric| metric.histogram().map_or(metric.number().as_f64() as u64, |h| h.count)).sum()
}

/// What a future gives that waits for nothing.
///
/// # Panics
///
/// If it waits.
pub fn ready<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready at once"),
    }
}

/// Runs a test with each of these cases, many of them side by side.
///
/// # Panics
///
/// If it panics with one of them, and says with which.
pub fn each<C: Debug + Copy + Send>(cases: impl IntoIterator<Item = C>, run: impl Fn(C) + Sync) {
    // They wait most of the time, but what each of them starts must get its turn soon.
    const AT_ONCE: usize = 40;
    let cases: Vec<C> = cases.into_iter().collect();
    let (threads, left) = (cases.len().min(AT_ONCE), Mutex::new(cases.into_iter()));
    let next = || left.lock().expect("nobody panics with it").next();
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = next() {
            if catch_unwind(AssertUnwindSafe(|| run(case))).is_err() {
                failed.lock().expect("nobody panics with it").push(case);
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().expect("nobody panics with it");
    assert!(failed.is_empty(), "fails with {failed:?}");
}

/// Runs `f` on a thread of its own, which has the same subscriber, and waits for it.
///
/// # Panics
///
/// If `f` does.
pub fn on_a_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let run = || tracing::dispatcher::with_default(&dispatch, f);
    let result = std::thread::scope(|scope| scope.spawn(run).join());
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Tries until there is something.
///
/// # Panics
///
/// If that is not soon.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < 2 * SOON, "{what}: not in time");
        std::thread::yield_now();
    }
}
