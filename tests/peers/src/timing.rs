//! Times a case: in bursts, on one thread or on two at once, with untimed work between.

use crate::case::{Case, Entry};
use crate::median;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const WARM: Duration = Duration::from_millis(40);
const SAMPLE: Duration = Duration::from_millis(15);
/// Short, so that two threads often have the cores to themselves for that long.
const SAMPLE_TOGETHER: Duration = Duration::from_millis(3);
const SAMPLES: usize = 5;
/// A slice, and the time before it that is not measured. Short, so that on a busy machine some are undisturbed.
const SLICE: Duration = Duration::from_millis(2);
const LEAD: Duration = Duration::from_micros(500);

/// Time spent in the calling thread. The CPU time is what is reported: other work on the machine preempts.
#[derive(Default)]
struct Clock {
    cpu: Duration,
    wall: Duration,
}
/// Nanoseconds per operation.
#[derive(Clone, Copy)]
pub struct Ns {
    pub cpu: f64,
    pub wall: f64,
}
impl Ns {
    /// How much longer it took than it ran: 1 where no other work came in between.
    pub fn disturbance(&self) -> f64 {
        self.wall / self.cpu
    }
    pub fn is_whole(&self) -> bool {
        self.disturbance() < 1.05
    }
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    cpu(libc::CLOCK_THREAD_CPUTIME_ID)
}
/// Of all threads of this process, also of those that are gone.
pub fn process_cpu() -> Duration {
    cpu(libc::CLOCK_PROCESS_CPUTIME_ID)
}
fn cpu(clock: libc::clockid_t) -> Duration {
    // SAFETY: all zeros is a valid `timespec`, and the call only writes to it.
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        assert_eq!(libc::clock_gettime(clock, &mut t), 0);
        Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
    }
}

impl Clock {
    fn add(&mut self, f: impl FnOnce()) {
        let (wall, cpu) = (Instant::now(), thread_cpu());
        f();
        self.cpu += thread_cpu() - cpu;
        self.wall += wall.elapsed();
    }
    fn per(&self, n: u64) -> Ns {
        Ns { cpu: self.cpu.as_nanos() as f64 / n as f64, wall: self.wall.as_nanos() as f64 / n as f64 }
    }
}

pub struct Driver {
    case: Case,
    threads: u64,
    ops: u64,
    runs: u64,
}

impl Driver {
    /// Makes the case and warms it; `between` comes after what the case starts and before all that it does.
    pub fn warm(e: &Entry, between: impl FnOnce()) -> Self {
        if e.threads > 1 {
            crate::placed::on_lines_of_their_own();
        }
        let case = (e.make)();
        between();
        let mut driver = Self { case, threads: e.threads as u64, ops: 0, runs: 0 };
        driver.sample(WARM);
        driver
    }
    /// A short sample by a process that others of the same core ran before.
    pub fn slice(&mut self) -> Ns {
        if self.threads > 1 {
            return self.sample_together();
        }
        self.sample(LEAD); // The caches are theirs.
        self.sample(SLICE)
    }
    /// Fails unless what was done was recorded; says what it saw.
    pub fn verify(mut self) -> String {
        (self.case.settle)();
        (self.case.verify)(self.ops, self.runs)
    }
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

/// The calling thread, and those that it starts from now on, stay on that core. Left alone, the scheduler puts both
/// threads of a short sample on one core.
pub fn pin(core: usize) {
    // SAFETY: all zeros is an empty `cpu_set_t`, of which the call reads no more than its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
    }
}

/// One case, once: its samples, and what it recorded.
pub fn one(e: &Entry) -> Value {
    let mut d = Driver::warm(e, || ());
    let mut s: Vec<Ns> = vec![];
    let whole = |n: &&Ns| n.is_whole();
    if d.threads == 1 {
        s.extend((0..SAMPLES).map(|_| d.sample(SAMPLE)));
    } else {
        // A preempted thread does not contend: keep the samples in which both ran all the time.
        let mut tries: Vec<Ns> = vec![];
        while tries.len() < 60 && tries.iter().filter(whole).count() < SAMPLES {
            tries.push(d.sample_together());
        }
        tries.sort_by(|a, b| a.disturbance().total_cmp(&b.disturbance()));
        s.extend(tries.into_iter().take(SAMPLES));
    }
    let ns = median(s.iter().map(|n| n.cpu).collect());
    let wall = median(s.iter().map(|n| n.wall).collect());
    // Then the median is of threads that did not contend all the time.
    let disturbed = d.threads > 1 && s.iter().filter(whole).count() <= SAMPLES / 2;
    let seen = d.verify();
    json!({"op": e.op, "who": e.who, "threads": e.threads, "ns": ns, "wall": wall, "disturbed": disturbed, "seen": seen})
}
