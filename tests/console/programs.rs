//! The programs.

use std::io::Read as _;
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime};

use telemetry_layer::Level;
use telemetry_layer::exporters::Route;
use telemetry_layer::model::{Event, Span, SpanContext, SpanId, TraceId};
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use tracing::{debug, info, info_span, warn};

/// Until whoever started it lets it go on.
fn wait() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[test]
#[ignore = "a program of the others"]
fn happens() {
    let _telemetry = telemetry_layer::init().unwrap();
    info!(till = 3, "open");
    info_span!("checkout", order = 7).in_scope(|| {
        debug!("nobody asked for it");
        warn!(card = "visa 4", "card declined");
    });
    log::warn!(target: "old", "of log");
    count!("orders");
    wait();
}

#[test]
#[ignore = "a program of the others"]
fn has_an_exporter() {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let takes = move |batch: &Batch| {
        count.fetch_add(batch.len() as u64, Relaxed);
    };
    let telemetry = telemetry_layer::init_with(Collector::builder().exporter(takes)).unwrap();
    info!("open");
    drop(telemetry);
    assert_eq!(taken.load(Relaxed), 1);
}

#[test]
#[ignore = "a program of the others"]
fn has_a_logger() {
    struct Own;
    impl log::Log for Own {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            println!("own logger: {}", record.args());
        }
        fn flush(&self) {}
    }
    log::set_logger(&Own).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let _telemetry = telemetry_layer::init().unwrap();
    log::info!("to its own");
    info!("to telemetry");
}

const THREADS: u64 = 8;

#[test]
#[ignore = "a program of the others"]
fn is_busy() {
    let telemetry = telemetry_layer::init().unwrap();
    let begin = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let begin = &begin;
            scope.spawn(move || {
                begin.wait();
                for n in 0..1_250 {
                    info!(thread, n, "busy");
                    if n % 50 == 0 {
                        info_span!("step", thread, n).in_scope(thread::yield_now);
                    }
                }
            });
        }
    });
    let report = telemetry.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().lost() == 0, "{report}");
}

/// Goes on while nobody reads the stream of its console, and says on the other one how that went.
#[test]
#[ignore = "a program of the others"]
fn is_not_read() {
    let endpoint = std::env::var("CONSOLE").unwrap();
    let says_on_stdout = endpoint.starts_with("console:stderr");
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let takes = move |batch: &Batch| {
        count.fetch_add(batch.len() as u64, Relaxed);
    };
    let beside = Route::new(takes).name("beside").back_pressure(SOON);
    let builder = Collector::builder().endpoint(endpoint).exporter(beside);
    // What can't be printed has room for so much.
    let telemetry = telemetry_layer::init_with(builder.exporter_bytes(256 << 10)).unwrap();
    const EACH: u64 = 5_000;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in 0..EACH {
                    info_span!("step", thread, n).in_scope(|| info!(n, "nobody reads that"));
                }
            });
        }
    });
    // The other exporter has all of it, at once.
    telemetry.flush(Duration::from_millis(100));
    crate::started::until("all of it is beside", || taken.load(Relaxed) == 2 * THREADS * EACH);
    let report = telemetry.shutdown(Duration::from_secs(1));
    let ledger = report.ledger();
    assert!(ledger.balances(), "{report}");
    let of_console =
        [Signal::Spans, Signal::Events].map(|signal| *ledger.exporter("console", signal).unwrap());
    let dispatched: u64 = of_console.iter().map(|account| account.dispatched).sum();
    let delivered: u64 = of_console.iter().map(|account| account.delivered).sum();
    let dropped: u64 = of_console.iter().map(|account| account.dropped.total()).sum();
    let text = format!("dispatched={dispatched} delivered={delivered} dropped={dropped}");
    if says_on_stdout {
        println!("\nreport {text}");
    } else {
        eprintln!("\nreport {text}");
    }
    assert!(!report.is_complete());
    // The harness would say on standard output that it has ended.
    exit(0);
}

#[test]
#[ignore = "a program of the others"]
fn has_traces() {
    let telemetry = telemetry_layer::init_with(Collector::builder()).unwrap();
    info!("outside");
    info_span!("checkout", order = 7).in_scope(|| {
        info_span!("reserve", item = 9).in_scope(|| {
            info_span!("query", rows = 3).in_scope(|| info!("asked"));
        });
        let charge = info_span!("charge", otel.status_code = "error", otel.status_description = "no stock");
        charge.in_scope(|| warn!(card = "visa 4", "card declined"));
    });
    wait_for_line();
    // The registry ends no span before those below it; whoever makes them by hand does.
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let context = |n| SpanContext::new(TraceId::new(9).unwrap(), SpanId::new(n).unwrap(), true);
    let by_hand = |n: u64, parent: u64, name: &'static str| {
        let mut span = Span::new(context(n), name, now + n, 1_000);
        span.parent_span_id = SpanId::new(parent);
        telemetry.collect_span(&span);
    };
    by_hand(4, 3, "before");
    by_hand(1, 0, "order");
    wait_for_line();
    by_hand(3, 2, "connect");
    by_hand(2, 1, "mail");
    wait_for_line();
    telemetry.collect_event(&Event::new(Level::INFO, "sent", now + 20).target("by_hand").within(context(1)));
    wait_for_line();
    let open = info_span!("open");
    open.in_scope(|| {
        info_span!("inner", n = 1).in_scope(|| info!("within"));
        info!("in what is open");
    });
    // It never ends.
    std::mem::forget(open);
    drop(telemetry);
}

fn wait_for_line() {
    let mut byte = [0];
    std::io::stdin().read_exact(&mut byte).unwrap();
}
