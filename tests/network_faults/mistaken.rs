//! Ports where somebody speaks something else.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Authority, Form, Receiver, Setup};
use telemetry_tests::spool::Spool;

use super::spools::{Speaks, each_spool, ends};

#[test]
fn what_speaks_grpc_takes_nothing_of_http_and_the_other_way_round() {
    each_spool(Form::EACH, |form, spool| {
        let other = if form.is_grpc() { Form::Otlp } else { Form::OtlpGrpc };
        let receiver = other.receiver(move |_| other.ok().into());
        nothing_is_taken(form, spool, &form.url(receiver.address, ""), &receiver);
    });
}

/// The receiver names no protocol while TLS begins, and speaks HTTP/1.1.
#[test]
fn grpc_takes_no_other_protocol_over_tls_for_its_own() {
    each_spool([Form::OtlpGrpc], |form, spool| {
        let authority = Authority::new();
        let setup = Setup::new(Form::Otlp).tls(authority.server("127.0.0.1"));
        let receiver = setup.start(|_| Form::Otlp.ok().into());
        nothing_is_taken(form, spool, &form.secure(receiver.address, &authority.ca(), ""), &receiver);
    });
}

fn nothing_is_taken(form: Form, spool: Spool, url: &str, receiver: &Receiver) {
    let program = Program::with_spool(url, spool);
    program.record(1..=5).beside_has(5);
    program.has_said_something();
    ends(&program, spool, 5);
    receiver.has_each_once([]);
    let said = program.said_so_far();
    assert!(said[0].contains(&receiver.address.to_string()), "{said:?}");
    // A receiver of gRPC says nothing that an exporter of HTTP would understand.
    let hint = "its port seems not to speak HTTP/2, which gRPC needs";
    assert!(!url.contains("grpc") || said.iter().any(|text| text.contains(hint)), "{said:?}");
    form.next_has(program, 1..=5);
}
