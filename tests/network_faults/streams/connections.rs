//! Connections that are refused, closed and reset while nobody uses them, that break with items in flight, and are made again.

use std::time::Instant;

use telemetry_layer::Signal;
use telemetry_tests::SOON;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{End, Gate, Lines, Manner, Place, Wire};

use super::super::ending::FOR_EVER;
use super::super::spools::{each_spool, gives_up};
use super::super::table::{NeedsOfWire, wires};

/// More than the buffers of any socket hold.
pub(super) const MUCH: u64 = 480;

#[test]
fn a_refused_connection_is_made_again_when_somebody_listens() {
    each_spool(Wire::EACH, |wire, spool| {
        let place = Place::of(wire);
        let program = Program::with_spool(&wire.url(&place, ""), spool);
        program.record(1..=50).beside_has(50);
        program.has_said_something();
        assert_eq!((program.alike(|account| account.delivered), program.waiting()), (0, 50));
        let receiver = Lines::start_at(wire, &place, |_| Manner::Read);
        assert!(program.delivers());
        receiver.has_each_once(1..=50);
        let said = program.said();
        assert!(said[0].contains("no connection") && said[0].contains(&place.to_string()), "{said:?}");
    });
}

/// Nothing is sent to who is gone.
#[test]
fn an_idle_connection_that_the_receiver_ends_is_replaced() {
    let ends = [End::Close, End::Reset];
    let cases = Wire::EACH.into_iter().flat_map(|wire| ends.map(|end| (wire, end)));
    each_spool(cases, |(wire, end), spool| {
        let receiver = Lines::start(wire, |_| Manner::Read);
        let program = Program::with_spool(&wire.url(&receiver.place, ""), spool);
        for id in 1..=20 {
            assert!(program.record([id]).delivers());
            receiver.wait_for([id]);
            receiver.end_connections(end);
        }
        receiver.has_each_once(1..=20);
        // And the one that the check at the start made.
        assert!(receiver.connections() <= 21, "{}", receiver.connections());
        let said = program.said();
        // Who resets a connection may not have read what came before, which is told.
        let is_told = |text: &String| end == End::Reset && text.contains("the connection broke");
        assert!(said.iter().all(is_told), "{said:?}");
    });
}

#[test]
fn one_connection_is_used_again() {
    each_spool(Wire::EACH, |wire, spool| {
        let receiver = Lines::start(wire, |_| Manner::Read);
        let program = Program::with_spool(&wire.url(&receiver.place, ""), spool);
        for id in 1..=20 {
            assert!(program.record([id]).delivers());
        }
        receiver.has_each_once(1..=20);
        assert!(receiver.connections() <= 2, "{}", receiver.connections());
        assert_eq!(program.said(), Vec::<String>::new());
    });
}

#[test]
fn a_receiver_that_restarts_at_its_place_gets_what_came_meanwhile() {
    each_spool(Wire::EACH, |wire, spool| {
        let first = Lines::start(wire, |_| Manner::Read);
        let place = first.place.clone();
        let program = Program::with_spool(&wire.url(&place, ""), spool);
        assert!(program.record(1..=10).delivers());
        first.has_each_once(1..=10);
        drop(first);
        program.record(11..=20).beside_has(20);
        program.has_said_something();
        assert_eq!((program.alike(|account| account.delivered), program.waiting()), (10, 10));
        let second = Lines::start_at(wire, &place, |_| Manner::Read);
        assert!(program.delivers());
        second.has_each_once(11..=20);
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (20, 0));
    });
}

/// It reads nothing, so a part of what there is stands in the buffers of the socket and is lost with them, one request is being
/// written, and the rest waits.
#[test]
fn what_is_in_flight_when_a_receiver_ends_comes_when_it_is_back() {
    each_spool(Wire::EACH, |wire, spool| {
        let gate = Gate::default();
        let waits = gate.clone();
        let first = Lines::start(wire, move |_| Manner::ReadWhen(waits.clone()));
        let place = first.place.clone();
        let program = Program::with_spool(&wire.url(&place, FOR_EVER), spool);
        record_much(&program);
        drop(first);
        gate.open();
        program.hand_over().has_said_something();
        let (gone, waits) = program.alike(|account| (account.delivered, account.buffered + account.spooled));
        assert!(waits > 0 && gone + waits == MUCH, "{gone} and {waits}");
        let second = Lines::start_at(wire, &place, |_| Manner::Read);
        assert!(program.delivers());
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (MUCH, 0));
        let came = second.wait_for_many(MUCH - gone);
        assert!(came.iter().all(|(id, times)| (1..=MUCH).contains(id) && *times == 1), "{came:?}");
    });
}

/// The connection is left, and so is the line that broke off in it.
#[test]
fn a_request_that_is_not_read_ends_with_its_time_out_and_is_sent_again_over_another_connection() {
    each_spool(Wire::EACH, |wire, spool| {
        let gate = Gate::default();
        let waits = gate.clone();
        let receiver =
            Lines::start(
                wire,
                move |connection| {
                    if connection == 1 { Manner::ReadWhen(waits.clone()) } else { Manner::Read }
                },
            );
        let program = Program::with_spool(&wire.url(&receiver.place, "timeout_ms=2000"), spool);
        record_much(&program);
        assert!(program.delivers());
        gate.open();
        receiver.wait_for(1..=MUCH);
        assert!(receiver.connections() > 1);
        assert!(receiver.ids().keys().all(|id| (1..=MUCH).contains(id)));
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (MUCH, 0));
        let said = program.said();
        assert!(said[0].contains("time-out"), "{said:?}");
    });
}

/// What is lost was handed over before anybody could know. A line that broke off is not continued.
#[test]
fn connections_that_break_in_the_middle_of_lines_are_replaced() {
    const BREAKS: u32 = 4;
    let cases = Wire::EACH.into_iter().flat_map(|wire| [0, 1, 100, 5_000].map(|n| (wire, n)));
    each_spool(cases, |(wire, bytes), spool| {
        let receiver = Lines::start(wire, move |connection| {
            if connection <= BREAKS { Manner::CloseAfterBytes(bytes) } else { Manner::Read }
        });
        let program = Program::with_spool(&wire.url(&receiver.place, ""), spool);
        let (begin, mut end) = (Instant::now(), 0);
        while receiver.connections() <= BREAKS {
            assert!(begin.elapsed() < SOON, "{:?}", program.said_so_far());
            program.record_with(end + 1..=end + 50, &"x".repeat(500)).beside_has(end + 50);
            end += 50;
            assert!(program.delivers());
        }
        assert!(program.record(end + 1..=end + 9).delivers());
        receiver.wait_for(end + 1..=end + 9);
        let came = receiver.ids();
        assert!(came.iter().all(|(id, times)| *id <= end + 9 && *times <= BREAKS + 1), "{came:?}");
        let counts = program.alike(|account| (account.delivered, account.dropped.total(), account.buffered));
        assert_eq!(counts, (end + 9, 0, 0));
    });
}

#[test]
fn a_receiver_that_reads_slowly_is_waited_for() {
    each_spool(Wire::EACH, |wire, spool| {
        let receiver = Lines::start(wire, |_| Manner::ReadSlowly);
        let program = Program::with_spool(&wire.url(&receiver.place, FOR_EVER), spool);
        assert!(program.record_with(1..=200, &"x".repeat(500)).delivers());
        receiver.has_each_once(1..=200);
        assert!(receiver.connections() <= 2, "{}", receiver.connections());
        assert_eq!(program.said(), Vec::<String>::new());
    });
}

/// A part of its name is longer than any may be, so no server has to be asked, which might take its time.
#[test]
fn a_host_that_has_no_address_is_named() {
    each_spool(wires(NeedsOfWire::Host), |wire, spool| {
        let host = format!("{}.invalid", "nobody".repeat(11));
        let program = Program::with_spool(&wire.named(&host, "give_up_after_ms=1"), spool);
        program.record(1..=5).beside_has(5);
        gives_up(&program, spool, 5);
        program.has_said_something();
        let said = program.said();
        assert!(said[0].contains(&host), "{said:?}");
        assert!(said[0].contains("the name of the host can't be looked up"), "{said:?}");
    });
}

#[test]
fn what_nobody_takes_is_given_up_in_the_end() {
    each_spool(Wire::EACH, |wire, spool| {
        let place = Place::of(wire);
        let program = Program::with_spool(&wire.url(&place, "give_up_after_ms=300"), spool);
        program.record(1..=5).beside_has(5);
        gives_up(&program, spool, 5);
        // Whoever comes then gets what is recorded then, and what is stored.
        let receiver = Lines::start_at(wire, &place, |_| Manner::Read);
        program.record(6..=9).delivers();
        let first = if spool.is_on() { 1 } else { 6 };
        receiver.has_each_once(first..=9);
        let (delivered, lost) = program.alike(|account| (account.delivered, account.dropped.total()));
        assert_eq!((delivered, lost), (10 - first, first - 1));
    });
}

/// As much as there is room for, and more than can be on its way.
pub(crate) fn record_much(program: &Program) {
    for end in (0..MUCH).step_by(160).map(|begin| begin + 160) {
        program.record_with(end - 159..=end, &"x".repeat(15_000)).beside_has(end);
    }
    assert_eq!(program.account(Signal::Metrics).dropped.total(), 0);
}
