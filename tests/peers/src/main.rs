//! Peer benchmark. See README.md.

mod allocations;
mod budgets;
mod case;
mod compile;
mod e2e;
mod encode;
mod memory;
mod meters;
mod otel;
mod report;
mod spans;

use case::{Case, Entries, Entry};
use serde_json::{Value, json};
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const WARM: Duration = Duration::from_millis(40);
const SAMPLE: Duration = Duration::from_millis(15);
/// Short, so that two threads often have the cores to themselves for that long.
const SAMPLE_TOGETHER: Duration = Duration::from_millis(3);
const SAMPLES: usize = 5;

fn entries() -> Entries {
    let mut e = Entries::default();
    spans::add(&mut e);
    meters::add(&mut e);
    encode::add(&mut e);
    e
}

pub fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

/// Time spent in the calling thread. The CPU time is what is reported: other work on the machine preempts.
#[derive(Default)]
struct Clock {
    cpu: Duration,
    wall: Duration,
}
/// Nanoseconds per operation.
struct Ns {
    cpu: f64,
    wall: f64,
}
impl Clock {
    fn thread_cpu() -> Duration {
        // SAFETY: all zeros is a valid `timespec`, and the call only writes to it.
        unsafe {
            let mut t: libc::timespec = std::mem::zeroed();
            assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t), 0);
            Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
        }
    }
    fn add(&mut self, f: impl FnOnce()) {
        let (wall, cpu) = (Instant::now(), Clock::thread_cpu());
        f();
        self.cpu += Clock::thread_cpu() - cpu;
        self.wall += wall.elapsed();
    }
    fn per(&self, n: u64) -> Ns {
        Ns { cpu: self.cpu.as_nanos() as f64 / n as f64, wall: self.wall.as_nanos() as f64 / n as f64 }
    }
}

struct Driver {
    case: Case,
    threads: u64,
    ops: u64,
    runs: u64,
}

impl Driver {
    /// Bursts until that much time was spent inside them.
    fn sample(&mut self, time: Duration) -> Ns {
        let (mut spent, mut n) = (Clock::default(), 0);
        while spent.cpu < time {
            (self.case.settle)();
            spent.add(|| (self.case.run)(self.case.burst));
            n += self.case.burst;
            self.runs += 1;
        }
        self.ops += n;
        spent.per(n)
    }
    /// All threads run bursts over the same few milliseconds: CPU time and wall time per operation of one thread.
    fn sample_together(&mut self) -> Ns {
        (self.case.settle)();
        let ready = AtomicU64::new(0);
        let (run, n, threads, ready) = (&self.case.run, self.case.burst, self.threads, &ready);
        let each: Vec<(Clock, u64)> = std::thread::scope(|s| {
            let t: Vec<_> = (0..threads)
                .map(|i| {
                    s.spawn(move || {
                        pin(i as usize);
                        run(n); // this thread's own set-up
                        ready.fetch_add(1, SeqCst);
                        while ready.load(SeqCst) < threads {
                            std::hint::spin_loop();
                        }
                        let (start, mut spent, mut runs) = (Instant::now(), Clock::default(), 0);
                        while start.elapsed() < SAMPLE_TOGETHER {
                            spent.add(|| run(n));
                            runs += 1;
                        }
                        (spent, runs)
                    })
                })
                .collect();
            t.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let runs: u64 = each.iter().map(|e| e.1).sum();
        self.runs += runs + threads;
        self.ops += (runs + threads) * n;
        let all = Clock { cpu: each.iter().map(|e| e.0.cpu).sum(), wall: each.iter().map(|e| e.0.wall).sum() };
        all.per(runs * n)
    }
}

/// Left alone, the scheduler puts both threads of a short sample on one core.
fn pin(core: usize) {
    // SAFETY: all zeros is an empty `cpu_set_t`, of which the call reads no more than its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
    }
}

fn one(e: &Entry) -> Value {
    let mut d = Driver { case: (e.make)(), threads: e.threads as u64, ops: 0, runs: 0 };
    d.sample(WARM);
    let mut s: Vec<Ns> = vec![];
    let whole = |n: &&Ns| n.wall < 1.05 * n.cpu;
    if d.threads == 1 {
        s.extend((0..SAMPLES).map(|_| d.sample(SAMPLE)));
    } else {
        // A preempted thread does not contend: keep the samples in which both ran all the time.
        let mut tries: Vec<Ns> = vec![];
        while tries.len() < 60 && tries.iter().filter(whole).count() < SAMPLES {
            tries.push(d.sample_together());
        }
        tries.sort_by(|a, b| (a.wall / a.cpu).total_cmp(&(b.wall / b.cpu)));
        s.extend(tries.into_iter().take(SAMPLES));
    }
    let ns = median(s.iter().map(|n| n.cpu).collect());
    let wall = median(s.iter().map(|n| n.wall).collect());
    // Then the median is of threads that did not contend all the time.
    let disturbed = d.threads > 1 && s.iter().filter(whole).count() <= SAMPLES / 2;
    (d.case.settle)();
    let seen = (d.case.verify)(d.ops, d.runs);
    json!({"op": e.op, "who": e.who, "threads": e.threads, "ns": ns, "wall": wall, "disturbed": disturbed, "seen": seen})
}

#[inline(never)]
fn hot_call(f: &dyn Fn(u64), n: u64) {
    f(black_box(n));
    black_box(());
}

/// Run under callgrind with collection toggled by `hot_call`: 300 operations to warm up, then 1500 counted.
/// 1800 in all stay below the 2048 of OpenTelemetry's queue, so nothing is dropped.
fn counted(e: &Entry) {
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

/// What a process of its own prints last, or why there is nothing.
fn child(args: &[&str]) -> Value {
    let o = Command::new(std::env::current_exe().unwrap()).args(args).output().unwrap();
    let s = String::from_utf8_lossy(&o.stdout);
    s.lines()
        .rev()
        .find_map(|l| serde_json::from_str::<Value>(l).ok().filter(|v| v.is_object() && o.status.success()))
        .unwrap_or_else(|| json!({"args": args, "failed": String::from_utf8_lossy(&o.stderr).lines().take(6).collect::<Vec<_>>().join(" | ")}))
}

fn instructions(e: &Entry) -> Value {
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

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let a: Vec<&str> = args.iter().map(|s| s.as_str()).collect();
    let all = entries().0;
    let find = |op: &str, who: &str, threads: &str| {
        let threads = threads.parse().expect("a number of threads");
        all.iter().find(|e| e.is(op, who, threads)).expect("no such case")
    };
    let chosen = |filter: Option<&&str>| -> Vec<&Entry> {
        all.iter().filter(|e| filter.is_none_or(|f| e.op.contains(f) || e.who.contains(f))).collect()
    };
    match a[..] {
        ["list"] => all.iter().for_each(|e| println!("{:18} {} {}", e.op, e.threads, e.who)),
        ["one", op, who, threads] => println!("{}", one(find(op, who, threads))),
        ["counted", op, who] => counted(find(op, who, "1")),
        ["sink"] => e2e::sink(),
        ["e2e-one", i] => println!("{}", e2e::one(i.parse().unwrap())),
        // Interleaved: round by round, every case once, each in a process of its own.
        ["bench", rounds, ref rest @ ..] => {
            for r in 0..rounds.parse::<u32>().unwrap() {
                for e in chosen(rest.first()) {
                    let mut v = child(&["one", e.op, e.who, &e.threads.to_string()]);
                    v["round"] = r.into();
                    println!("{v}");
                }
            }
        }
        ["instr", ref rest @ ..] => {
            for e in chosen(rest.first()).iter().filter(|e| e.threads == 1) {
                println!("{}", instructions(e));
            }
        }
        ["e2e", rounds] => {
            for _ in 0..rounds.parse::<u32>().unwrap() {
                for i in 0..e2e::CASES.len() {
                    println!("{}", child(&["e2e-one", &i.to_string()]));
                }
            }
        }
        ["budgets", group] if budgets::has(group) => return budgets::run(group, budgets::ROUNDS, &all),
        ["budgets", group, rounds] if budgets::has(group) => {
            return budgets::run(group, rounds.parse().expect("a number of rounds"), &all);
        }
        ["compile"] => return compile::run(compile::ROUNDS),
        ["compile", rounds] => return compile::run(rounds.parse().expect("a number of rounds")),
        ["allocations", ref rest @ ..] => {
            let cases: Vec<&Entry> = chosen(rest.first()).into_iter().filter(|e| e.threads == 1).collect();
            allocations::print(&cases, |e| child(&["allocations-one", e.op, e.who]));
        }
        ["allocations-one", op, who] => println!("{}", allocations::one(find(op, who, "1"))),
        ["memory"] => memory::print(),
        ["memory-one", kind] => println!("{}", memory::one(kind)),
        ["report", ref files @ ..] => print!("{}", report::markdown(files)),
        _ => {
            eprintln!("usage: peers list | one OP WHO THREADS | bench ROUNDS [FILTER] | budgets GROUP [ROUNDS]");
            eprintln!(
                "             | compile [ROUNDS] | memory | allocations [FILTER] | instr [FILTER] | e2e ROUNDS | report FILE..."
            );
            eprintln!("groups of budgets: {}", budgets::groups().join(", "));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
