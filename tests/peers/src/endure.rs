//! Exporters that are stuck, panic or are slow, one at a time, while one thread records spans as fast as it can: what the process
//! takes in memory, the slowest record, and what is lost. Each case is a process of its own.
//!
//! A record is a span of four fields and a counter. While it is timed, the thread may be preempted, so its CPU time is taken too; and
//! the kernel counts how often the thread waited for something.

pub mod slow;

use crate::child;
use crate::memory::of_status;
use crate::timing::thread_cpu;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use telemetry_layer::exporters::{Route, from_url};
use telemetry_layer::ledger::Reason;
use telemetry_layer::{Batch, Collector, Signal, TelemetryLayer, count};
use tracing_subscriber::layer::SubscriberExt;

use crate::spool::{Directory, span4};

/// What is recorded where nothing else is said.
pub const SPANS: u64 = 10_000_000;

/// Bytes for what waits: less than by default, so that it is soon full.
const BUFFERS: usize = 16 << 20;
const EXPORTER: usize = 16 << 20;
/// What a process may grow by: what waits, as much again that is out, the two requests of 4 MiB that are written and the memory of
/// two more, and what the allocator does not give back.
const MOST: u64 = (BUFFERS + 2 * EXPORTER + (32 << 20)) as u64;
/// And by that with a spool: eight bodies are ready to be sent, and each may keep the 528 KiB that it was read with.
const MOST_OF_SPOOL: u64 = 5 << 20;

/// Who has it.
const EXPORTERS: [(&str, &str); 12] = [
    ("closure", ""),
    ("otlp", "otlp://PLACE"),
    ("otlp, JSON", "otlp://PLACE?protocol=http/json"),
    ("otlp, gRPC", "otlp+grpc://PLACE"),
    ("otlp, spool", "otlp://PLACE?timeout_ms=200&spool_bytes=67108864&spool=SPOOL"),
    ("http", "http://PLACE/ingest"),
    ("influxdb", "influxdb://PLACE?db=shop"),
    ("opentsdb, HTTP", "opentsdb+http://PLACE"),
    ("librato", "librato+http://me:token@PLACE"),
    ("graphite", "graphite://PLACE"),
    ("opentsdb", "opentsdb://PLACE"),
    ("statsd", "statsd+tcp://PLACE?dialect=datadog"),
];
const FAULTS: [&str; 3] = ["stuck", "panicking", "slow"];

/// Whether there is such a case: only code of the program panics, and only what is read over HTTP/1.1 or in lines is slow here.
fn is_case(exporter: &str, fault: &str) -> bool {
    match fault {
        "panicking" => exporter == "closure",
        "slow" => exporter != "otlp, gRPC",
        _ => true,
    }
}

#[derive(Serialize, Deserialize)]
pub struct Endured {
    secs: f64,
    /// Before, and the most.
    resident: u64,
    peak: u64,
    /// Nanoseconds of the slowest record, and of CPU time of the one that took most of it.
    slowest: u64,
    slowest_cpu: u64,
    /// How often the thread waited for something.
    waits: u64,
    delivered: u64,
    /// By reason, of the exporter and on the way to it.
    lost: BTreeMap<String, u64>,
    stored: u64,
}

/// How often the calling thread waited for something.
fn waits() -> u64 {
    // SAFETY: all zeros is a valid `rusage`, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
        usage
    };
    usage.ru_nvcsw as u64
}

fn closure(fault: &str) -> Route {
    let fault = fault.to_owned();
    Route::new(move |_: &Batch| match &*fault {
        "stuck" => loop {
            std::thread::park();
        },
        "panicking" => panic!("each time"),
        _ => std::thread::sleep(Duration::from_millis(50)),
    })
}

/// One case, in this process.
pub fn one(exporter: &str, fault: &str, spans: u64) -> Endured {
    let directory = Directory::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("its address").to_string();
    if fault == "slow" {
        slow::serve(listener.try_clone().expect("a socket"));
    }
    let (_, url) = EXPORTERS.into_iter().find(|known| known.0 == exporter).expect("no such exporter");
    let url = url.replace("PLACE", &place).replace("SPOOL", &directory.path().join("spool").display().to_string());
    let route = if url.is_empty() { closure(fault) } else { from_url(&url).expect("an endpoint") };
    std::panic::set_hook(Box::new(|_| ()));
    let builder = Collector::builder().ignore_env().exporter(route.name("it")).on_export(|_| ());
    let builder = builder.exporter_bytes(EXPORTER).configure(|config| config.buffer_bytes = BUFFERS);
    let collector = builder.start().expect("a collector");
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let resident = of_status("VmRSS:");
    let record = |n| {
        span4(n);
        count!("done");
    };
    let timed = || {
        (0..1000).for_each(record);
        let (begin, before) = (Instant::now(), waits());
        let (mut slowest, mut slowest_cpu) = (Duration::ZERO, Duration::ZERO);
        let mut cpu = thread_cpu();
        for n in 0..spans {
            let begin = Instant::now();
            record(n);
            slowest = slowest.max(begin.elapsed());
            let now = thread_cpu();
            slowest_cpu = slowest_cpu.max(now - cpu);
            cpu = now;
        }
        let ns = [slowest, slowest_cpu].map(|slowest| slowest.as_nanos() as u64);
        (begin.elapsed().as_secs_f64(), ns, waits() - before)
    };
    let (secs, [slowest, slowest_cpu], waits) =
        collector.scoped(|| tracing::subscriber::with_default(subscriber, timed));
    let peak = of_status("VmHWM:");
    assert!(collector.ledger().balances(), "{}", collector.ledger());
    let report = collector.shutdown(Duration::from_secs(1));
    let ledger = report.ledger();
    assert!(ledger.balances(), "{ledger}");
    let mut lost = BTreeMap::new();
    let (mut delivered, mut stored) = (0, 0);
    for signal in Signal::ALL {
        let account = ledger.exporter("it", *signal).expect("it is there");
        let way = ledger.signal(*signal).dropped;
        for reason in Reason::ALL {
            *lost.entry(reason.name().to_owned()).or_insert(0) += way.by(*reason) + account.dropped.by(*reason);
        }
        *lost.entry("rejected".to_owned()).or_insert(0) += account.rejected;
        delivered += account.delivered;
        stored += account.spooled;
    }
    lost.retain(|_, n| *n > 0);
    Endured { secs, resident, peak, slowest, slowest_cpu, waits, delivered, lost, stored }
}

/// Prints all cases; fails where memory is above what it may be.
pub fn run(spans: u64) -> ExitCode {
    println!(
        "{spans} spans and increments of a counter, recorded by one thread; memory may grow by {} MiB, with a spool {}\n",
        MOST >> 20,
        (MOST + MOST_OF_SPOOL) >> 20
    );
    println!(
        "| exporter | fault | ns a record, with its timing | slowest, ns | most CPU time, ns | waits | grown by, MiB | delivered | on disk | lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut is_well = true;
    for (exporter, _) in EXPORTERS {
        for fault in FAULTS.into_iter().filter(|fault| is_case(exporter, fault)) {
            let printed = child(&["endure-one", exporter, fault, &spans.to_string()]);
            let Ok(e) = serde_json::from_value::<Endured>(printed.clone()) else {
                println!("| {exporter} | {fault} | FAILED: {} |", printed["failed"]);
                is_well = false;
                continue;
            };
            let grown = e.peak.saturating_sub(e.resident);
            let most = MOST + if exporter.ends_with("spool") { MOST_OF_SPOOL } else { 0 };
            is_well &= grown <= most;
            let lost: Vec<_> = e.lost.iter().map(|(why, n)| format!("{why} {n}")).collect();
            println!(
                "| {exporter} | {fault} | {:.0} | {} | {} | {} | {:.1}{} | {} | {} | {} |",
                e.secs * 1e9 / spans as f64,
                e.slowest,
                e.slowest_cpu,
                e.waits,
                grown as f64 / f64::from(1 << 20),
                if grown > most { ": TOO MUCH" } else { "" },
                e.delivered,
                e.stored,
                lost.join(", "),
            );
        }
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
