//! Connections that are refused, reset, closed while nobody uses them, and made again.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{self, Act, Answer, Receiver, Setup, refusing};

use super::{PATHS, url};

#[test]
fn a_refused_connection_is_made_again_when_somebody_listens() {
    let address = refusing();
    let program = Program::start(&url(address));
    program.record(1..=50).beside_has(50);
    assert_eq!(program.alike(|account| account.buffered), 50);
    let receiver = Setup::new(receiver::otlp).start_at(address, |_| Act::ok());
    assert!(program.flush().is_complete());
    receiver.has_each_once(1..=50);
    let said = program.said();
    assert!(said[0].contains("no connection: Connection refused"), "{said:?}");
}

#[test]
fn a_request_that_is_reset_in_the_middle_is_sent_again() {
    let receiver = Setup::new(receiver::otlp).cut(2).start(|_| Act::ok());
    let program = Program::start(&url(receiver.address));
    // More than the buffers of a socket hold.
    assert!(program.record_with(1..=100, &"x".repeat(30_000)).flush().is_complete());
    receiver.has_each_once(1..=100);
    assert_eq!(program.alike(|account| account.delivered), 100);
}

/// These are the only ones that come twice: nobody knows whether they were taken.
#[test]
fn what_was_taken_without_an_answer_comes_twice_and_nothing_else() {
    for begin in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        for end in [Act::Reset, Act::Close] {
            let receiver = Receiver::otlp(
                move |request| {
                    if request.number == 1 { end(begin.into()) } else { Act::ok() }
                },
            );
            let program = Program::start(&url(receiver.address));
            assert!(program.record(1..=5).flush().is_complete());
            assert!(program.record(6..=9).flush().is_complete());
            let times = (1..=9).map(|id| (id, if id <= 5 { 2 } else { 1 }));
            receiver.has_spans(times.clone());
            receiver.has_logs(times);
            assert_eq!(program.alike(|account| account.delivered), 9);
        }
    }
}

/// The status says that all was taken: nothing comes twice.
#[test]
fn an_answer_that_breaks_off_after_its_status_is_an_answer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\x0a";
    for end in [Act::Close, Act::Hang] {
        let receiver = Receiver::otlp(move |_| end(head.into()));
        let program = Program::start(&url(receiver.address));
        assert!(program.record(1..=5).flush().is_complete());
        receiver.has_each_once(1..=5);
    }
}

#[test]
fn an_idle_connection_that_the_receiver_closes_is_replaced_without_a_word() {
    let receiver = Receiver::otlp(|_| Act::AnswerAndClose(Answer::ok()));
    let program = Program::start(&url(receiver.address));
    for id in 1..=20 {
        assert!(program.record([id]).flush().is_complete());
    }
    receiver.has_each_once(1..=20);
    let connections: std::collections::HashSet<_> =
        PATHS.iter().flat_map(|path| receiver.seen(path)).map(|(request, _)| request.connection).collect();
    assert_eq!(connections.len(), 40);
    assert_eq!(program.said(), Vec::<String>::new());
}

#[test]
fn connections_are_used_again() {
    let receiver = Receiver::otlp(|_| Act::ok());
    let program = Program::start(&url(receiver.address));
    for id in 1..=20 {
        assert!(program.record([id]).flush().is_complete());
    }
    let seen = receiver.seen(PATHS[0]);
    // One for each request that is out at once, the check's, and those that were begun before another one was free.
    assert!(seen.iter().all(|(request, _)| request.connection <= 10), "{seen:?}");
}

#[test]
fn a_receiver_that_restarts_at_its_place_gets_what_came_meanwhile() {
    let first = Receiver::otlp(|_| Act::ok());
    let address = first.address;
    let program = Program::start(&url(address));
    assert!(program.record(1..=10).flush().is_complete());
    first.has_each_once(1..=10);
    drop(first);
    program.record(11..=20).beside_has(20);
    let second = Setup::new(receiver::otlp).start_at(address, |_| Act::ok());
    assert!(program.flush().is_complete());
    second.has_each_once(11..=20);
    assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (20, 0));
}

#[test]
fn a_host_that_has_no_address_is_named() {
    let url = "otlp://me:hush-hush@nobody.invalid?signals=spans,events&give_up_after_ms=1";
    let program = Program::start(url);
    program.record(1..=5).beside_has(5);
    assert!(!program.flush().is_complete());
    let lost = program.alike(|account| account.dropped);
    assert_eq!((lost.by(telemetry_layer::ledger::Reason::Expired), lost.total()), (5, 5));
    let said = program.said();
    assert!(said[0].contains("nobody.invalid"), "{said:?}");
    assert!(said[0].contains("the name of the host can't be looked up"), "{said:?}");
    assert!(said.iter().all(|text| !text.contains("hush")), "{said:?}");
}
