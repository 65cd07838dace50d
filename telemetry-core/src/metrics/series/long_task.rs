//! Long tasks: measurements of a timer that are seen while they run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Tick;
use crate::model::{Identity, Kind, Text, cut};
use crate::sync::{Mutex, Origin, lock};

/// All of one series that run now, by when they began.
#[derive(Debug)]
pub(crate) struct LongTasks {
    /// How many there are.
    pub(crate) active: Arc<Identity>,
    /// How long the oldest one runs.
    pub(crate) longest: Arc<Identity>,
    running: Mutex<BTreeMap<Tick, usize>>,
    /// How many began or ended.
    changes: AtomicU64,
    origin: Origin,
}

impl LongTasks {
    /// For a series of that identity.
    pub(crate) fn new(of: &Identity) -> Self {
        let behind = |what, kind, unit: &'static str| {
            let name = cut::kept_name(Text::from(format!("{}.{what}", of.name)));
            Arc::new(Identity { kind, name, unit: unit.into(), ..of.clone() })
        };
        Self {
            active: behind("active", Kind::UpDownCounter, ""),
            longest: behind("active.longest", Kind::Gauge, "s"),
            running: Mutex::default(),
            changes: AtomicU64::new(0),
            origin: Origin::here(),
        }
    }

    /// How many run, and since when the oldest one.
    pub(crate) fn read(&self) -> (usize, Option<Tick>) {
        let running = lock(&self.running);
        (running.values().sum(), running.keys().next().copied())
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }
}

/// One that runs; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct LongTask {
    tasks: Arc<LongTasks>,
    began: Tick,
}

impl LongTask {
    pub(crate) fn begin(tasks: Arc<LongTasks>, now: Tick) -> Self {
        *lock(&tasks.running).entry(now).or_default() += 1;
        tasks.changes.fetch_add(1, Relaxed);
        Self { tasks, began: now }
    }
}

impl Drop for LongTask {
    fn drop(&mut self) {
        // One that its parent began is over in a child without being counted: the lock may be another thread's for ever.
        if !self.tasks.origin.is_here() {
            return;
        }
        let mut running = lock(&self.tasks.running);
        let same = running.get_mut(&self.began);
        if same.is_some_and(|same| {
            *same -= 1;
            *same == 0
        }) {
            running.remove(&self.began);
        }
        self.tasks.changes.fetch_add(1, Relaxed);
    }
}
