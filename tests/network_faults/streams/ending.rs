//! Receivers that hang while the program goes on, and while it ends.

use std::time::{Duration, Instant};

use telemetry_layer::Signal;
use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Gate, Lines, Manner, Place, Wire, full};
use telemetry_tests::{SOON, each};

use super::super::ending::each_main;
use super::super::table::{NeedsOfWire, wires};
use super::connections::record_much;

/// Who waits for a request waits for an hour.
const FOR_EVER: &str = "timeout_ms=3600000";

/// What it did not lose comes as it was, in the end.
#[test]
fn a_receiver_that_reads_nothing_takes_no_more_memory_than_it_may() {
    const BYTES: usize = 64 << 10;
    const ITEMS: u64 = 10_000;
    each(Wire::EACH, |wire| {
        let gate = Gate::default();
        let waits = gate.clone();
        let receiver = Lines::start(wire, move |_| Manner::ReadWhen(waits.clone()));
        let program = Program::with_bytes(&wire.url(&receiver.place, FOR_EVER), BYTES);
        for end in (0..ITEMS).step_by(250).map(|begin| begin + 250) {
            program.record_with(end - 249..=end, &"x".repeat(1_000)).beside_has(end);
            assert!(program.account(Signal::Metrics).buffered < program.most_held(BYTES));
        }
        let account = program.account(Signal::Metrics);
        assert!(account.dropped.by(Reason::QueueFull) > 0, "{account:?}");
        assert_eq!(account.dropped.by(Reason::QueueFull), account.dropped.total());
        assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
        let account = program.account(Signal::Metrics);
        assert_eq!((account.delivered + account.dropped.total(), account.buffered), (ITEMS, 0));
        gate.open();
        let came = receiver.wait_for_many(account.delivered);
        assert!(came.keys().all(|id| (1..=ITEMS).contains(id)) && came.values().all(|times| *times == 1));
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_connection_is_made() {
    let (_queue, address) = full();
    each(wires(NeedsOfWire::Host), |wire| each_main(&wire.url(&Place::Tcp(address), FOR_EVER)));
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_listens() {
    each(Wire::EACH, |wire| each_main(&wire.url(&Place::of(wire), FOR_EVER)));
}

/// A part of it stands in the buffers of the socket: the report says so of the rest.
#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_reads() {
    each(Wire::EACH, |wire| {
        let (_listener, place) = Lines::silent(wire);
        let program = Program::start(&wire.url(&place, FOR_EVER));
        record_much(&program);
        let begin = Instant::now();
        let report = program.collector.shutdown(Duration::from_millis(300));
        assert!(begin.elapsed() < SOON && !report.is_complete(), "{:?}: {report}", begin.elapsed());
        let account = program.account(Signal::Metrics);
        let lost = account.dropped;
        assert!(lost.by(Reason::Deadline) > 0 && lost.by(Reason::Deadline) == lost.total(), "{account:?}");
        assert_eq!(account.buffered, 0);
        assert!(report.to_string().contains(Reason::Deadline.name()), "{report}");
    });
}
