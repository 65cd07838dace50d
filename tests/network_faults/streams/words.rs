//! Receivers that say something where nothing has to be said.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Lines, Manner, Wire};

use super::super::spools::each_spool;
use super::super::table::{NeedsOfWire, wires};

#[test]
fn what_a_receiver_says_of_a_line_is_told() {
    each_spool(wires(NeedsOfWire::Words), |wire, spool| {
        let receiver = Lines::start(wire, move |_| Manner::SayToEach(wire.complaint("who is\x1b[31m that?")));
        let program = Program::with_spool(&wire.url(&receiver.place, ""), spool);
        for id in 1..=20 {
            program.record([id]).delivers();
            receiver.wait_for([id]);
        }
        program.has_said_something();
        let said = program.said();
        assert!(said.iter().any(|text| text.contains("who is")), "{said:?}");
        assert!(said.iter().all(|text| text.len() < 400 && !text.contains('\x1b')), "{said:?}");
        receiver.has_each_once(1..=20);
    });
}

/// Whatever it says, what is recorded goes on.
#[test]
fn words_without_end_hold_up_nothing() {
    let texts: [&[u8]; 4] = [b"no\n", b"\xff\x00\r\n\r\n", &[b'x'; 10_000], b"\n"];
    let cases = Wire::EACH.into_iter().flat_map(|wire| texts.map(|text| (wire, text)));
    each_spool(cases, |(wire, text), spool| {
        let receiver = Lines::start(wire, |_| Manner::Flood(text.repeat(9)));
        let program = Program::with_spool(&wire.url(&receiver.place, ""), spool);
        for id in 1..=20 {
            program.record([id]).delivers();
            receiver.wait_for([id]);
        }
        receiver.has_each_once(1..=20);
        let account = program.alike(|account| (account.dropped.total(), account.buffered));
        assert_eq!(account, (0, 0));
        let said = program.said();
        assert!(said.len() <= 40 && said.iter().all(|text| text.len() < 400), "{said:?}");
    });
}
