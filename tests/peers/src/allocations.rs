//! How often the calling thread asks for memory in each operation, and for how many bytes: with the feature
//! `allocations`, whose allocator counts, so that it costs the timed runs nothing.

use crate::case::Entry;
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[cfg_attr(feature = "allocations", global_allocator)]
#[allow(dead_code)] // Without the feature nobody counts.
static COUNTING: Counting = Counting;

thread_local!(static ASKED: Cell<(u64, u64)> = const { Cell::new((0, 0)) });

fn count(bytes: usize) {
    let (times, total) = ASKED.get();
    ASKED.set((times + 1, total + bytes as u64));
}

// SAFETY: all of it is done by `System`; a thread-local number without a destructor is counted besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

/// Of one case, after enough bursts that what is kept for later is there.
pub fn one(e: &Entry) -> Value {
    if !cfg!(feature = "allocations") {
        panic!("this needs `--features allocations`");
    }
    const WARM: u64 = 20;
    const BURSTS: u64 = 20;
    let mut case = (e.make)();
    let (mut times, mut bytes) = (0, 0);
    for burst in 0..WARM + BURSTS {
        (case.settle)();
        let before = ASKED.get();
        (case.run)(case.burst);
        let after = ASKED.get();
        if burst >= WARM {
            times += after.0 - before.0;
            bytes += after.1 - before.1;
        }
    }
    let ops = (BURSTS * case.burst) as f64;
    (case.settle)();
    (case.verify)((WARM + BURSTS) * case.burst, WARM + BURSTS);
    json!({"op": e.op, "who": e.who, "allocations": times as f64 / ops, "bytes": bytes as f64 / ops})
}

/// A table of the cases, each measured in a process of its own.
pub fn print(cases: &[&Entry], child: impl Fn(&Entry) -> Value) {
    println!("| operation | by | allocations | bytes |\n|---|---|---|---|");
    for e in cases {
        let v = child(e);
        match (v["allocations"].as_f64(), v["bytes"].as_f64()) {
            (Some(times), Some(bytes)) => println!("| {} | {} | {times:.2} | {bytes:.0} |", e.op, e.who),
            _ => println!("| {} | {} | failed: {} | |", e.op, e.who, v["failed"]),
        }
    }
}
