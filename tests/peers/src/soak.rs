//! A program under load for minutes, as a shop has it: orders with spans, events, timers and counters. It exports to an OTLP receiver
//! that goes and comes back, with a spool that the longer outages fill; to one that reads slowly; to a closure that takes its time; and
//! to files. Every few seconds it is looked what it takes in memory and on disk, and whether its ledger balances.
//!
//! In the end the memory of the first and of the last quarter are compared, and what the receiver counted with what the ledger says.

use crate::budgets::median;
use crate::endure::slow;
use crate::export::receiver::Receiver;
use crate::memory::{Bytes, of_status};
use crate::spool::Directory;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use telemetry_layer::exporters::Route;
use telemetry_layer::ledger::Reason;
use telemetry_layer::{Batch, Collector, Signal, TelemetryLayer, count, count_me, time_me};
use tracing::{info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;

pub const SECONDS: u64 = 600;

const SAMPLE: Duration = Duration::from_secs(2);
/// Threads that take orders, and how many in each millisecond.
const THREADS: u64 = 2;
const ORDERS: u64 = 2;
/// How long the receiver is there and away, in parts of a hundred of all: the same in each quarter.
const UP: [u64; 4] = [5, 4, 3, 4];
const AWAY: [u64; 4] = [1, 2, 4, 2];
const SPOOL: u64 = 32 << 20;
/// The last quarter's memory by the first one's.
const MOST_GROWTH: f64 = 1.1;

#[time_me]
#[count_me]
fn pay(amount: u64) -> bool {
    info!(amount, "paid");
    !amount.is_multiple_of(50)
}

fn order(n: u64) {
    let _order = info_span!("order", number = n, customer = n % 1000, path = "/orders", cached = false).entered();
    {
        let _stock = info_span!("stock", item = n % 100, rows = 3i64).entered();
        count!("stock.reads");
    }
    if !pay(n) {
        warn!(number = n, "the card was refused");
    }
    let kind = if n.is_multiple_of(3) { "new" } else { "again" };
    count!("orders", 1, tags(kind = kind));
}

/// Takes orders until it is told to stop; how many.
fn shop(is_over: &AtomicBool) -> u64 {
    let (begin, mut n) = (Instant::now(), 0);
    while !is_over.load(Relaxed) {
        let due = begin.elapsed().as_millis() as u64 * ORDERS;
        while n < due {
            n += 1;
            order(n);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    n
}

fn bytes_in(directory: &Path) -> u64 {
    let all = std::fs::read_dir(directory).into_iter().flatten().flatten();
    all.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

/// What the receiver has counted: one process after another.
#[derive(Default)]
struct Backend {
    now: Option<Receiver>,
    port: u16,
    spans: u64,
    outages: u64,
}

impl Backend {
    fn up(&mut self) {
        let receiver = Receiver::start_at(0, self.port);
        self.port = receiver.port;
        self.now = Some(receiver);
    }

    fn away(&mut self) {
        if let Some(receiver) = self.now.take() {
            self.spans += receiver.end().spans;
            self.outages += 1;
        }
    }

    /// As it should be after that part of the time.
    fn follow(&mut self, hundredths: u64) {
        let mut end = 0;
        for (up, away) in UP.into_iter().zip(AWAY).cycle() {
            end += up;
            if hundredths < end {
                if self.now.is_none() {
                    self.up();
                }
                return;
            }
            end += away;
            if hundredths < end {
                return self.away();
            }
        }
    }
}

struct Sample {
    resident: f64,
    /// Of the heap, in use.
    allocated: f64,
    spool: u64,
}

pub fn run(seconds: u64) -> ExitCode {
    let all = Duration::from_secs(seconds);
    let directory = Directory::new();
    let spool = directory.path().join("spool");
    let mut backend = Backend::default();
    backend.up();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let slow_place = listener.local_addr().expect("its address");
    slow::serve(listener);
    let napping = |_: &Batch| std::thread::sleep(Duration::from_millis(200));
    let collector = Collector::builder()
        .ignore_env()
        .service("shop", "")
        .endpoint(format!("otlp://127.0.0.1:{}?spool={}&spool_bytes={SPOOL}", backend.port, spool.display()))
        .endpoint(format!("graphite://{slow_place}"))
        .endpoint(format!("file:{}?rotate_bytes=4194304&keep=2", directory.path().join("files").display()))
        .exporter(Route::new(napping).name("napping"))
        .on_export(|_| ())
        .start()
        .expect("a collector");
    let subscriber = tracing::Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    let is_over = AtomicBool::new(false);
    let mut samples: Vec<Sample> = vec![];
    let work = || tracing::dispatcher::with_default(&subscriber, || collector.scoped(|| shop(&is_over)));
    let orders: u64 = std::thread::scope(|s| {
        let threads: Vec<_> = (0..THREADS).map(|_| s.spawn(work)).collect();
        let begin = Instant::now();
        while begin.elapsed() < all {
            std::thread::sleep(SAMPLE.min(all / 50));
            backend.follow((begin.elapsed().as_millis() * 100 / all.as_millis()) as u64);
            let ledger = collector.ledger();
            assert!(ledger.balances(), "{ledger}");
            let sample = Sample {
                resident: of_status("VmRSS:") as f64,
                allocated: Bytes::now().allocated,
                spool: bytes_in(&spool),
            };
            let account = ledger.exporter("otlp", Signal::Spans).expect("it is there");
            eprintln!(
                "{:.0} s: {:.1} MiB resident, {:.1} MiB allocated, {:.1} MiB stored, spans delivered {}, stored {}, dropped {}",
                begin.elapsed().as_secs_f64(),
                mib(sample.resident),
                mib(sample.allocated),
                mib(sample.spool as f64),
                account.delivered,
                account.spooled,
                account.dropped.total(),
            );
            samples.push(sample);
        }
        is_over.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("it only records")).sum()
    });
    // The receiver is there in the end, so that all that is stored can be sent.
    if backend.now.is_none() {
        backend.up();
    }
    let begin = Instant::now();
    let waits =
        || Signal::ALL.iter().map(|s| collector.ledger().exporter("otlp", *s).map_or(0, |a| a.spooled)).sum::<u64>();
    while waits() > 0 && begin.elapsed() < Duration::from_secs(60) {
        collector.flush(Duration::from_millis(100));
        std::thread::sleep(Duration::from_millis(10));
    }
    let report = collector.shutdown(Duration::from_secs(30));
    backend.away();
    let ledger = report.ledger();
    println!("{ledger}");
    let quarter = samples.len() / 4;
    let resident = |samples: &[Sample]| median(samples.iter().map(|sample| sample.resident).collect());
    let (first, last) = (resident(&samples[..quarter]), resident(&samples[samples.len() - quarter..]));
    let most_stored = samples.iter().map(|sample| sample.spool).max().unwrap_or(0);
    let account = *ledger.exporter("otlp", Signal::Spans).expect("it is there");
    let said: u64 = Reason::ALL.iter().map(|reason| account.dropped.by(*reason)).sum();
    let recorded = ledger.signal(Signal::Spans).recorded;
    println!("| {seconds} s, {orders} orders, {} outages | |\n|---|---|", backend.outages - 1);
    println!("| spans recorded | {recorded} |");
    println!("| delivered to the receiver that goes and comes back | {} |", account.delivered);
    println!("| counted by it, with what it took without its answer getting through | {} |", backend.spans);
    for reason in Reason::ALL.iter().filter(|reason| account.dropped.by(**reason) > 0) {
        println!("| lost there by {} | {} |", reason.name(), account.dropped.by(*reason));
    }
    println!("| on disk at most, of {} MiB | {:.1} MiB |", SPOOL >> 20, mib(most_stored as f64));
    println!("| resident, first quarter | {:.1} MiB |", mib(first));
    println!("| resident, last quarter | {:.1} MiB ({:.3} of it, at most {MOST_GROWTH}) |", mib(last), last / first);
    println!("| resident at most | {:.1} MiB |", mib(of_status("VmHWM:") as f64));
    let checks = [
        ("the ledger balances", ledger.balances()),
        ("each order is recorded", recorded == 3 * orders),
        ("what was not delivered is said", account.dispatched == account.delivered + account.rejected + said),
        ("what was delivered came", backend.spans >= account.delivered),
        ("nothing was refused", account.rejected == 0),
        ("the disk has its bound", most_stored <= SPOOL + 64),
        ("memory is flat", last <= MOST_GROWTH * first),
    ];
    checks.iter().for_each(|(what, holds)| println!("{what}: {}", if *holds { "yes" } else { "NO" }));
    if checks.iter().all(|check| check.1) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}
