//! What a contender is: one `Case` per (op, contender), built in a fresh process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub struct Case {
    /// Operations per call of `run`; `settle` runs, untimed, before each call.
    pub burst: u64,
    /// Runs the operation that many times. Parents and the like are opened inside, so they are timed.
    pub run: Arc<dyn Fn(u64) + Send + Sync>,
    /// Untimed work between bursts: flush a queue, drain a buffer.
    pub settle: Box<dyn FnMut()>,
    /// Given the operations and bursts done in all, panics unless they were recorded; says what it saw.
    pub verify: Box<dyn FnOnce(u64, u64) -> String>,
}

impl Case {
    pub fn new(burst: u64, run: impl Fn(u64) + Send + Sync + 'static) -> Case {
        Case { burst, run: Arc::new(run), settle: Box::new(|| ()), verify: Box::new(|_, _| "nothing to record".into()) }
    }
    pub fn settle(mut self, f: impl FnMut() + 'static) -> Case {
        self.settle = Box::new(f);
        self
    }
    pub fn verify(mut self, f: impl FnOnce(u64, u64) -> String + 'static) -> Case {
        self.verify = Box::new(f);
        self
    }
}

pub struct Entry {
    pub op: &'static str,
    pub who: &'static str,
    pub threads: usize,
    pub make: Box<dyn Fn() -> Case>,
}

impl Entry {
    pub fn is(&self, op: &str, who: &str, threads: usize) -> bool {
        self.op == op && self.who == who && self.threads == threads
    }
}

#[derive(Default)]
pub struct Entries(pub Vec<Entry>);

impl Entries {
    pub fn add(&mut self, op: &'static str, who: &'static str, make: impl Fn() -> Case + 'static) {
        self.0.push(Entry { op, who, threads: 1, make: Box::new(make) });
    }
    /// The same on one thread and on two at once.
    pub fn add12<F: Fn() -> Case + Clone + 'static>(&mut self, op: &'static str, who: &'static str, make: F) {
        self.add(op, who, make.clone());
        self.0.push(Entry { op, who, threads: 2, make: Box::new(make) });
    }
}

/// A shared count, for null exporters and counting sinks.
#[derive(Clone, Debug, Default)]
pub struct Count(pub Arc<AtomicU64>);

impl Count {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    /// The usual check: exactly `want` arrived.
    pub fn exactly(&self, want: u64, what: &str) -> String {
        assert_eq!(self.get(), want, "{what} that arrived");
        format!("{} of {want} {what}", self.get())
    }
}

/// A writer that counts bytes and drops them.
impl std::io::Write for Count {
    fn write(&mut self, b: &[u8]) -> std::io::Result<usize> {
        self.add(b.len() as u64);
        Ok(b.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
