//! When the dispatcher looks next while a program records much. Pure: it is told the time.
//!
//! To wake it costs a thread that records, and it, as much as many items. Where those that wake it would come again and again, it
//! rests instead: it looks at a time of its own, and until then threads wake it only for many times as many items.

use std::time::Duration;

use crate::clock::Tick;

/// How long it rests.
const REST: Duration = Duration::from_millis(50);
/// So many times as many items wake it from that.
const MORE: usize = 16;
/// Who wants fewer items to wake it wants them soon.
const LEAST: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    looked: Tick,
    until: Option<Tick>,
}

/// What it has found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) items: usize,
    /// What these take.
    pub(super) bytes: usize,
}

impl Rest {
    /// When it looks next.
    pub(super) fn next(&self) -> Option<Tick> {
        self.until
    }

    /// It has looked. Where `usual` items would come before it has rested, for how many of them it is woken from that: those may take
    /// so many bytes at most.
    pub(super) fn looked(&mut self, found: Found, usual: usize, bytes: usize, now: Tick) -> Option<usize> {
        let since = now.since(std::mem::replace(&mut self.looked, now));
        let is_busy = usual >= LEAST
            && found.items > 0
            && found.items as u128 * REST.as_nanos() >= usual as u128 * u128::from(since);
        let each = found.bytes.checked_div(found.items).unwrap_or_default().max(1);
        let most = usual.saturating_mul(MORE).min(bytes / each);
        self.until = (is_busy && most > usual).then(|| now.plus(REST));
        self.until.map(|_| most)
    }

    /// It rests no more.
    pub(super) fn end(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_while_much_comes() {
        let at = |millis: u64| Tick::from_raw(millis * 1_000_000);
        let found = |items: usize| Found { items, bytes: 200 * items };
        let mut rest = Rest::default();
        let mut looked =
            |items, now| (rest.looked(found(items), 900, 4 << 20, at(now)), rest.next().map(Tick::raw));
        assert_eq!(looked(900, 10_000), (None, None), "after a quiet time it is woken as before");
        assert_eq!(looked(900, 10_009), (Some(14_400), Some(10_059_000_000)));
        assert_eq!(looked(5_000, 10_059), (Some(14_400), Some(10_109_000_000)));
        assert_eq!(looked(100, 10_060), (Some(14_400), Some(10_110_000_000)), "something else has woken it");
        assert_eq!(looked(899, 10_110), (None, None), "that is too little");
        assert_eq!(looked(0, 10_111), (None, None));
    }

    #[test]
    fn what_comes_while_it_rests_is_bounded_in_bytes() {
        let mut rest = Rest::default();
        let mut looked = |bytes: usize| {
            rest.looked(Found { items: 900, bytes: 900 * bytes }, 900, 1 << 20, Tick::default())
        };
        assert_eq!(looked(1 << 10), Some(1 << 10));
        assert_eq!(looked(2 << 10), None, "as many as usual would be more");
        assert_eq!(looked(0), Some(14_400));
    }

    #[test]
    fn it_rests_neither_where_nothing_came_nor_where_few_are_to_wake_it() {
        let mut rest = Rest::default();
        let mut looked =
            |items, usual| rest.looked(Found { items, bytes: 0 }, usual, 1 << 20, Tick::default());
        assert_eq!([looked(0, 900), looked(9, 1), looked(900, 63)], [None; 3]);
        assert!(looked(1, 64).is_some());
    }
}
