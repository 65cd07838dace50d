//! Receivers that hang while the program goes on, and while it ends.

use std::time::{Duration, Instant};

use telemetry_layer::Signal;
use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Receiver, full, silent};

use super::url;

/// Far below what a program would need that waited for the time-out of a request.
const PROMPTLY: Duration = Duration::from_secs(5);

#[test]
fn a_receiver_that_hangs_takes_no_more_memory_than_it_may() {
    const BYTES: usize = 64 << 10;
    let receiver = Receiver::otlp(|_| Act::Hang(Vec::new()));
    let spans = format!("otlp://{}?signals=spans", receiver.address);
    let program = Program::with(&spans, |builder| builder.exporter_bytes(BYTES));
    for end in (0..50_000).step_by(1_000).map(|n| n + 1_000) {
        program.record(end - 999..=end).beside_has(end);
        // A span takes more than 32 bytes.
        assert!(program.account(Signal::Spans).buffered < BYTES as u64 / 32);
    }
    let account = program.account(Signal::Spans);
    assert!(account.dropped.by(Reason::QueueFull) > 40_000, "{account:?}");
    assert_eq!(account.dropped.by(Reason::QueueFull), account.dropped.total());
    assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
    let account = program.account(Signal::Spans);
    assert_eq!((account.dropped.total(), account.buffered), (50_000, 0));
    receiver.has_spans([]);
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_connection_is_made() {
    let (_queue, address) = full();
    each_main(&url(address));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_speaks_tls() {
    let (_listener, address) = silent();
    each_main(&format!("otlp+https://{address}?signals=spans,events"));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_accepts() {
    let (_listener, address) = silent();
    each_main(&url(address));
}

/// The body is more than the buffers of a socket hold.
#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_reads() {
    let (_listener, address) = silent();
    let program = Program::start(&url(address));
    program.record_with(1..=5, &"x".repeat(2 << 20)).beside_has(5);
    ends(&program);
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_answer_comes() {
    let receiver = Receiver::otlp(|_| Act::Hang(Vec::new()));
    each_main(&url(receiver.address));
    receiver.has_each_once([]);
}

#[test]
fn a_shutdown_keeps_its_deadline_where_an_answer_never_ends() {
    let receiver = Receiver::otlp(|_| Act::Hang(b"HTTP/1.1 503 X\r\nretry-after".to_vec()));
    each_main(&url(receiver.address));
    receiver.has_each_once([]);
}

/// A program without a runtime, one with a runtime of the current thread, and one with a single worker.
fn each_main(url: &str) {
    shut_down(url);
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current.block_on(async { shut_down(url) });
    let worker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = url.to_owned();
    worker.block_on(async { tokio::spawn(async move { shut_down(&url) }).await.unwrap() });
}

fn shut_down(url: &str) {
    let program = Program::start(url);
    program.record(1..=5).beside_has(5);
    ends(&program);
}

fn ends(program: &Program) {
    let begin = Instant::now();
    let report = program.collector.shutdown(Duration::from_millis(300));
    assert!(begin.elapsed() < PROMPTLY && !report.is_complete(), "{:?}: {report}", begin.elapsed());
    let lost = program.alike(|account| account.dropped);
    assert_eq!((lost.by(Reason::Deadline), lost.total()), (5, 5));
}
