//! What storing costs: the thread of a spool beside a plain `write` and `fdatasync` of the same bodies, as many of them together.
//!
//! They take turns in one process. Nobody listens where the exporter sends to, so all is stored.

use super::{Directory, LONG, frames, span4};
use crate::median;
use crate::meters::telemetry::install;
use serde::{Deserialize, Serialize};
use std::fs::{OpenOptions, read_dir, read_to_string};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use telemetry_layer::{Collector, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How much is stored at once.
pub struct Kind {
    pub name: &'static str,
    /// Spans of a flush, and flushes of a turn.
    spans: u64,
    flushes: usize,
}

pub const KINDS: [Kind; 3] = [
    Kind { name: "100 spans", spans: 100, flushes: 100 },
    Kind { name: "a body of 250 KiB", spans: 1_000, flushes: 16 },
    Kind { name: "10,000 spans", spans: 10_000, flushes: 5 },
];

/// The first one touches memory, and does not count.
const TURNS: usize = 22;

/// What one process came to. Times are medians of its turns.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Committed {
    /// CPU time in nanoseconds for each span that was stored.
    pub ours: f64,
    pub plain: f64,
    /// The median of their ratios.
    pub ratio: f64,
    /// Of what was kept: handed to `write`, and of the pages that were made dirty by it.
    pub written: f64,
    pub plain_written: f64,
    pub pages: f64,
    pub plain_pages: f64,
    /// Bytes of a span, and bodies that were committed together.
    pub span_bytes: f64,
    pub together: f64,
}

/// What a thread has used.
#[derive(Clone, Copy)]
struct Used {
    cpu: Duration,
    calls: u64,
    written: u64,
    pages: u64,
}

struct Thread(String);

impl Thread {
    /// The one of this process that has that name, as soon as it has it.
    fn named(name: &str) -> Self {
        let begin = Instant::now();
        let has_name = |path: &PathBuf| read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
        loop {
            let mut all = read_dir("/proc/self/task").expect("threads").flatten().map(|entry| entry.path());
            if let Some(found) = all.find(has_name) {
                return Self(found.display().to_string());
            }
            assert!(begin.elapsed() < LONG, "there is no thread {name}");
            std::thread::yield_now();
        }
    }

    fn this() -> Self {
        Self("/proc/thread-self".into())
    }

    fn read(&self, what: &str) -> String {
        read_to_string(format!("{}/{what}", self.0)).expect("a thread that is there")
    }

    fn used(&self) -> Used {
        let schedstat = self.read("schedstat");
        let cpu = schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds");
        let io = self.read("io");
        let of = |key| {
            let line = io.lines().find_map(|line| line.strip_prefix(key)).expect("a count");
            line.trim().parse().expect("a number")
        };
        Used { cpu: Duration::from_nanos(cpu), calls: of("syscw:"), written: of("wchar:"), pages: of("write_bytes:") }
    }

    /// Waits until it sleeps, and has done so for a while.
    fn wait(&self) {
        let state =
            || (self.read("stat").rsplit(") ").next().expect("a state").starts_with('S'), self.read("schedstat"));
        let (mut before, mut calm) = (state(), 0);
        while calm < 3 {
            std::thread::sleep(Duration::from_millis(1));
            let now = state();
            calm = if now.0 && now == before { calm + 1 } else { 0 };
            before = now;
        }
    }
}

impl Used {
    fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            calls: self.calls - before.calls,
            written: self.written - before.written,
            pages: self.pages - before.pages,
        }
    }
}

pub fn one(kind: &str) -> Committed {
    let kind = KINDS.into_iter().find(|known| known.name == kind).expect("no such kind");
    let directory = Directory::new();
    let spool = directory.path().join("spool");
    let url =
        format!("otlp://127.0.0.1:1?signals=spans&spool_mode=always&spool_bytes=4294967296&spool={}", spool.display());
    let builder = Collector::builder().endpoint(url).on_export(|_| ()).flush_interval(Duration::from_secs(3600));
    let collector = install(builder.configure(|c| (c.buffer_size, c.buffer_bytes) = (1 << 17, 64 << 20)));
    tracing_subscriber::registry().with(TelemetryLayer::new(collector)).init();
    let thread = Thread::named("telemetry-spool");
    let spans = (kind.spans * kind.flushes as u64) as f64;
    let (mut number, mut turns) = (0, vec![]);
    for turn in 0..TURNS {
        thread.wait();
        let before = thread.used();
        for _ in 0..kind.flushes {
            (0..kind.spans).for_each(span4);
            assert!(collector.flush(LONG).is_complete(), "{}", collector.ledger());
        }
        thread.wait();
        let mut ours = thread.used().since(before);
        let bodies = frames::since(number, &spool);
        number = bodies.last().expect("bodies").number;
        let frames: u64 = bodies.iter().map(|stored| stored.frame).sum();
        let (commits, written) = commits(&ours, bodies.len() as u64, frames);
        ours.written = written;
        let bodies: Vec<Vec<u8>> = bodies.into_iter().map(|stored| stored.body).collect();
        let plain = plain(&directory.path().join("plain"), &bodies, commits);
        if turn > 0 {
            let kept = bodies.iter().map(Vec::len).sum::<usize>() as f64;
            turns.push((ours, plain, kept, bodies.len() as f64 / commits as f64));
        }
    }
    let account = *collector.ledger().exporter("otlp", telemetry_layer::Signal::Spans).expect("it is there");
    assert_eq!((account.spooled, account.accepted), (TURNS as u64 * spans as u64, account.spooled));
    collector.shutdown(Duration::from_secs(2));
    let of = |get: &dyn Fn(&(Used, Used, f64, f64)) -> f64| median(turns.iter().map(get).collect());
    Committed {
        ours: of(&|t| t.0.cpu.as_nanos() as f64 / spans),
        plain: of(&|t| t.1.cpu.as_nanos() as f64 / spans),
        ratio: of(&|t| t.0.cpu.as_secs_f64() / t.1.cpu.as_secs_f64()),
        written: of(&|t| t.0.written as f64 / t.2),
        plain_written: of(&|t| t.1.written as f64 / t.2),
        pages: of(&|t| t.0.pages as f64 / t.2),
        plain_pages: of(&|t| t.1.pages as f64 / t.2),
        span_bytes: of(&|t| t.2 / spans),
        together: of(&|t| t.3),
    }
}

/// How often it committed, and the bytes that went to the disk. Beside frames it writes 21 bytes for each commit, and 8 each time it
/// wakes another thread, which are no bytes of a file.
fn commits(used: &Used, bodies: u64, frames: u64) -> (usize, u64) {
    let (calls, bytes) = (used.calls - bodies, used.written - frames);
    let commits = (bytes - 8 * calls) / 13;
    assert_eq!(21 * commits + 8 * (calls - commits), bytes, "{calls} calls beside those of {bodies} bodies");
    (commits as usize, frames + 21 * commits)
}

/// Writes each body and syncs as often as the spool did, as evenly as that goes.
fn plain(path: &Path, bodies: &[Vec<u8>], commits: usize) -> Used {
    let mut file = OpenOptions::new().append(true).create_new(true).open(path).expect("a file");
    let thread = Thread::this();
    let before = thread.used();
    let mut done = 0;
    for commit in 1..=commits {
        let to = bodies.len() * commit / commits;
        for body in &bodies[done..to] {
            file.write_all(body).expect("a disk with room");
        }
        file.sync_data().expect("a disk");
        done = to;
    }
    let used = thread.used().since(before);
    std::fs::remove_file(path).expect("the file");
    used
}
