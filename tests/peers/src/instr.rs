//! Instructions per operation, counted by callgrind.

use crate::case::Entry;
use serde_json::{Value, json};
use std::hint::black_box;
use std::process::Command;

#[inline(never)]
fn hot_call(f: &dyn Fn(u64), n: u64) {
    f(black_box(n));
    black_box(());
}

/// Run under callgrind with collection toggled by `hot_call`: 300 operations to warm up, then 1500 counted.
/// 1800 in all stay below the 2048 of OpenTelemetry's queue, so nothing is dropped.
pub fn counted(e: &Entry) {
    let mut d = (e.make)();
    let (warm, n) = if e.op.starts_with("encode") { (d.burst, d.burst) } else { (300, 1500) };
    (d.settle)();
    (d.run)(warm);
    if warm == d.burst {
        (d.settle)();
    }
    hot_call(&*d.run, n);
    eprintln!("counted {n}");
    std::process::exit(0) // no verification: the timed runs do that
}

pub fn instructions(e: &Entry) -> Value {
    let o = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*hot_call*",
            "--callgrind-out-file=/dev/null",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["counted", e.op, e.who])
        .output()
        .unwrap();
    let s = String::from_utf8_lossy(&o.stderr);
    let after = |k: &str| s.lines().rev().find_map(|l| l.split_once(k)?.1.trim().parse::<f64>().ok());
    match (after("Collected :"), after("counted")) {
        (Some(i), Some(n)) => json!({"op": e.op, "who": e.who, "instr": i / n}),
        _ => {
            json!({"op": e.op, "who": e.who, "failed": s.lines().filter(|l| !l.starts_with("==")).take(5).collect::<Vec<_>>().join(" | ")})
        }
    }
}
