//! Receivers that hang while the program goes on, and while it ends.

use std::time::{Duration, Instant};

use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Authority, Form, full, silent};
use telemetry_tests::{SOON, each};

/// Who waits for a request waits for an hour.
const FOR_EVER: &str = "timeout_ms=3600000";

#[test]
fn a_receiver_that_hangs_takes_no_more_memory_than_it_may() {
    const BYTES: usize = 64 << 10;
    each(Form::EACH, |form| {
        let receiver = form.receiver(|_| Act::Hang(Vec::new()));
        let signal = form.signals()[0];
        let url = form.url(receiver.address, &format!("{FOR_EVER}&{}", form.one_signal()));
        let program = Program::with_bytes(&url, BYTES);
        for end in (0..50_000).step_by(1_000).map(|n| n + 1_000) {
            program.record(end - 999..=end).beside_has(end);
            assert!(program.account(signal).buffered < program.most_held(BYTES));
        }
        let account = program.account(signal);
        assert!(account.dropped.by(Reason::QueueFull) > 40_000, "{account:?}");
        assert_eq!(account.dropped.by(Reason::QueueFull), account.dropped.total());
        assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
        let account = program.account(signal);
        assert_eq!((account.dropped.total(), account.buffered), (50_000, 0));
        receiver.has(signal, []);
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_connection_is_made() {
    let (_queue, address) = full();
    each(Form::EACH, |form| each_main(&form.url(address, FOR_EVER)));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_speaks_tls() {
    let (_listener, address) = silent();
    let authority = Authority::new();
    each(Form::EACH, |form| each_main(&form.secure(address, &authority.ca(), FOR_EVER)));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_accepts() {
    let (_listener, address) = silent();
    each(Form::EACH, |form| each_main(&form.url(address, FOR_EVER)));
}

/// The body is more than the buffers of a socket hold.
#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_reads() {
    let (_listener, address) = silent();
    each(Form::EACH, |form| {
        let program = Program::start(&form.url(address, FOR_EVER));
        program.record_with(1..=100, &"x".repeat(90_000)).beside_has(100);
        ends(&program, 100);
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_answer_comes() {
    each(Form::EACH, |form| {
        let receiver = form.receiver(|_| Act::Hang(Vec::new()));
        each_main(&form.url(receiver.address, FOR_EVER));
        receiver.has_each_once([]);
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_an_answer_never_ends() {
    each(Form::EACH, |form| {
        let receiver = form.receiver(|_| Act::Hang(b"HTTP/1.1 503 X\r\nretry-after".to_vec()));
        each_main(&form.url(receiver.address, FOR_EVER));
        receiver.has_each_once([]);
    });
}

/// A program without a runtime, one with a runtime of the current thread, and one with a single worker.
pub(super) fn each_main(url: &str) {
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
    ends(&program, 5);
}

fn ends(program: &Program, items: u64) {
    let begin = Instant::now();
    let report = program.collector.shutdown(Duration::from_millis(300));
    assert!(begin.elapsed() < SOON && !report.is_complete(), "{:?}: {report}", begin.elapsed());
    let lost = program.alike(|account| account.dropped);
    assert_eq!((lost.by(Reason::Deadline), lost.total()), (items, items));
}
