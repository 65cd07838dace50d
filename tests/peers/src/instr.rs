//! Instructions per operation, counted by callgrind: for each contender, or of ours beside those of the base commit.

mod base;
mod compare;

use crate::case::Entry;
pub use compare::compare;
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

#[inline(never)]
fn hot_call(f: &dyn Fn(u64), n: u64) {
    f(black_box(n));
    black_box(());
}

/// Operations that are counted, and in each run before: fewer than the 2048 of OpenTelemetry's queue, so nothing is
/// dropped.
const COUNTED: u64 = 1500;
/// Runs before the one that is counted, each settled: what is pooled has been used before then.
const WARM_RUNS: u64 = 4;

/// Run under callgrind with collection toggled by `hot_call`. Its arguments and `counted N` on standard error stay as
/// they are: `instr` runs other commits' as well.
pub fn counted(e: &Entry) {
    let mut d = (e.make)();
    let n = if e.op.starts_with("encode") || e.op.starts_with("wire") { d.burst } else { COUNTED };
    for _ in 0..WARM_RUNS {
        (d.settle)();
        (d.run)(n);
    }
    (d.settle)();
    hot_call(&*d.run, n);
    eprintln!("counted {n}");
    std::process::exit(0) // no verification: the timed runs do that
}

/// Runs one case of that program; what it says where it fails.
fn count(program: &Path, op: &str, who: &str) -> Result<f64, String> {
    let o = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*hot_call*",
            "--callgrind-out-file=/dev/null",
        ])
        .arg(program)
        .args(["counted", op, who])
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    let s = String::from_utf8_lossy(&o.stderr);
    let after = |k: &str| s.lines().rev().find_map(|l| l.split_once(k)?.1.trim().parse::<f64>().ok());
    match (after("Collected :"), after("counted")) {
        (Some(i), Some(n)) => Ok(i / n),
        _ => Err(s.lines().filter(|l| !l.starts_with("==")).take(5).collect::<Vec<_>>().join(" | ")),
    }
}

/// A result line for `report`.
pub fn line(e: &Entry) -> Value {
    match count(&std::env::current_exe().expect("this program"), e.op, e.who) {
        Ok(instr) => json!({"op": e.op, "who": e.who, "instr": instr}),
        Err(failed) => json!({"op": e.op, "who": e.who, "failed": failed}),
    }
}
