//! Receivers that hang while the program goes on, and while it ends.

use telemetry_layer::Signal;
use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Gate, Lines, Manner, Place, Wire, full};
use telemetry_tests::spool::Spool;

use super::super::ending::{FOR_EVER, each_main};
use super::super::spools::{each_spool, ends_with_much};
use super::super::table::{NeedsOfWire, wires};
use super::connections::{MUCH, record_much};

/// What it did not lose comes as it was, in the end. With a spool for all, disk is what is full. One for what fails is not asked before
/// a request has failed.
#[test]
fn a_receiver_that_reads_nothing_takes_no_more_memory_than_it_may() {
    const ITEMS: u64 = 10_000;
    each_spool(Wire::EACH, |wire, spool| {
        let gate = Gate::default();
        let waits = gate.clone();
        let (bytes, at_once) = if spool == Spool::Always { (512 << 10, 50) } else { (64 << 10, 250) };
        let receiver = Lines::start(wire, move |_| Manner::ReadWhen(waits.clone()));
        let program = Program::with_bytes(&wire.url(&receiver.place, FOR_EVER), spool, bytes, 1_000_000);
        for end in (0..ITEMS).step_by(at_once).map(|begin| begin + at_once as u64) {
            program.record_with(end + 1 - at_once as u64..=end, &"x".repeat(1_000)).beside_has(end);
            assert!(program.account(Signal::Metrics).buffered < program.most_held(bytes));
            if spool == Spool::Always {
                // All of it is on the disk then.
                program.flush();
            }
            program.bytes_on_disk();
        }
        let account = program.account(Signal::Metrics);
        let full = [Reason::QueueFull, Reason::SpoolFull].map(|reason| account.dropped.by(reason));
        assert_eq!(full[0] + full[1], account.dropped.total(), "{account:?}");
        assert!(full[usize::from(spool == Spool::Always)] > 0, "{account:?}");
        let account = ends_with_much(wire, program, spool, ITEMS)[0];
        gate.open();
        let came = receiver.wait_for_many(account.delivered);
        assert!(came.keys().all(|id| (1..=ITEMS).contains(id)) && came.values().all(|times| *times == 1));
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_no_connection_is_made() {
    let (_queue, address) = full();
    each_spool(wires(NeedsOfWire::Host), |wire, spool| {
        each_main(wire, spool, &wire.url(&Place::Tcp(address), FOR_EVER));
    });
}

#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_listens() {
    each_spool(Wire::EACH, |wire, spool| each_main(wire, spool, &wire.url(&Place::of(wire), FOR_EVER)));
}

/// A part of it stands in the buffers of the socket: the report says so of the rest.
#[test]
fn a_shutdown_keeps_its_deadline_where_nobody_reads() {
    each_spool(Wire::EACH, |wire, spool| {
        let (_listener, place) = Lines::silent(wire);
        let program = Program::with_spool(&wire.url(&place, FOR_EVER), spool);
        record_much(&program);
        let account = ends_with_much(wire, program, spool, MUCH)[0];
        assert_eq!(account.dropped.by(Reason::Deadline), account.dropped.total(), "{account:?}");
        assert_eq!(account.spooled > 0, spool.is_on(), "{account:?}");
        assert!(spool.is_on() || account.dropped.total() > 0, "{account:?}");
    });
}
