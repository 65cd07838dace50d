//! The spool against a model of itself, on a disk that forgets and on a real one.

mod reading;
mod sim;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use self::sim::{Fault, Sim, Torn};
use super::disk::{Directory, Disk, OWNER};
use super::frame::Label;
use super::log::{Bounds, Lost, Stored, Why};
use super::recovery::Findings;
use super::store::Store;
use crate::exporters::Signal;

const SECOND: u64 = 1_000_000_000;
const BOUNDS: Bounds = Bounds { bytes: 1 << 20, age: 3600 * SECOND };
/// So small that segments change all the time.
const SMALL: Bounds = Bounds { bytes: 4_000, age: 3600 * SECOND };

fn label() -> Label {
    Label::new("otlp", "http://localhost:4318")
}

#[track_caller]
fn open<D: Disk>(disk: D, bounds: Bounds) -> (Store<D>, Findings) {
    Store::open(disk, label(), bounds).unwrap()
}

/// One thing that is done to a spool.
#[derive(Clone, Debug)]
enum Op {
    Append(Signal, u32, usize),
    Commit,
    Take(Signal),
    /// One of those that are out.
    Settle(usize),
    /// Seconds pass.
    Wait(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let signal = || prop::sample::select(&Signal::EACH[..]);
    let op = prop_oneof![
        4 => (signal(), 1..20_u32, 0..400_usize).prop_map(|(signal, items, len)| Op::Append(signal, items, len)),
        3 => Just(Op::Commit),
        3 => signal().prop_map(Op::Take),
        3 => any::<usize>().prop_map(Op::Settle),
        1 => (0..500_u64).prop_map(Op::Wait),
    ];
    prop::collection::vec(op, 0..40)
}

/// What somebody knows who uses a spool. Each body has an id of its own.
#[derive(Clone, Debug, Default)]
struct Known {
    now: u64,
    /// All that was ever given to it, with its items.
    given: BTreeMap<u64, (Signal, u64)>,
    waiting: Vec<u64>,
    committed: BTreeSet<u64>,
    settled: BTreeSet<u64>,
    out: Vec<(u64, Stored)>,
    lost: Vec<Lost>,
}

fn body(id: u64, len: usize) -> Vec<u8> {
    let mut body = id.to_le_bytes().to_vec();
    body.extend(std::iter::repeat_n(id as u8, len));
    body
}

fn id_of(stored: &Stored) -> u64 {
    let id = u64::from_le_bytes(stored.body[..8].try_into().unwrap());
    assert_eq!(stored.body, body(id, stored.body.len() - 8), "the body is what was given");
    id
}

impl Known {
    fn check(&self, stored: &Stored) -> u64 {
        let id = id_of(stored);
        assert_eq!(self.given.get(&id), Some(&(stored.signal, stored.items)), "it was given as it comes out");
        id
    }

    fn apply<D: Disk>(&mut self, store: &mut Store<D>, op: &Op) {
        match op {
            Op::Append(signal, items, len) => {
                let id = self.given.len() as u64;
                self.given.insert(id, (*signal, u64::from(*items)));
                if store.append(*signal, *items, &body(id, *len), self.now).is_ok() {
                    self.waiting.push(id);
                }
            }
            Op::Commit => {
                let is_ok = store.commit().is_ok();
                let waiting = std::mem::take(&mut self.waiting);
                self.committed.extend(waiting.into_iter().filter(|_| is_ok));
            }
            Op::Take(signal) => {
                if let Some(stored) = store.take(*signal, self.now) {
                    let id = self.check(&stored);
                    assert!(self.committed.contains(&id), "nothing comes out that is not committed");
                    self.out.push((id, stored));
                }
            }
            Op::Settle(which) if !self.out.is_empty() => {
                let (id, stored) = self.out.swap_remove(which % self.out.len());
                store.settle(&[(stored.signal, stored.key)]);
                self.settled.insert(id);
            }
            Op::Settle(_) => {}
            Op::Wait(seconds) => {
                self.now += seconds * SECOND;
                store.drop_old(self.now);
            }
        }
        self.lost.extend(store.take_lost());
    }

    fn lost(&self, signal: Signal) -> u64 {
        self.lost.iter().filter(|lost| lost.signal == signal).map(|lost| lost.items).sum()
    }

    /// Items of those.
    fn items<'a>(&self, ids: impl IntoIterator<Item = &'a u64>, signal: Signal) -> u64 {
        let given = ids.into_iter().map(|id| self.given[id]);
        given.filter(|(of, _)| *of == signal).map(|(_, items)| items).sum()
    }

    /// What must be there after a crash.
    fn owed(&self) -> BTreeSet<u64> {
        self.committed.difference(&self.settled).copied().collect()
    }
}

/// All that is there, in its order.
fn drain<D: Disk>(store: &mut Store<D>, known: &Known) -> Vec<u64> {
    let mut all = Vec::new();
    for signal in Signal::EACH {
        let mut last = None;
        while let Some(stored) = store.take(signal, known.now) {
            assert_eq!(stored.signal, signal);
            let id = known.check(&stored);
            assert!(last < Some(id), "oldest first");
            last = Some(id);
            all.push(id);
        }
        assert!(!store.has(signal));
    }
    all
}

/// What a process finds there: all that is owed once, and nothing that was never given.
fn check_found(disk: Sim, bounds: Bounds, known: &Known) {
    let (mut store, findings) = open(disk, bounds);
    let lost = store.take_lost();
    let found = drain(&mut store, known);
    assert_eq!((store.take_lost(), lost), Default::default());
    let unique: BTreeSet<u64> = found.iter().copied().collect();
    assert_eq!(unique.len(), found.len(), "nothing is there twice");
    assert!(known.owed().is_subset(&unique), "{:?} of {:?}", unique, known.owed());
    for signal in Signal::EACH {
        assert_eq!(findings.items[signal as usize], known.items(&found, signal));
    }
    assert_eq!((findings.foreign, findings.unreadable), (0, 0));
    // It goes on as if nothing had been.
    let next = known.given.len() as u64;
    store.append(Signal::Spans, 1, &body(next, 5), known.now).unwrap();
    store.commit().unwrap();
    assert_eq!(id_of(&store.take(Signal::Spans, known.now).unwrap()), next);
}

/// Runs it with a fault, and hands out what is known then.
fn run(sim: &Sim, bounds: Bounds, ops: &[Op]) -> Known {
    let mut known = Known::default();
    // Where the machine ends before that, nothing is known.
    let Ok((mut store, _)) = Store::open(sim.clone(), label(), bounds) else { return known };
    ops.iter().for_each(|op| known.apply(&mut store, op));
    known
}

/// A script in which everything happens.
fn script() -> Vec<Op> {
    vec![
        Op::Append(Signal::Spans, 3, 20),
        Op::Append(Signal::Metrics, 1, 200),
        Op::Commit,
        Op::Append(Signal::Spans, 2, 120),
        Op::Commit,
        Op::Append(Signal::Spans, 1, 150),
        Op::Append(Signal::Events, 7, 3),
        Op::Take(Signal::Spans),
        Op::Settle(0),
        Op::Commit,
        Op::Take(Signal::Spans),
        Op::Take(Signal::Spans),
        Op::Append(Signal::Spans, 4, 1),
        Op::Settle(0),
        Op::Take(Signal::Metrics),
        Op::Settle(0),
        Op::Settle(0),
        Op::Commit,
        Op::Append(Signal::Spans, 4, 1),
    ]
}

#[test]
fn whatever_a_crash_forgets_what_was_committed_is_there() {
    let ops = script();
    let calls = {
        let sim = Sim::default();
        run(&sim, SMALL, &ops);
        sim.calls()
    };
    assert!(calls > 30, "{calls}");
    for call in 0..=calls {
        let sim = Sim::failing(call, Fault::Crash);
        let known = run(&sim, SMALL, &ops);
        let (names, writes) = sim.unsynced();
        for (names, writes) in (0..=names).flat_map(|names| (0..=writes).map(move |writes| (names, writes))) {
            for torn in Torn::ALL {
                check_found(sim.crashed(names, writes, torn), SMALL, &known);
            }
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_committed() {
    let ops = script();
    for call in 1..60 {
        for (calls, torn) in [1, 2, 3, 10].into_iter().flat_map(|n| Torn::ALL.map(|torn| (n, torn))) {
            let sim = Sim::failing(call, Fault::Full(calls, torn));
            let mut known = Known::default();
            let (mut store, _) = open(sim.clone(), SMALL);
            ops.iter().for_each(|op| known.apply(&mut store, op));
            assert!(known.lost.is_empty());
            // There is room again.
            let (next, is_over) = (known.given.len() as u64, sim.calls() >= call + calls);
            known.apply(&mut store, &Op::Append(Signal::Events, 1, 9));
            known.apply(&mut store, &Op::Commit);
            assert!(!is_over || known.committed.contains(&next), "call {call}");
            drop(store);
            check_found(sim.killed(), SMALL, &known);
        }
    }
}

proptest! {
    #[test]
    fn a_crash_at_any_call_of_any_script(
        ops in ops(),
        call in any::<prop::sample::Index>(),
        forget in (0..4_usize, 0..4_usize, prop::sample::select(&Torn::ALL[..])),
        is_small in any::<bool>(),
    ) {
        // So much room that nothing has to go, and segments of two sizes.
        let bounds = Bounds { bytes: if is_small { 32_000 } else { 1 << 20 }, age: u64::MAX };
        let sim = Sim::default();
        run(&sim, bounds, &ops);
        let sim = Sim::failing(call.index(sim.calls() + 1), Fault::Crash);
        let known = run(&sim, bounds, &ops);
        let (names, writes) = sim.unsynced();
        check_found(sim.crashed(names.saturating_sub(forget.0), writes.saturating_sub(forget.1), forget.2), bounds, &known);
    }

    /// Every item is somewhere at each moment, and no byte is there beyond the bound.
    #[test]
    fn items_are_settled_lost_or_there(ops in ops(), bytes in 300..5_000_u64, age in 1..2_000_u64) {
        let bounds = Bounds { bytes, age: age * SECOND };
        let sim = Sim::with_room(bytes);
        let (mut store, _) = open(sim.clone(), bounds);
        let mut known = Known::default();
        for op in &ops {
            known.apply(&mut store, op);
            let used: usize = sim.files().iter().map(|(_, content)| content.len()).sum();
            prop_assert_eq!(store.bytes(), used as u64);
        }
        known.apply(&mut store, &Op::Commit);
        let rest = drain(&mut store, &known);
        known.lost.extend(store.take_lost());
        for signal in Signal::EACH {
            let out: Vec<u64> = known.out.iter().map(|(id, _)| *id).collect();
            let there = known.items(&rest, signal) + known.items(&out, signal) + known.items(&known.settled, signal);
            prop_assert_eq!(there + known.lost(signal), known.items(&known.committed, signal));
        }
        prop_assert!(known.lost.iter().all(|lost| lost.why != Why::Damaged));
    }

    /// The same model on a disk of this machine, in which a process ends between any two of its steps.
    #[test]
    fn a_real_directory_keeps_what_was_committed(ops in prop::collection::vec(ops(), 1..4)) {
        // Nothing becomes too old.
        let bounds = Bounds { age: u64::MAX, ..BOUNDS };
        let place = tempfile::tempdir().unwrap();
        let mut known = Known::default();
        for ops in ops {
            let (mut store, findings) = open(Directory::new(place.path()), bounds);
            for signal in Signal::EACH {
                prop_assert!(findings.items[signal as usize] >= known.items(&known.owed(), signal));
            }
            prop_assert_eq!((findings.torn, findings.damaged, findings.foreign), (0, 0, 0));
            // What an earlier process has out, this one takes out anew; it may find more than was committed.
            known.out.clear();
            known.committed.extend(std::mem::take(&mut known.waiting));
            ops.iter().for_each(|op| known.apply(&mut store, op));
        }
        let (mut store, _) = open(Directory::new(place.path()), bounds);
        let found: BTreeSet<u64> = drain(&mut store, &known).into_iter().collect();
        prop_assert!(known.lost.is_empty());
        prop_assert!(found.is_disjoint(&known.settled), "{:?} of {:?}", found, known.settled);
        prop_assert!(known.owed().is_subset(&found), "{:?} of {:?}", found, known.owed());
    }
}

/// Small, with all there is: several segments, some done with by half.
fn small_spool() -> (Sim, Known) {
    let sim = Sim::default();
    let known = run(&sim, SMALL, &script());
    (sim.killed(), known)
}

#[test]
fn a_bit_that_flips_costs_what_it_hits() {
    let (sim, known) = small_spool();
    let (mut store, _) = open(sim.killed(), SMALL);
    let all: BTreeSet<u64> = drain(&mut store, &known).into_iter().collect();
    assert!(all.len() >= 3 && sim.files().len() >= 3, "{all:?}");
    for (name, content) in sim.files() {
        for at in 0..content.len() {
            let hit = sim.killed();
            hit.flip(&name, at, 1 << (at % 8));
            let (mut store, findings) = open(hit.clone(), SMALL);
            let found = drain(&mut store, &known);
            assert!(all.len() - found.len() <= 1, "byte {at} of {name}");
            assert!(findings.damaged + findings.torn > 0, "byte {at} of {name} is told of");
            drop(store);
            // What is damaged stays to be looked at, until its room is needed.
            let (mut store, _) = open(hit.clone(), SMALL);
            for signal in Signal::EACH {
                while let Some(stored) = store.take(signal, known.now) {
                    store.settle(&[(signal, stored.key)]);
                }
            }
            store.close();
            let left: Vec<String> = hit.files().into_iter().map(|(name, _)| name).collect();
            assert!(left.iter().all(|name| name.ends_with(".damaged")), "{left:?}");
            assert_eq!(left.len(), usize::from(findings.damaged > 0));
        }
    }
}

#[test]
fn what_is_damaged_while_the_process_runs_is_lost_and_counted() {
    let sim = Sim::default();
    let (mut store, _) = open(sim.clone(), BOUNDS);
    for id in 0..3 {
        store.append(Signal::Spans, 10 + id as u32, &body(id, 50), 0).unwrap();
    }
    assert_eq!(store.commit().unwrap(), 3);
    let (name, content) = sim.files().remove(0);
    sim.flip(&name, content.len() / 2, 1);
    let found: Vec<u64> =
        std::iter::from_fn(|| store.take(Signal::Spans, 0)).map(|stored| id_of(&stored)).collect();
    assert_eq!(found, [0, 2]);
    assert_eq!(store.take_lost(), [Lost { signal: Signal::Spans, items: 11, why: Why::Damaged }]);
}

#[test]
fn the_oldest_goes_for_the_newest() {
    let (mut store, _) = open(Sim::with_room(SMALL.bytes), SMALL);
    let mut known = Known::default();
    for round in 0..100 {
        known.apply(&mut store, &Op::Append(Signal::EACH[round % 3], 1, 50));
        known.apply(&mut store, &Op::Commit);
    }
    assert_eq!(known.committed.len(), 100);
    let mut found = drain(&mut store, &known);
    found.sort_unstable();
    // A segment of each signal has two.
    assert!((found[0] + 6..100).all(|id| found.contains(&id)), "{found:?}");
    assert!(found.len() > 20 && known.lost.iter().all(|lost| lost.why == Why::Full));
    let lost: u64 = Signal::EACH.iter().map(|signal| known.lost(*signal)).sum();
    assert_eq!(lost + found.len() as u64, 100);
    let refused = store.append(Signal::Spans, 1, &[0; 4_000], 0).unwrap_err();
    assert_eq!(refused.to_string(), "the body is larger than its spool may be");
}

#[test]
fn what_is_too_old_goes() {
    let bounds = Bounds { age: 100 * SECOND, ..BOUNDS };
    let sim = Sim::default();
    let (mut store, _) = open(sim.clone(), bounds);
    for (id, at) in [0, 5, 50, 90].into_iter().enumerate() {
        store.append(Signal::Spans, 1, &body(id as u64, 5), at * SECOND).unwrap();
        store.commit().unwrap();
    }
    // One is out when its time is over, and one is found to be too old when it is taken.
    assert_eq!(id_of(&store.take(Signal::Spans, 90 * SECOND).unwrap()), 0);
    assert_eq!(id_of(&store.take(Signal::Spans, 151 * SECOND).unwrap()), 3);
    let old = Lost { signal: Signal::Spans, items: 1, why: Why::Old };
    assert_eq!(store.take_lost(), [old; 2]);
    drop(store);
    let next = sim.killed();
    let (mut store, findings) = open(next.clone(), bounds);
    assert_eq!(findings.items[0], 2, "the one that is out, and the last one");
    store.drop_old(1_000 * SECOND);
    assert_eq!(store.take_lost().iter().map(|lost| lost.items).sum::<u64>(), 2);
    assert_eq!((store.bytes(), next.files().len()), (0, 0));
}

#[test]
fn what_is_for_another_destination_is_left_for_it() {
    let sim = Sim::default();
    let (mut store, _) = open(sim.clone(), BOUNDS);
    store.append(Signal::Spans, 7, b"body", 0).unwrap();
    store.commit().unwrap();
    for other in [Label::new("otlp", "http://elsewhere:4318"), Label::new("json", "http://localhost:4318")] {
        let (mut store, findings) = Store::open(sim.killed(), other, BOUNDS).unwrap();
        assert_eq!((findings.items, findings.foreign), ([0; 3], 7));
        assert_eq!(findings.foreign_to.unwrap(), label().to_string());
        assert!(store.take(Signal::Spans, 0).is_none());
        store.append(Signal::Spans, 1, b"own", 0).unwrap();
        store.commit().unwrap();
        assert_eq!(&*store.take(Signal::Spans, 0).unwrap().body, b"own");
    }
    let (mut store, findings) = open(sim.killed(), BOUNDS);
    assert_eq!((findings.items, findings.foreign), ([7, 0, 0], 0));
    assert_eq!(&*store.take(Signal::Spans, 0).unwrap().body, b"body");
}

#[test]
fn what_is_out_comes_again_after_a_crash_and_what_is_settled_does_not() {
    let sim = Sim::default();
    let (mut store, _) = open(sim.clone(), BOUNDS);
    for id in 0..5 {
        store.append(Signal::Spans, 1, &body(id, 5), 0).unwrap();
    }
    store.commit().unwrap();
    let out: Vec<Stored> = std::iter::from_fn(|| store.take(Signal::Spans, 0)).take(4).collect();
    // The second one is still out.
    [0, 2, 3].into_iter().for_each(|at| store.settle(&[(Signal::Spans, out[at].key)]));
    let (mut next, _) = open(sim.killed(), BOUNDS);
    let again: Vec<u64> =
        std::iter::from_fn(|| next.take(Signal::Spans, 0)).map(|stored| id_of(&stored)).collect();
    assert_eq!(again, [1, 4], "also what was settled before an older one does not");
    store.settle(&[(Signal::Spans, out[1].key)]);
    store.close();
    let (mut next, findings) = open(sim.killed(), BOUNDS);
    assert_eq!((findings.items[0], id_of(&next.take(Signal::Spans, 0).unwrap())), (1, 4));
}

#[test]
fn files_are_for_this_user_alone_and_others_are_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a/b");
    super::disk::make(&path).unwrap();
    for other in ["notes.txt", "0000000000000001.spans", OWNER] {
        fs::write(path.join(other), "mine").unwrap();
    }
    let (mut store, _) = open(Directory::new(&path), BOUNDS);
    store.append(Signal::Spans, 1, b"body", 0).unwrap();
    store.commit().unwrap();
    let segment = path.join("0000000000000001.spans.0");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&segment), mode(&path)), (0o600, 0o700));
    }
    assert_eq!(fs::read_to_string(path.join(OWNER)).unwrap(), format!("{:020}\n", 1));
    let stored = store.take(Signal::Spans, 0).unwrap();
    store.settle(&[(Signal::Spans, stored.key)]);
    store.close();
    assert!(!segment.exists());
    assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_costs_no_start() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("0000000000000001.spans.0")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.path().join("0000000000000002.spans.0")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.path().join("0000000000000003.spans.0")).unwrap();
    fs::write(place.path().join("0000000000000004.spans.ffffffffffffffff"), b"short").unwrap();
    fs::write(place.path().join("ffffffffffffffff.spans.0"), b"").unwrap();
    let (mut store, findings) = open(Directory::new(place.path()), BOUNDS);
    assert_eq!(findings.items, [0; 3]);
    assert!(store.append(Signal::Spans, 1, b"body", 0).is_ok());
    store.commit().unwrap();
}
