//! The dense numbers of sites, by which collectors find series without a look at names.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use tracing_core::Level;

use super::{CellKind, Site, SiteTags, UNKNOWN, UNNUMBERED};
use crate::model::{Tags, Text};
use crate::sync::{AsItIs, ForkLock, RwLock, read, write};

/// The number of sites that are found by number; those after them are found by name.
pub(crate) const MAX_NUMBER: u32 = 1 << 16;

/// All sites that have a number, in the order of these.
static NUMBERED: RwLock<Vec<&'static Site>> = RwLock::new(Vec::new());

/// Those of sites that are made from code.
static SHARED: RwLock<Option<Numbers>> = RwLock::new(None);

/// By all that tells sites apart; they are kept for ever.
#[derive(Default)]
struct Numbers {
    by_key: HashMap<Key, u32>,
    bytes: usize,
}

/// With unit, description and bounds.
type Key = (CellKind, Text, Option<Level>, Tags, (&'static str, &'static str, Vec<u64>));

/// They take no more than that; those after them are found by name.
const MOST_BYTES: usize = 16 << 20;

pub(crate) fn hold() -> Box<dyn ForkLock> {
    Box::new(AsItIs((write(&SHARED), write(&NUMBERED))))
}

impl Site {
    /// Its number, from 1 up, given out at first use; none once all numbers are taken.
    #[inline]
    pub(crate) fn number(&self) -> Option<usize> {
        match self.number.load(Relaxed) {
            UNKNOWN => self.take_number(),
            UNNUMBERED => None,
            n => Some(n as usize),
        }
    }

    /// Its number if it has one already; 0 or a number that is far too high if not.
    #[inline]
    pub(crate) fn known_number(&self) -> usize {
        self.number.load(Relaxed) as usize
    }

    /// The site that was the first to have that number.
    pub(crate) fn numbered(number: usize) -> Option<&'static Site> {
        let numbered = read(&NUMBERED);
        numbered.get(number.checked_sub(1)?).copied()
    }

    #[cold]
    fn take_number(&self) -> Option<usize> {
        let number = match &self.tags {
            SiteTags::Static(_) => self.next_number(),
            SiteTags::Owned(tags) => self.shared_number(tags),
        };
        // Another thread may have been first: then its number counts, and ours is lost.
        let _ = self.number.compare_exchange(UNKNOWN, number, Relaxed, Relaxed);
        self.number()
    }

    /// All handles that say the same of what they measure have one number, so making them again and again uses up none. Those
    /// that declare something else have another, by which each collector finds the same series, and sees that they differ.
    fn shared_number(&self, tags: &Tags) -> u32 {
        let bounds: Vec<u64> = self.bounds.iter().map(|bound| bound.to_bits()).collect();
        let declared = (self.unit, self.description, bounds);
        let key = (self.kind, self.name.clone(), self.level, tags.clone(), declared);
        let known = read(&SHARED);
        if let Some(number) = known.as_ref().and_then(|numbers| numbers.by_key.get(&key)) {
            return *number;
        }
        drop(known);
        let mut numbers = write(&SHARED);
        let Numbers { by_key, bytes } = numbers.get_or_insert_default();
        if let Some(number) = by_key.get(&key) {
            return *number;
        }
        // Here and in the list of all.
        let own = self.name.len() + tags.heap_bytes() + size_of_val(self.bounds);
        let more = 2 * (size_of::<Self>() + own);
        // Handles must not take the numbers that call sites will need.
        if by_key.len() >= MAX_NUMBER as usize / 2 || *bytes + more > MOST_BYTES {
            return UNNUMBERED;
        }
        *bytes += more;
        *by_key.entry(key).or_insert_with(|| self.next_number())
    }

    fn next_number(&self) -> u32 {
        let mut numbered = write(&NUMBERED);
        if numbered.len() + 1 >= MAX_NUMBER as usize {
            return UNNUMBERED;
        }
        numbered.push(Box::leak(Box::new(self.copy())));
        numbered.len() as u32
    }
}
