//! Models: threads that look at a slot while its span is changed, ends, and another one begins there.

use std::sync::Arc;

use shuttle::thread;
use telemetry_core::__private::Tick;
use telemetry_core::__private::record::{FieldBuf, Key};
use telemetry_core::model::{SpanContext, SpanId, TraceId, ValueRef};
use tracing::Callsite as _;
use tracing::callsite::DefaultCallsite;
use tracing::metadata::Kind;
use tracing::{Level, Metadata};

use super::slot::Opening;
use super::store::Store;

static SITE: DefaultCallsite = DefaultCallsite::new(&META);
static META: Metadata<'static> = Metadata::new(
    "work",
    "model",
    Level::INFO,
    None,
    None,
    None,
    tracing::field::FieldSet::new(&["a", "b", "c"], tracing::callsite::Identifier(&SITE)),
    Kind::SPAN,
);

fn context(n: u64) -> SpanContext {
    let trace_id = TraceId::new(u128::from(n) << 64 | u128::from(n)).unwrap();
    SpanContext::new(trace_id, SpanId::new(n).unwrap(), true)
}

fn opening(n: u64) -> Opening {
    Opening {
        context: context(n),
        parent_span: None,
        parent_is_remote: false,
        parent_id: 0,
        site: SITE.metadata(),
        decided_here: true,
        marks: 0,
    }
}

/// The id of a span in the first place of the first thread, after that place was used `n` times.
fn id(n: u64) -> u64 {
    (n << 51) + 1
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let runs = std::env::var("SHUTTLE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2_000);
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    shuttle::check_random(model, runs);
}

#[test]
fn who_looks_sees_the_whole_span_or_none() {
    check(|| {
        let store = Arc::new(Store::new(usize::MAX));
        let slot = store.open(id(1), &opening(1)).unwrap();
        let look = |n: u64| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let seen = store.find(id(n)).and_then(|slot| slot.context(id(n)));
                assert!(seen.is_none_or(|seen| seen == context(n)), "{seen:?} is not that of {n}");
            })
        };
        let threads = [look(1), look(2), look(1)];
        store.close(id(1), slot);
        let slot = store.open(id(2), &opening(2)).unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        store.close(id(2), slot);
    });
}

#[test]
fn what_two_threads_record_later_is_all_there() {
    check(|| {
        let store = Arc::new(Store::new(usize::MAX));
        let slot = store.open(id(1), &opening(1)).unwrap();
        let mut first = slot.place();
        first.push(Key::Index(0), ValueRef::U64(1));
        slot.begin(Tick::default(), &first);
        let record = |index: usize| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let mut later = FieldBuf::new();
                later.push(Key::Index(index), ValueRef::U64(index as u64));
                later.push(Key::Index(0), ValueRef::U64(7));
                store.find(id(1)).unwrap().update(&later);
            })
        };
        let threads = [record(1), record(2)];
        let seen = slot.all_fields();
        assert!(!seen.is_empty());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let seen = slot.all_fields();
        let mut values = seen.to_values(SITE.metadata());
        values.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<&str> = values.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(values[0].1, 7u64.into());
        store.close(id(1), slot);
    });
}
