//! Receivers that hang while the program goes on, and while it ends.

use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Authority, Form, full, silent};
use telemetry_tests::spool::Spool;

use super::spools::{Speaks, each_spool, ends, ends_with_much};

/// Who waits for a request waits for an hour.
pub(super) const FOR_EVER: &str = "timeout_ms=3600000";

/// With a spool for all, it is the spool that gets full. One for what fails has nothing before a request has failed.
#[test]
fn a_receiver_that_hangs_takes_no_more_memory_than_it_may() {
    const BYTES: usize = 64 << 10;
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(|_| Act::Hang(Vec::new()));
        let signal = form.signals()[0];
        let url = form.url(receiver.address, &format!("{FOR_EVER}&{}", form.one_signal()));
        let (items, at_once, on_disk) =
            if spool == Spool::Always { (10_000, 50, 100_000) } else { (50_000, 1_000, 1_000_000) };
        let program = Program::with_bytes(&url, spool, BYTES, on_disk);
        for end in (0..items).step_by(at_once).map(|n| n + at_once as u64) {
            program.record(end + 1 - at_once as u64..=end).beside_has(end);
            if spool == Spool::Always {
                // All of it is on the disk then.
                program.flush();
            }
            assert!(program.account(signal).buffered < program.most_held(BYTES));
            program.bytes_on_disk();
        }
        let lost = program.account(signal).dropped;
        let full = [Reason::QueueFull, Reason::SpoolFull].map(|reason| lost.by(reason));
        assert_eq!(full[0] + full[1], lost.total(), "{lost:?}");
        assert!(if spool == Spool::Always { full[1] > 0 } else { full[0] > 40_000 }, "{lost:?}");
        for account in ends_with_much(form, program, spool, items) {
            assert_eq!((account.delivered, account.spooled > 0), (0, spool.is_on()), "{account:?}");
        }
        receiver.has(signal, []);
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_connection_is_made() {
    let (_queue, address) = full();
    each_spool(Form::EACH, |form, spool| each_main(form, spool, &form.url(address, FOR_EVER)));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_speaks_tls() {
    let authority = Authority::new();
    each_spool(Form::EACH, |form, spool| {
        let (_listener, address) = silent();
        each_main(form, spool, &form.secure(address, &authority.ca(), FOR_EVER));
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_accepts() {
    each_spool(Form::EACH, |form, spool| {
        let (_listener, address) = silent();
        each_main(form, spool, &form.url(address, FOR_EVER));
    });
}

/// The body is more than the buffers of a socket hold.
#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_reads() {
    each_spool(Form::EACH, |form, spool| {
        let (_listener, address) = silent();
        let program = Program::with_spool(&form.url(address, FOR_EVER), spool);
        // Not every disk takes all of it in half a second.
        let items = if spool.is_on() { 30 } else { 100 };
        program.record_with(1..=items, &"x".repeat(90_000)).beside_has(items);
        for account in ends_with_much(form, program, spool, items) {
            assert_eq!((account.delivered, account.spooled > 0), (0, spool.is_on()), "{account:?}");
            assert_eq!(account.dropped.by(Reason::Deadline), account.dropped.total(), "{account:?}");
        }
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_answer_comes() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(|_| Act::Hang(Vec::new()));
        each_main(form, spool, &form.url(receiver.address, FOR_EVER));
        receiver.has_each_once([]);
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_an_answer_never_ends() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(|_| Act::Hang(b"HTTP/1.1 503 X\r\nretry-after".to_vec()));
        each_main(form, spool, &form.url(receiver.address, FOR_EVER));
        receiver.has_each_once([]);
    });
}

/// A program without a runtime, one with a runtime of the current thread, and one with a single worker.
pub(super) fn each_main(of: impl Speaks, spool: Spool, url: &str) {
    shut_down(of, spool, url);
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current.block_on(async { shut_down(of, spool, url) });
    let worker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = url.to_owned();
    worker.block_on(async { tokio::spawn(async move { shut_down(of, spool, &url) }).await.unwrap() });
}

fn shut_down(of: impl Speaks, spool: Spool, url: &str) {
    let program = Program::with_spool(url, spool);
    program.record(1..=5).beside_has(5);
    ends(&program, spool, 5);
    of.next_has(program, 1..=5);
}
