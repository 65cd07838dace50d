//! `process_metrics`, as `/proc` has it. In a program of its own: other tests open files and start threads.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use telemetry_layer::metrics::Snapshot;

use super::{page, serving};

#[test]
fn what_it_takes_is_what_proc_says() {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--ignored", "--exact", "process::looks_at_itself", "--test-threads=1"]);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn value(snapshot: &Snapshot, name: &str) -> f64 {
    assert!(snapshot.named(name).count() > 0, "{name}");
    snapshot.total(name)
}

fn status(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

/// User and system time, in seconds.
fn times() -> [f64; 2] {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    [11, 12].map(|at| fields[at].parse::<f64>().unwrap() / 100.0)
}

#[test]
#[ignore = "run by the other one"]
fn looks_at_itself() {
    let (collector, address) = serving("", |b| b.process_metrics(true));
    // The threads of callbacks are there.
    let _ = collector.snapshot();
    let before = (times(), collector.snapshot());
    let ballast = vec![1_u8; 64 << 20];
    let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let gate = std::sync::Arc::clone(&gate);
            std::thread::spawn(move || gate.lock().unwrap().recv().is_ok())
        })
        .collect();
    // It works until the kernel has noticed.
    let mut sum = 0_u64;
    while times()[0] < before.0[0] + 0.1 {
        sum = ballast.iter().fold(sum, |sum, byte| sum.wrapping_mul(3) ^ u64::from(*byte));
    }
    assert!(std::hint::black_box(sum) > 0);
    let begin = times();
    let after = collector.snapshot();
    let end = times();
    let grown = |name: &str| value(&after, name) - value(&before.1, name);
    assert!((48.0..=52.0).contains(&grown("process.unix.file_descriptor.count")));
    assert!((18.0..=22.0).contains(&grown("process.thread.count")));
    assert!((value(&after, "process.thread.count") - status("Threads:")).abs() <= 2.0);
    assert!(grown("process.memory.usage") > 60e6 && grown("process.memory.virtual") > 60e6);
    assert!((value(&after, "process.memory.usage") - status("VmRSS:") * 1024.0).abs() < 8e6);
    assert!(grown("process.paging.faults") > 0.0 && grown("process.uptime") > 0.0);
    for (mode, at) in [("user", 0), ("system", 1)] {
        let time =
            after.named("process.cpu.time").find(|metric| metric.tag("cpu.mode") == Some(mode)).unwrap();
        assert!((begin[at]..=end[at]).contains(&time.number().as_f64()), "{mode}");
    }
    let shown = page(address);
    for (name, kind) in [
        ("process_cpu_time_seconds_total", "counter"),
        ("process_memory_usage_bytes", "gauge"),
        ("process_memory_virtual_bytes", "gauge"),
        ("process_thread_count", "gauge"),
        ("process_unix_file_descriptor_count", "gauge"),
        ("process_paging_faults_total", "counter"),
        ("process_uptime_seconds", "gauge"),
    ] {
        assert!(shown.contains(&format!("# TYPE {name} {kind}\n")), "{name}: {shown}");
    }
    drop(open);
    threads.into_iter().for_each(|thread| assert!(!thread.join().unwrap()));
    drop(files);
}
