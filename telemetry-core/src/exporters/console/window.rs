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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: u64 = 1_000_000;

    fn at(millis: u64) -> Now {
        Now { tick: Tick::from_raw(millis * MILLI), unix_nano: (1_000 + millis) * MILLI }
    }

    /// Something that happened that many milliseconds after the first moment.
    fn push(window: &mut Window<u64>, happened: u64, batch: u64, now: u64) {
        window.push(happened, (1_000 + happened) * MILLI, 100, batch, at(now));
    }

    fn release(window: &mut Window<u64>, now: u64) -> Vec<(u64, bool)> {
        let next = window.release(at(now).tick, false);
        window.arrived();
        next.into_iter().map(|next| (next.what, next.is_late)).collect()
    }

    #[test]
    fn things_go_out_by_time_when_they_are_old_enough_and_late_ones_at_once() {
        let mut window = Window::default();
        push(&mut window, 20, 1, 25);
        push(&mut window, 10, 2, 30);
        push(&mut window, 40, 2, 41);
        assert_eq!(release(&mut window, 59), []);
        let held = window.held().unwrap();
        assert_eq!((held.first, held.until), (1, at(70).tick), "10 ms later than the first is due");
        assert_eq!(release(&mut window, 70), [(10, false), (20, false)]);
        assert_eq!(window.held().unwrap().first, 2, "all of the first batch is out");
        push(&mut window, 15, 3, 71);
        push(&mut window, 20, 3, 71);
        assert_eq!(
            release(&mut window, 71),
            [(15, true), (20, false)],
            "one as new as the newest is in order"
        );
        assert_eq!(release(&mut window, 200), [(40, false)]);
        assert!(window.held().is_none());
    }

    #[test]
    fn what_is_newer_does_not_overtake_what_is_due_and_what_lies_ahead_is_not_held_for_ever() {
        let mut window = Window::default();
        push(&mut window, 5_000, 1, 0);
        push(&mut window, 30, 1, 30);
        assert_eq!(release(&mut window, 49), []);
        assert_eq!(release(&mut window, 50), [(30, false), (5_000, false)]);
        // Time goes on in the past of what was said: the clock was set back.
        push(&mut window, 60, 2, 60);
        assert_eq!(release(&mut window, 110), [(60, false)]);
    }

    #[test]
    fn beyond_so_many_bytes_the_oldest_go_out_early() {
        let mut window = Window::default();
        for happened in (0..10).rev() {
            window.push(happened, (1_000 + happened) * MILLI, MOST / 5, 1, at(9));
        }
        let next = window.release(at(9).tick, false);
        let out: Vec<u64> = next.iter().map(|next| next.what).collect();
        assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(window.held().unwrap().first, 1, "the batch is not out yet");
        let rest = window.release(at(9).tick, true);
        assert_eq!(rest.len(), 2);
        assert!(window.held().is_some(), "it is on its way");
        window.arrived();
        assert!(window.held().is_none());
    }

    proptest! {
        /// Things happen in order, and come in up to so much later.
        #[test]
        fn all_goes_out_once_and_in_order_but_for_what_is_late(
            delays in prop::collection::vec(0..90_u64, 1..60),
            step in 1..30_u64,
        ) {
            let mut coming: Vec<(u64, u64)> =
                delays.iter().zip(0..).map(|(delay, n)| (n * 3 + delay, n * 3)).collect();
            coming.sort_unstable();
            let (mut window, mut out, mut now, mut batch) = (Window::default(), Vec::new(), 0, 0);
            let mut coming = coming.into_iter().peekable();
            while coming.peek().is_some() || window.held().is_some() {
                now += step;
                batch += 1;
                while let Some((_, happened)) = coming.next_if(|(comes, _)| *comes <= now) {
                    push(&mut window, happened, batch, now);
                }
                out.extend(release(&mut window, now).into_iter().map(|(what, late)| (what, late, now)));
            }
            prop_assert_eq!(out.len(), delays.len());
            let mut newest = 0;
            for (happened, is_late, shown) in out {
                prop_assert_eq!(is_late, happened < newest, "{}", happened);
                newest = newest.max(happened);
                let delay = delays[happened as usize / 3];
                // It waits for the next step twice: to come in, and to go out.
                prop_assert!(!is_late || delay + step > 50, "{happened} came {delay} later");
                prop_assert!(shown >= happened + 50, "{happened} at {shown}");
            }
        }
    }
}
