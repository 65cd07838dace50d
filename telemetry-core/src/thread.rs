//! What one thread owns: its random ids and whether telemetry looks away from it.
//!
//! Nothing here is shared between threads, and nothing here ever blocks. A child process begins with random ids of its own.

mod numbers;

use std::cell::Cell;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::thread::{Builder, JoinHandle};
use std::time::SystemTime;

pub use self::numbers::{are_threads_wanted, on_threads_wanted, thread_number};
#[cfg(feature = "chrome-trace")]
pub(crate) use self::numbers::{name_of, want_threads};
use crate::model::{SpanId, TraceId};
use crate::sync::ForkLock;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
    static SUPPRESSED: Cell<bool> = const { Cell::new(false) };
}

/// Says in which span of a trace that is kept this thread is, of a layer that feeds that collector.
type Look = fn(collector: u64) -> Option<(TraceId, SpanId)>;

static LOOK: OnceLock<Look> = OnceLock::new();

/// From now on `look` is asked where measurements are made.
#[doc(hidden)]
pub fn look_for_spans(look: Look) {
    let _ = LOOK.set(look);
}

/// The span of a kept trace that this thread is in.
pub(crate) fn kept_span(collector: u64) -> Option<(TraceId, SpanId)> {
    LOOK.get().and_then(|look| look(collector))
}

/// A random number, cheap and good enough for ids; not for secrets.
pub(crate) fn random_u64() -> u64 {
    let seed = SEED.try_with(Cell::get).unwrap_or_default();
    let seed = if seed == 0 { new_seed() } else { seed };
    let next = seed.wrapping_add(STEP);
    // Where the thread is ending its seed is gone, and each number starts from a new one.
    let _ = SEED.try_with(|s| s.set(next));
    mixed(next)
}

/// Random by the keys of the thread's hashers, which a child process has from its parent: the rest tells the two apart.
#[cold]
fn new_seed() -> u64 {
    RandomState::new().hash_one((std::process::id(), SystemTime::now())) | 1
}

const STEP: u64 = 0xa076_1d64_78bd_642f;

fn mixed(seed: u64) -> u64 {
    let wide = u128::from(seed) * u128::from(seed ^ 0xe703_7ed1_a0b4_28db);
    ((wide >> 64) ^ wide) as u64
}

/// A new trace id and a new span id.
#[inline]
pub fn new_ids() -> (TraceId, SpanId) {
    let seed = SEED.try_with(Cell::get).unwrap_or_default();
    if seed == 0 {
        return (new_trace_id(), new_span_id());
    }
    let seeds = [1, 2, 3].map(|i: u64| seed.wrapping_add(i.wrapping_mul(STEP)));
    let _ = SEED.try_with(|s| s.set(seeds[2]));
    let [high, low, span] = seeds.map(mixed);
    let trace = TraceId::new(u128::from(high) << 64 | u128::from(low)).unwrap_or(TraceId::MIN);
    (trace, SpanId::new(span).unwrap_or(SpanId::MIN))
}

/// A new trace id. Its low 56 bits are random, as consistent sampling wants them.
pub(crate) fn new_trace_id() -> TraceId {
    let id = u128::from(random_u64()) << 64 | u128::from(random_u64());
    TraceId::new(id).unwrap_or(TraceId::MIN)
}

/// A new span id.
pub(crate) fn new_span_id() -> SpanId {
    SpanId::new(random_u64()).unwrap_or(SpanId::MIN)
}

/// Whether the layer looks away from this thread now.
pub fn is_suppressed() -> bool {
    SUPPRESSED.try_with(Cell::get).unwrap_or(false)
}

/// Runs `f` while the layer records nothing of this thread. For exporters, whose own HTTP stack may use
/// `tracing`; metrics are recorded as ever.
pub fn suppress<R>(f: impl FnOnce() -> R) -> R {
    let _back = Suppression::begin();
    f()
}

/// The same for a future: in force while it is polled.
pub fn suppress_future<F: Future>(future: F) -> Suppressed<F> {
    Suppressed { future: Box::pin(future) }
}

/// Suppresses this thread for good: for threads of ours.
pub(crate) fn suppress_this_thread() {
    SUPPRESSED.with(|s| s.set(true));
}

/// Starts a thread of ours, which telemetry looks away from. The system cuts a name after 15 bytes.
pub(crate) fn spawn<R: Send + 'static>(
    name: &str,
    f: impl FnOnce() -> R + Send + 'static,
) -> std::io::Result<JoinHandle<R>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        suppress_this_thread();
        f()
    })
}

/// Runs code of the program, which may panic: then there is no result.
pub(crate) fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(payload) => {
            // What a panic carries may panic too when it goes, and what that carries.
            let mut left = Some(payload);
            for _ in 0..8 {
                left = left.and_then(|payload| catch_unwind(AssertUnwindSafe(|| drop(payload))).err());
            }
            std::mem::forget(left);
            None
        }
    }
}

/// The layer looks away from this thread as long as this is there. Where a lock is held and memory asked for, as an
/// allocator may record what it does.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Suppression {
    before: bool,
    /// It is the flag of its thread.
    _not_send: PhantomData<*const ()>,
}

impl Suppression {
    pub fn begin() -> Self {
        let before = SUPPRESSED.try_with(|s| s.replace(true)).unwrap_or(true);
        Self { before, _not_send: PhantomData }
    }
}

/// While a process forks.
impl ForkLock for Suppression {
    fn in_child(&mut self) {
        let _ = SEED.try_with(|seed| seed.set(0));
    }
}

impl Drop for Suppression {
    fn drop(&mut self) {
        let _ = SUPPRESSED.try_with(|s| s.set(self.before));
    }
}

/// See [`suppress_future`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Suppressed<F> {
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Suppressed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        suppress(|| self.future.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppression_ends_with_its_scope_even_after_a_panic() {
        assert!(!is_suppressed());
        let panicked = std::panic::catch_unwind(|| {
            suppress(|| {
                suppress(|| ());
                assert!(is_suppressed(), "the outer scope is still open");
                panic!("in the scope");
            })
        });
        assert!(panicked.is_err() && !is_suppressed());
    }

    #[test]
    fn a_panic_whose_payload_panics_too_goes_no_further() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in the drop");
            }
        }
        assert_eq!(quietly(|| std::panic::panic_any(Bomb)), None::<()>);
        assert_eq!(quietly(|| 7), Some(7));
    }

    #[test]
    fn ids_do_not_repeat_across_threads() {
        let make = || (0..20_000).map(|_| new_span_id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let mut ids: Vec<SpanId> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 80_000);
    }
}
