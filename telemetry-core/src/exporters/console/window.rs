//! Brings what threads hand over one after the other into the order in which it happened: things come in with their times, are
//! held until they are 50 ms old, and go out by time. What comes too late for that goes out at once, and is known to be late.
//!
//! Pure: it is told the time. It holds so many bytes; what is oldest goes out early where there is more.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Tick;
use crate::exporters::{Held, Now};

/// Things come in that time after they happened, or are late.
const WINDOW: Duration = Duration::from_millis(50);
/// What becomes due within that time goes out together, for fewer wakes.
const TOGETHER: Duration = Duration::from_millis(10);
/// So much is held.
const MOST: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Window<T> {
    held: Vec<Entry<T>>,
    bytes: usize,
    /// The first of it that is due.
    due: Option<Tick>,
    /// The time of the newest that went out.
    newest: u64,
    /// How many there are of each batch that are held, or on their way out.
    batches: BTreeMap<u64, usize>,
    /// The batches of what is on its way out.
    leaving: Vec<u64>,
}

#[derive(Debug)]
struct Entry<T> {
    time: u64,
    due: Tick,
    batch: u64,
    bytes: usize,
    what: T,
}

/// What goes out next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next<T> {
    pub(super) what: T,
    /// What is newer went out before it.
    pub(super) is_late: bool,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            bytes: 0,
            due: None,
            newest: 0,
            batches: BTreeMap::new(),
            leaving: Vec::new(),
        }
    }
}

impl<T> Window<T> {
    /// Takes something that happened at that time, in nanoseconds since the Unix epoch.
    pub(super) fn push(&mut self, what: T, time: u64, bytes: usize, batch: u64, now: Now) {
        if self.newest > now.unix_nano {
            // Somebody has set the clock back.
            self.newest = 0;
        }
        // What is said to happen in the future is held no longer for that.
        let age = Duration::from_nanos(now.unix_nano.saturating_sub(time));
        let due = now.tick.plus(WINDOW.saturating_sub(age));
        self.due = self.due.into_iter().chain([due]).min();
        self.bytes += bytes;
        *self.batches.entry(batch).or_default() += 1;
        self.held.push(Entry { time, due, batch, bytes, what });
    }

    /// What is due, or all, in its order; and what there is no room for.
    pub(super) fn release(&mut self, now: Tick, all: bool) -> Vec<Next<T>> {
        let is_due = self.due.is_some_and(|due| now >= due);
        if !all && !is_due && self.bytes <= MOST {
            return Vec::new();
        }
        self.held.sort_by_key(|entry| entry.time);
        let due = self.held.iter().filter(|entry| all || now >= entry.due).map(|entry| entry.time).max();
        let mut count = due.map_or(0, |newest| self.held.partition_point(|entry| entry.time <= newest));
        let mut left = self.bytes - self.held[..count].iter().map(|entry| entry.bytes).sum::<usize>();
        if left > MOST {
            // Half of it, so that this is not done again for each that comes.
            while left > MOST / 2 {
                left -= self.held[count].bytes;
                count += 1;
            }
        }
        self.bytes = left;
        let before = self.newest;
        let mut next = Vec::with_capacity(count);
        for Entry { time, batch, what, .. } in self.held.drain(..count) {
            self.newest = self.newest.max(time);
            self.leaving.push(batch);
            next.push(Next { what, is_late: time < before });
        }
        self.due = self.held.iter().map(|entry| entry.due).min();
        next
    }

    /// All that went out has come there.
    pub(super) fn arrived(&mut self) {
        for batch in self.leaving.drain(..) {
            if let Some(count) = self.batches.get_mut(&batch) {
                *count -= 1;
                if *count == 0 {
                    self.batches.remove(&batch);
                }
            }
        }
    }

    /// Forgets all that it holds.
    pub(super) fn clear(&mut self) {
        *self = Self { newest: self.newest, ..Self::default() };
    }

    pub(super) fn held(&self) -> Option<Held> {
        let first = *self.batches.keys().next()?;
        let until = self.due.map_or(Tick::default(), |due| due.plus(TOGETHER));
        Some(Held { first, until })
    }
}

#[cfg(test)]
mod tests;
