//! Ports where somebody speaks something else.

use std::time::Duration;

use telemetry_layer::ledger::Reason;
use telemetry_tests::each;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::Form;

use super::BOTH;

#[test]
fn what_speaks_grpc_takes_nothing_of_http_and_the_other_way_round() {
    each(Form::EACH, |form| {
        let other = if form.is_grpc() { Form::Otlp } else { Form::OtlpGrpc };
        let receiver = other.receiver(move |_| other.ok().into());
        let program = Program::start(&form.url(receiver.address, BOTH));
        program.record(1..=5).beside_has(5);
        program.has_said_something();
        assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
        let (delivered, lost) = program.alike(|account| (account.delivered, account.dropped));
        assert_eq!((delivered, lost.by(Reason::Deadline), lost.total()), (0, 5, 5));
        receiver.has_each_once([]);
        let said = program.said_so_far();
        assert!(said[0].contains(&receiver.address.to_string()), "{said:?}");
    });
}
