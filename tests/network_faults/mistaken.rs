//! Ports where somebody speaks something else.

use std::time::Duration;

use telemetry_layer::ledger::Reason;
use telemetry_tests::each;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Authority, Form, Receiver, Setup};

#[test]
fn what_speaks_grpc_takes_nothing_of_http_and_the_other_way_round() {
    each(Form::EACH, |form| {
        let other = if form.is_grpc() { Form::Otlp } else { Form::OtlpGrpc };
        let receiver = other.receiver(move |_| other.ok().into());
        nothing_is_taken(&form.url(receiver.address, ""), &receiver);
    });
}

/// The receiver names no protocol while TLS begins, and speaks HTTP/1.1.
#[test]
fn grpc_takes_no_other_protocol_over_tls_for_its_own() {
    let authority = Authority::new();
    let setup = Setup::new(Form::Otlp).tls(authority.server("127.0.0.1"));
    let receiver = setup.start(|_| Form::Otlp.ok().into());
    nothing_is_taken(&Form::OtlpGrpc.secure(receiver.address, &authority.ca(), ""), &receiver);
}

fn nothing_is_taken(url: &str, receiver: &Receiver) {
    let program = Program::start(url);
    program.record(1..=5).beside_has(5);
    program.has_said_something();
    assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
    let (delivered, lost) = program.alike(|account| (account.delivered, account.dropped));
    assert_eq!((delivered, lost.by(Reason::Deadline), lost.total()), (0, 5, 5));
    receiver.has_each_once([]);
    let said = program.said_so_far();
    assert!(said[0].contains(&receiver.address.to_string()), "{said:?}");
    // A receiver of gRPC says nothing that an exporter of HTTP would understand.
    let hint = "its port seems not to speak HTTP/2, which gRPC needs";
    assert!(!url.contains("grpc") || said.iter().any(|text| text.contains(hint)), "{said:?}");
}
