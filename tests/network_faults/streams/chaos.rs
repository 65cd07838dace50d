//! All faults in turn, in an order that a seed chooses, with a spool and without one: each while nothing is in flight, so that
//! nothing may be lost and nothing come twice.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{End, Lines, Manner, Place, Wire};

use super::super::chaos::{each_seed, number};
use super::super::ending::FOR_EVER;

const ROUNDS: u64 = 24;

/// `TELEMETRY_FAULT_SEED` and `TELEMETRY_FAULT_SEEDS` are those of the other chaos.
#[test]
fn whatever_a_receiver_does_between_requests_each_item_comes_once() {
    each_seed(Wire::EACH, |wire, spool, seed| {
        let place = Place::of(wire);
        let program = Program::with_spool(&wire.url(&place, FOR_EVER), spool);
        let mut next = 1;
        for round in 0..ROUNDS {
            let n = number((seed, round));
            let ids = next..=next + n % 50;
            next = ids.end() + 1;
            if n.is_multiple_of(3) {
                // It comes back when things wait for it.
                program.record(ids.clone()).beside_has(*ids.end());
                program.has_said_something();
            } else {
                program.record(ids.clone());
            }
            let receiver = Lines::start_at(wire, &place, move |_| match n / 3 % 5 {
                2 => Manner::ReadSlowly,
                3 => Manner::SayToEach(b"\xff what?\n".to_vec()),
                _ => Manner::Read,
            });
            program.drain();
            receiver.has_each_once(ids);
            if let end @ (0 | 1) = n / 3 % 5 {
                receiver.end_connections(if end == 0 { End::Close } else { End::Reset });
                let more = next..=next + 3;
                next = more.end() + 1;
                program.record(more.clone()).drain();
                receiver.wait_for(more);
                assert!(receiver.ids().values().all(|times| *times == 1), "{:?}", receiver.ids());
            }
            program.beside_has(next - 1);
        }
        let all = next - 1;
        // What a receiver complains of counts as rejected where that is read.
        let counts = program.alike(|account| {
            (account.delivered + account.rejected, account.dropped.total(), account.buffered)
        });
        assert_eq!(counts, (all, 0, 0), "{:?}", program.said_so_far());
    });
}
