//! Wires over streams that acknowledge nothing. What is sent to a receiver that reads all comes once; only when the backend goes is up
//! to the test, so nothing is in flight then.

use std::path::Path;

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Lines, Manner, Place, Wire};
use telemetry_tests::{SOON, each};

use super::{files, two_store_all};

fn url(wire: Wire, place: &Place, directory: &Path, more: &str) -> String {
    wire.url(place, &format!("linger_ms=1&spool={}{more}", directory.display()))
}

fn delivered_and_spooled(program: &Program) -> (u64, u64) {
    program.alike(|account| {
        assert_eq!((account.rejected, account.dropped.total(), account.buffered), (0, 0, 0));
        (account.delivered, account.spooled)
    })
}

#[test]
fn what_is_recorded_while_the_backend_is_away_comes_when_it_is_back() {
    each(Wire::EACH, |wire| {
        let (place, directory) = (Place::of(wire), tempfile::tempdir().unwrap());
        let program = Program::start(&url(wire, &place, directory.path(), ""));
        let mut next = 1;
        for round in 0..3 {
            for _ in 0..3 {
                program.record(next..next + 100);
                assert!(program.flush().is_complete(), "what is stored is not lost");
                next += 100;
            }
            program.beside_has(next - 1);
            let stored = delivered_and_spooled(&program);
            assert_eq!(stored, (next - 1 - 300, 300), "{round}");
            let receiver = Lines::start_at(wire, &place, |_| Manner::Read);
            program.drain();
            receiver.has_each_once(next - 300..next);
            assert_eq!(delivered_and_spooled(&program), (next - 1, 0));
        }
        assert!(program.collector.shutdown(SOON).is_complete());
        assert!(files(directory.path()).is_empty(), "{:?}", files(directory.path()));
    });
}

#[test]
fn the_next_process_sends_what_this_one_could_not() {
    each(Wire::EACH, |wire| {
        let (place, directory) = (Place::of(wire), tempfile::tempdir().unwrap());
        let url = url(wire, &place, directory.path(), "");
        two_store_all(&url);
        let receiver = Lines::start_at(wire, &place, |_| Manner::Read);
        let program = Program::start(&url);
        receiver.wait_for(1..=200);
        program.drain();
        receiver.has_each_once(1..=200);
        assert_eq!(program.alike(|account| (account.accepted, account.recovered)), (0, 200));
        assert_eq!(delivered_and_spooled(&program), (200, 0));
    });
}

#[test]
fn with_always_all_is_on_disk_before_it_is_sent() {
    each(Wire::EACH, |wire| {
        let (place, directory) = (Place::of(wire), tempfile::tempdir().unwrap());
        let program = Program::start(&url(wire, &place, directory.path(), "&spool_mode=always"));
        program.record(1..=100);
        assert!(program.flush().is_complete());
        assert_eq!(delivered_and_spooled(&program), (0, 100));
        let receiver = Lines::start_at(wire, &place, |_| Manner::Read);
        program.drain();
        program.record(101..=200);
        assert!(program.collector.shutdown(SOON).is_complete());
        receiver.has_each_once(1..=200);
        assert_eq!(delivered_and_spooled(&program), (200, 0));
        assert!(files(directory.path()).is_empty());
    });
}
