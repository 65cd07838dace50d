//! What goes wrong with TLS.

use std::time::Duration;

use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{self, Act, Authority, Receiver, Setup};

use super::url;

#[test]
fn a_receiver_that_is_trusted_gets_all() {
    let authority = Authority::new();
    let receiver = Setup::new(receiver::otlp).tls(authority.server("127.0.0.1")).start(|_| Act::ok());
    let program = Program::start(&secure(receiver.address, &authority));
    assert!(program.record(1..=5).flush().is_complete(), "{:?}", program.said());
    receiver.has_each_once(1..=5);
}

#[test]
fn what_is_wrong_is_said_in_plain_words_and_nothing_is_sent() {
    let (good, other) = (Authority::new(), Authority::new());
    let of = |name| Setup::new(receiver::otlp).tls(good.server(name)).start(|_| Act::ok());
    for (receiver, trusted, said) in [
        (of("127.0.0.1"), &other, "TLS failed: invalid peer certificate: UnknownIssuer"),
        (of("shop.example"), &good, "TLS failed: invalid peer certificate: certificate not valid"),
        // It speaks HTTP, and takes what comes for a request.
        (Receiver::otlp(|_| Act::ok()), &good, "tls"),
    ] {
        let program = Program::start(&secure(receiver.address, trusted));
        program.record(1..=5).beside_has(5);
        program.has_said_something();
        assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
        let lost = program.alike(|account| account.dropped);
        assert_eq!((lost.by(Reason::Deadline), lost.total()), (5, 5));
        receiver.has_each_once([]);
        let all = program.said_so_far();
        assert!(all.iter().any(|text| text.to_lowercase().contains(&said.to_lowercase())), "{said}: {all:?}");
        assert!(all.iter().all(|text| !text.contains("hush")), "{all:?}");
    }
}

/// A receiver that wants TLS gets HTTP.
#[test]
fn http_where_tls_is_spoken_is_not_taken_for_a_yes() {
    let authority = Authority::new();
    let receiver = Setup::new(receiver::otlp).tls(authority.server("127.0.0.1")).start(|_| Act::ok());
    let program = Program::start(&url(receiver.address));
    program.record(1..=5).beside_has(5);
    program.has_said_something();
    assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
    assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (0, 5));
    receiver.has_each_once([]);
}

fn secure(address: std::net::SocketAddr, trusted: &Authority) -> String {
    let ca = trusted.ca();
    format!("otlp+https://me:hush-hush@{address}?signals=spans,events&ca={}", ca.display())
}
