//! Connections that are refused, reset, closed while nobody uses them, and made again.

use std::collections::HashSet;

use telemetry_layer::Signal;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Form, Receiver, Setup, refusing};

use super::spools::{each_spool, gives_up};

#[test]
fn a_refused_connection_is_made_again_when_somebody_listens() {
    each_spool(Form::EACH, |form, spool| {
        let address = refusing();
        let program = Program::with_spool(&form.url(address, ""), spool);
        program.record(1..=50).beside_has(50);
        program.has_said_something();
        assert_eq!(program.waiting(), 50);
        let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
        assert!(program.delivers());
        receiver.has_each_once(1..=50);
        let said = program.said();
        assert!(said[0].contains("no connection: Connection refused"), "{said:?}");
    });
}

#[test]
fn a_request_that_is_reset_in_the_middle_is_sent_again() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = Setup::new(form).cut(2).start(move |_| form.ok().into());
        // What goes over the same connection at that time may be taken, and its answer lost.
        let alone = if form.is_grpc() { format!("in_flight=1&{}", form.one_signal()) } else { String::new() };
        let program = Program::with_spool(&form.url(receiver.address, &alone), spool);
        // More than the buffers of a socket hold.
        assert!(program.record_with(1..=100, &"x".repeat(30_000)).delivers());
        let signals = if form.is_grpc() { &form.signals()[..1] } else { form.signals() };
        signals.iter().for_each(|signal| receiver.has(*signal, (1..=100).map(|id| (id, 1))));
        assert_eq!(program.alike(|account| account.delivered), 100);
    });
}

/// These are the only ones that come twice: nobody knows whether they were taken.
#[test]
fn what_was_taken_without_an_answer_comes_twice_and_nothing_else() {
    each_spool(Form::EACH, |form, spool| {
        for begin in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
            for end in [Act::Reset, Act::Close] {
                let receiver =
                    form.receiver(
                        move |request| {
                            if request.number == 1 { end(begin.into()) } else { form.ok().into() }
                        },
                    );
                // One signal: what goes over the same connection at that time would be lost with it.
                let program = Program::with_spool(&form.url(receiver.address, &form.one_signal()), spool);
                assert!(program.record(1..=5).delivers());
                assert!(program.record(6..=9).delivers());
                receiver.has(form.signals()[0], (1..=9).map(|id| (id, if id <= 5 { 2 } else { 1 })));
                assert_eq!(program.alike(|account| account.delivered), 9);
            }
        }
    });
}

#[test]
fn an_idle_connection_that_the_receiver_closes_is_replaced_without_a_word() {
    each_spool(Form::EACH, |form, spool| {
        let ends: [fn(Answer) -> Act; 2] = [Act::AnswerAndClose, Act::AnswerAndEnd];
        for end in ends {
            let receiver = form.receiver(move |_| end(form.ok()));
            let program = Program::with_spool(&form.url(receiver.address, &form.one_signal()), spool);
            for id in 1..=20 {
                assert!(program.record([id]).delivers());
            }
            receiver.has(form.signals()[0], (1..=20).map(|id| (id, 1)));
            // In gRPC a request may come before the other side knows of the end of its connection, and is served then.
            let used = connections(&receiver).len();
            assert!(if form.is_grpc() { used > 10 } else { used == 20 }, "{used}");
            assert_eq!(program.said(), Vec::<String>::new());
        }
    });
}

#[test]
fn connections_are_used_again() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(move |_| form.ok().into());
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        for id in 1..=20 {
            assert!(program.record([id]).delivers());
        }
        let used = connections(&receiver);
        // One for each request that is out at once, the check's, and those that were begun before another one was free.
        assert!(used.iter().all(|connection| *connection <= 10), "{used:?}");
    });
}

#[test]
fn a_receiver_that_restarts_at_its_place_gets_what_came_meanwhile() {
    each_spool(Form::EACH, |form, spool| {
        let first = form.receiver(move |_| form.ok().into());
        let address = first.address;
        let program = Program::with_spool(&form.url(address, ""), spool);
        assert!(program.record(1..=10).delivers());
        first.has_each_once(1..=10);
        drop(first);
        program.record(11..=20).beside_has(20);
        let second = Setup::new(form).start_at(address, move |_| form.ok().into());
        assert!(program.delivers());
        second.has_each_once(11..=20);
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (20, 0));
    });
}

/// It took nothing of what it was asked when it ended.
#[test]
fn a_receiver_that_ends_with_requests_in_its_hands_gets_them_again_when_it_is_back() {
    each_spool(Form::EACH, |form, spool| {
        let first = form.receiver(|_| Act::Hang(Vec::new()));
        let address = first.address;
        let program = Program::with_spool(&form.url(address, ""), spool);
        program.record(1..=10).beside_has(10);
        form.signals().iter().for_each(|signal| drop(first.wait_for(*signal, 1)));
        drop(first);
        let second = Setup::new(form).start_at(address, move |_| form.ok().into());
        assert!(program.delivers());
        second.has_each_once(1..=10);
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (10, 0));
    });
}

/// A part of its name is longer than any may be, so no server has to be asked, which might take its time.
#[test]
fn a_host_that_has_no_address_is_named() {
    each_spool(Form::EACH, |form, spool| {
        let host = format!("{}.invalid", "nobody".repeat(11));
        let options = "give_up_after_ms=1";
        let program = Program::with_spool(&form.named(&format!("me:hush-hush@{host}"), options), spool);
        program.record(1..=5).beside_has(5);
        gives_up(&program, spool, 5);
        program.has_said_something();
        let said = program.said();
        assert!(said[0].contains(&host), "{said:?}");
        assert!(said[0].contains("the name of the host can't be looked up"), "{said:?}");
        assert!(said.iter().all(|text| !text.contains("hush")), "{said:?}");
    });
}

fn connections(receiver: &Receiver) -> HashSet<u32> {
    let seen = [Signal::Spans, Signal::Events, Signal::Metrics].map(|signal| receiver.seen(signal));
    seen.iter().flatten().map(|(request, _)| request.connection).collect()
}
