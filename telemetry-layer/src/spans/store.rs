//! The spans that are open, kept by this layer itself and found by the id that the Registry gave them.
//!
//! An id leads to its slot by arithmetic: the thread that opened the span, and a number that counts from 0. What has no
//! place there overflows into a table behind a lock. Slots are never given back: a layer that is gone leaves them to the
//! next one.

use std::collections::HashMap;
use std::sync::{MutexGuard, OnceLock, PoisonError};

use telemetry_core::__private::Suppression;
use telemetry_core::__private::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use telemetry_core::__private::sync::{Mutex, Origin};
#[cfg(feature = "fmt")]
use telemetry_core::model::SpanContext;

use super::budget::Budget;
use super::locked::{self, Locked};
use super::slot::{Opening, Slot};

/// The open spans of one layer.
#[derive(Debug)]
pub(crate) struct Store {
    /// By the thread that created a span, which the Registry puts above bit 38 of its id.
    threads: [OnceLock<Shard>; THREADS],
    /// What has no place there: ids of another form, and spans beyond the number of slots.
    overflow: Mutex<HashMap<u64, &'static Slot>>,
    /// How many of these there are.
    overflow_len: AtomicUsize,
    /// A child process does without the overflow of its parent: the lock may be another thread's for ever.
    origin: Origin,
    /// For all of it.
    budget: &'static Budget,
}

/// By the low bits of the id, which count from 0 and are used again: 32 slots, then twice as many, and so on.
type Shard = Box<[OnceLock<&'static [Slot]>; SEGMENTS]>;

const THREADS: usize = 512;
const FIRST: usize = 32;
const SEGMENTS: usize = 12;
/// What a span in the overflow takes.
const OVERFLOWING: usize = size_of::<Slot>() + 2 * size_of::<(u64, &Slot)>();

impl Store {
    /// For open spans that take at most so many bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            threads: [const { OnceLock::new() }; THREADS],
            overflow: Mutex::default(),
            overflow_len: AtomicUsize::new(0),
            origin: Origin::here(),
            budget: Budget::lease(max_bytes),
        }
    }

    /// Takes a span in; none where there is no memory for it.
    #[inline]
    pub(crate) fn open(&self, id: u64, span: &Opening) -> Option<&'static Slot> {
        let slot = match self.place(id, true) {
            // Taken only by an id of another form.
            Some(slot) if slot.is_free() => slot,
            _ => self.open_in_overflow(id)?,
        };
        slot.open(id, span);
        Some(slot)
    }

    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<&'static Slot> {
        match self.place(id, false) {
            Some(slot) if slot.id() == id => Some(slot),
            _ => self.find_in_overflow(id),
        }
    }

    #[cold]
    fn find_in_overflow(&self, id: u64) -> Option<&'static Slot> {
        if self.overflow_len.load(Relaxed) == 0 || locked::is_held() {
            return None;
        }
        self.overflow()?.get(&id).copied()
    }

    /// Where a span stood that has closed here and is still the last one of its slot: the Registry may not have let go of it.
    #[cfg(feature = "fmt")]
    pub(crate) fn just_closed(&self, id: u64) -> Option<SpanContext> {
        self.place(id, false)?.closed_context(id)
    }

    /// The span has ended, and nobody needs its slot any more.
    #[inline]
    pub(crate) fn close(&self, id: u64, slot: &'static Slot) {
        slot.free(id);
        if slot.is_overflow() {
            self.forget(id);
        }
    }

    #[cold]
    fn forget(&self, id: u64) {
        let Some(mut overflow) = self.overflow() else { return };
        let slot = overflow.remove(&id);
        self.overflow_len.store(overflow.len(), Relaxed);
        drop(overflow);
        self.budget.give_back(OVERFLOWING);
        with_free(|slots| slots.extend(slot.map(std::slice::from_ref)));
    }

    /// All that are open now.
    pub(crate) fn each(&self, mut f: impl FnMut(&'static Slot)) {
        let segments = self.threads.iter().filter_map(OnceLock::get).flat_map(|shard| shard.iter());
        let slots = segments.filter_map(OnceLock::get).flat_map(|slots| slots.iter());
        slots.filter(|slot| slot.id() != 0).for_each(&mut f);
        let overflow: Vec<_> =
            self.overflow().map(|slots| slots.values().copied().collect()).unwrap_or_default();
        overflow.into_iter().for_each(f);
    }

    /// A span and all open ones below it, with their ids.
    pub(crate) fn below(&self, id: u64, slot: &'static Slot) -> Vec<(u64, &'static Slot)> {
        let mut below = vec![(id, slot)];
        if !slot.is_parent() {
            return below;
        }
        let mut children: HashMap<u64, Vec<(u64, &'static Slot)>> = HashMap::new();
        self.each(|slot| {
            let (id, parent_id) = (slot.id(), slot.parent_id());
            if id != 0 && parent_id != 0 {
                children.entry(parent_id).or_default().push((id, slot));
            }
        });
        let mut at = 0;
        while let Some((id, _)) = below.get(at) {
            below.extend(children.remove(id).unwrap_or_default());
            at += 1;
        }
        below
    }

    #[inline]
    fn place(&self, id: u64, make: bool) -> Option<&'static Slot> {
        let number = id.wrapping_sub(1);
        let thread = self.threads.get((number >> 38 & 0x1fff) as usize)?;
        let at = (number & ((1 << 38) - 1)) as usize + FIRST;
        let segment = (at / FIRST).ilog2() as usize;
        let first = FIRST << segment;
        if let Some(segments) = thread.get()
            && let Some(slots) = segments.get(segment)?.get()
        {
            return slots.get(at - first);
        }
        if make && segment < SEGMENTS { self.make(thread, segment)?.get(at - first) } else { None }
    }

    #[cold]
    fn make(&self, thread: &OnceLock<Shard>, segment: usize) -> Option<&'static [Slot]> {
        let _away = Suppression::begin();
        let segments = thread.get_or_init(|| Box::new([const { OnceLock::new() }; SEGMENTS]));
        let place = segments.get(segment)?;
        let bytes = (FIRST << segment) * size_of::<Slot>();
        if !self.budget.take_for_slots(bytes) {
            return place.get().copied();
        }
        let mut is_first = false;
        let slots = place.get_or_init(|| {
            is_first = true;
            lease(FIRST << segment, self.budget)
        });
        if !is_first {
            self.budget.give_back(bytes);
        }
        Some(slots)
    }

    #[cold]
    fn open_in_overflow(&self, id: u64) -> Option<&'static Slot> {
        let mut overflow = self.overflow()?;
        if !self.budget.take_for_slots(OVERFLOWING) {
            return None;
        }
        let slot = lease(1, self.budget).first()?;
        slot.put_into_overflow();
        overflow.insert(id, slot);
        self.overflow_len.store(overflow.len(), Relaxed);
        Some(slot)
    }

    fn overflow(&self) -> Option<Locked<'_, HashMap<u64, &'static Slot>>> {
        self.origin.is_here().then(|| Locked::new(&self.overflow))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let segments = self.threads.iter().filter_map(OnceLock::get).flat_map(|shard| shard.iter());
        let leased = segments.filter_map(OnceLock::get).copied();
        let mut overflow = Vec::new();
        if let Some(mut slots) = self.overflow() {
            overflow.extend(slots.drain().map(|(_, slot)| std::slice::from_ref(slot)));
        }
        let all: Vec<&'static [Slot]> = leased.chain(overflow).collect();
        all.iter().flat_map(|slots| slots.iter()).for_each(|slot| slot.free(0));
        with_free(|slots| slots.extend(all));
        self.budget.release();
    }
}

/// That many slots in a row, which that budget has paid.
fn lease(many: usize, budget: &'static Budget) -> &'static [Slot] {
    let again = with_free(|all| {
        let at = all.iter().position(|slots| slots.len() == many)?;
        Some(all.swap_remove(at))
    });
    let slots: &[Slot] = again.unwrap_or_else(|| Box::leak((0..many).map(|_| Slot::default()).collect()));
    slots.iter().for_each(|slot| slot.belong_to(budget));
    slots
}

/// Runs `f` with the slots that no layer has.
fn with_free<R>(f: impl FnOnce(&mut Vec<&'static [Slot]>) -> R) -> R {
    let _away = Suppression::begin();
    f(&mut free_slots())
}

pub(crate) fn free_slots() -> MutexGuard<'static, Vec<&'static [Slot]>> {
    static FREE: std::sync::Mutex<Vec<&'static [Slot]>> = std::sync::Mutex::new(Vec::new());
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
