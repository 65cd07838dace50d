//! Segments that are read bit by bit: bodies around the size of what is read at once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::sim::Sim;
use super::{body, id_of, open};
use crate::exporters::Signal;
use crate::pipeline::spool::log::{AT_ONCE, Bounds, Why};

/// So much that a segment takes all of them.
const BOUNDS: Bounds = Bounds { bytes: 1 << 30, age: u64::MAX };

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let at_once = AT_ONCE as usize;
    let size = prop_oneof![0..200_usize, at_once / 2 - 200..at_once / 2, at_once - 200..at_once + 200];
    prop::collection::vec(size, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever is hit, all others come out in their order, and what does not is counted; in this process and in the next one.
    #[test]
    fn what_is_read_bit_by_bit_is_what_was_written(
        sizes in sizes(),
        hits in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        short in prop::option::of(any::<prop::sample::Index>()),
        is_next in any::<bool>(),
    ) {
        let sim = Sim::default();
        let (mut store, _) = open(sim.clone(), BOUNDS);
        let mut ends = vec![];
        for (id, len) in sizes.iter().enumerate() {
            store.append(Signal::Spans, 1 << id, &body(id as u64, *len), 0).unwrap();
            ends.push(store.bytes() as usize);
        }
        store.commit().unwrap();
        // What an earlier process left is damaged before the next one begins.
        let (sim, store) = if is_next { (sim.killed(), None) } else { (sim, Some(store)) };
        let (name, content) = sim.files().remove(0);
        let at: BTreeSet<usize> = hits.iter().map(|hit| hit.index(content.len())).collect();
        let mut hit: BTreeSet<usize> = at.iter().map(|at| ends.iter().filter(|end| *end <= at).count()).collect();
        at.iter().for_each(|at| sim.flip(&name, *at, 1));
        if let Some(short) = short {
            let len = short.index(content.len());
            sim.shorten(&name, len);
            hit.extend((0..sizes.len()).filter(|id| ends[*id] > len));
        }
        let mut missing: u64 = hit.iter().map(|id| 1 << id).sum();
        let mut store = store.unwrap_or_else(|| {
            let (store, findings) = open(sim, BOUNDS);
            assert_eq!(findings.items[0], (1 << sizes.len()) - 1 - missing);
            missing = 0;
            store
        });
        let stored: Vec<_> = std::iter::from_fn(|| store.take(Signal::Spans, 0)).collect();
        let found: Vec<usize> = stored.iter().map(|stored| id_of(stored) as usize).collect();
        let left: Vec<usize> = (0..sizes.len()).filter(|id| !hit.contains(id)).collect();
        prop_assert_eq!(found, left);
        let lost = store.take_lost();
        prop_assert_eq!(lost.iter().map(|lost| lost.items).sum::<u64>(), missing);
        prop_assert!(lost.iter().all(|lost| lost.why == Why::Damaged));
        prop_assert!(!store.has(Signal::Spans));
    }
}
