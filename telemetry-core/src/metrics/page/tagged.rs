//! What one thread keeps of series with tags that are known only when a value comes: found by one hash and a
//! full comparison, without an allocation and without a lock.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::metrics::cell::{LocalCell, LocalHistogram, LocalKind};
use crate::model::cut;

/// One thread's cells of one collector, by site and tags as they were given.
#[derive(Debug, Default)]
pub(crate) struct TaggedCells(HashMap<u64, Entry, BuildHasherDefault<AsIs>>);

#[derive(Debug)]
struct Entry {
    site: usize,
    tags: Kept,
    cell: Arc<LocalCell>,
}

/// With more cells than that a thread starts anew: tags given in ever new orders must not fill the memory.
const MOST: usize = 32 << 10;

impl TaggedCells {
    #[inline]
    pub(crate) fn find(&self, site: usize, tags: &[(&str, &str)]) -> Option<&LocalCell> {
        let entry = self.0.get(&hash(site, tags))?;
        (entry.site == site && entry.tags.are(tags)).then_some(&*entry.cell)
    }

    /// Whether there is a cell for these tags, or for others with the same hash, which then keep it.
    pub(crate) fn is_taken(&self, site: usize, tags: &[(&str, &str)]) -> bool {
        self.0.contains_key(&hash(site, tags))
    }

    /// Lets go of the cells of series that are over. What they hold is not lost: their series folds it in.
    pub(crate) fn sweep(&mut self) {
        self.0.retain(|_, entry| !entry.cell.is_retired());
    }

    /// Keeps a cell for these tags.
    pub(crate) fn keep(&mut self, site: usize, tags: &[(&str, &str)], cell: Arc<LocalCell>) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(hash(site, tags), Entry { site, tags: Kept::new(tags), cell });
    }
}

/// The bytes that a cell with these tags is counted as.
pub(crate) fn size(kind: LocalKind, tags: &[(&str, &str)]) -> usize {
    let text: usize = tags.iter().map(|(key, value)| LENGTHS + key.len() + value.len()).sum();
    let histogram = if matches!(kind, LocalKind::Histogram(_)) { size_of::<LocalHistogram>() } else { 0 };
    size_of::<Entry>() + size_of::<LocalCell>() + histogram + text + 32
}

/// Tags as they were given, in one place: of each the lengths of its key and of its value, then both.
#[derive(Debug)]
struct Kept(Box<[u8]>);

/// What stands before a key.
const LENGTHS: usize = 2 * size_of::<u16>();
const _: () = assert!(cut::MAX_NAME <= u16::MAX as usize, "of what is kept each has to fit");

impl Kept {
    /// Of tags that need not be cut.
    fn new(tags: &[(&str, &str)]) -> Self {
        let mut all =
            Vec::with_capacity(tags.iter().map(|(key, value)| LENGTHS + key.len() + value.len()).sum());
        for (key, value) in tags {
            all.extend_from_slice(&lengths(key, value).unwrap_or_default());
            [key, value].iter().for_each(|text| all.extend_from_slice(text.as_bytes()));
        }
        Self(all.into())
    }

    /// Whether it is these.
    #[inline]
    fn are(&self, tags: &[(&str, &str)]) -> bool {
        let mut rest = &*self.0;
        for (key, value) in tags {
            let Some((own, behind)) = rest.split_first_chunk() else { return false };
            if lengths(key, value) != Some(*own) {
                return false;
            }
            let Some((both, behind)) = behind.split_at_checked(key.len() + value.len()) else { return false };
            let (own_key, own_value) = both.split_at(key.len());
            if !same(own_value, value.as_bytes()) || !same(own_key, key.as_bytes()) {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }
}

/// None where they do not fit, which are none that are kept.
#[inline]
fn lengths(key: &str, value: &str) -> Option<[u8; LENGTHS]> {
    let (key, value) = (key.len() as u64, value.len() as u64);
    let fit = (key | value) >> u16::BITS == 0;
    fit.then_some(((key | value << u16::BITS) as u32).to_le_bytes())
}

/// Of the keys' ends and all of the values.
#[inline]
fn hash(site: usize, tags: &[(&str, &str)]) -> u64 {
    // Their numbers differ as little as short values do, so they must not meet in the same bits.
    let mut state = (site as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (key, value) in tags {
        let (first, last) = words(key.as_bytes());
        state = state.wrapping_add(first ^ last.rotate_left(32));
        let mut bytes = value.as_bytes();
        state = state.wrapping_add((bytes.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        while let Some((chunk, rest)) = bytes.split_first_chunk::<16>() {
            let (low, high) = words(chunk);
            state = fold(state ^ low, high);
            bytes = rest;
        }
        let (low, high) = words(bytes);
        state = fold(state ^ low, high);
    }
    state
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ 0xa076_1d64_78bd_642f) * u128::from(b ^ 0xe703_7ed1_a0b4_28db);
    (wide >> 64) as u64 ^ wide as u64
}

/// Texts are short: two words say all of up to 16 bytes, and no call is needed to compare them.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && if a.len() <= 16 { words(a) == words(b) } else { a == b }
}

/// All of at most 16 bytes, in words that overlap where there are fewer; with their number they are unique.
#[inline]
fn words(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
    }
    match bytes {
        [] => (0, 0),
        [first, .., last] => ((*first).into(), u64::from(*last) | u64::from(bytes[bytes.len() / 2]) << 8),
        [only] => ((*only).into(), 0),
    }
}

/// The key is a hash already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_tags_find_different_cells_whatever_their_hashes() {
        let mut tagged = TaggedCells::default();
        let values: Vec<String> = (0..3_000).map(|i| format!("{:0width$}", i, width = i % 40)).collect();
        for value in &values {
            let cell = LocalCell::new(1, LocalKind::Sum, 0);
            cell.add(value.len() as i64 + 1);
            tagged.keep(7, &[("k", value), ("l", "x")], Arc::new(cell));
        }
        for value in &values {
            let found = tagged.find(7, &[("k", value), ("l", "x")]).map(|cell| cell.read().sum);
            assert_eq!(found, Some(value.len() as i128 + 1), "{value}");
            assert!(tagged.find(7, &[("l", value), ("k", "x")]).is_none(), "keys are compared");
            assert!(tagged.find(8, &[("k", value), ("l", "x")]).is_none(), "sites are compared");
            assert!(tagged.find(7, &[("k", value)]).is_none());
        }
    }

    #[test]
    fn sites_whose_values_are_alike_do_not_take_each_others_places() {
        let mut hashes = HashMap::new();
        for site in 1..100 {
            for value in (0..200).map(|n| n.to_string()) {
                let tags = [("id", &*value), ("method", "GET")];
                let before = hashes.insert(hash(site, &tags), (site, value.clone()));
                assert_eq!(before, None, "as of {site} with {value}");
            }
        }
    }

    #[test]
    fn texts_are_compared_to_the_last_byte() {
        for len in 0..40 {
            let text = "abcdefghijklmnopqrstuvwxyz0123456789abcd"[..len].to_owned();
            assert!(same(text.as_bytes(), text.clone().as_bytes()));
            for at in 0..len {
                let mut other = text.clone().into_bytes();
                other[at] ^= 1;
                let other = String::from_utf8(other).unwrap();
                assert!(!same(text.as_bytes(), other.as_bytes()), "{text} {other}");
                assert_ne!(hash(1, &[("k", &text)]), hash(1, &[("k", &other)]));
            }
        }
    }

    #[test]
    fn ever_new_tags_do_not_fill_the_memory() {
        let mut tagged = TaggedCells::default();
        for i in 0..3 * MOST {
            tagged.keep(1, &[("k", &i.to_string())], Arc::new(LocalCell::new(1, LocalKind::Sum, 0)));
        }
        assert!(tagged.0.len() <= MOST);
    }
}
