//! What goes wrong with TLS.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Authority, Form, Setup};

use super::spools::{Speaks, each_spool, ends};

#[test]
fn a_receiver_that_is_trusted_gets_all() {
    each_spool(Form::EACH, |form, spool| {
        let authority = Authority::new();
        let setup = Setup::new(form).tls(authority.server("127.0.0.1"));
        let receiver = setup.start(move |_| form.ok().into());
        let program = Program::with_spool(&form.secure(receiver.address, &authority.ca(), ""), spool);
        assert!(program.record(1..=5).delivers(), "{:?}", program.said());
        receiver.has_each_once(1..=5);
    });
}

#[test]
fn what_is_wrong_is_said_in_plain_words_and_nothing_is_sent() {
    each_spool(Form::EACH, |form, spool| {
        let (good, other) = (Authority::new(), Authority::new());
        let of = |name| Setup::new(form).tls(good.server(name)).start(move |_| form.ok().into());
        for (receiver, trusted, said) in [
            (of("127.0.0.1"), &other, "TLS failed: invalid peer certificate: UnknownIssuer"),
            (of("shop.example"), &good, "TLS failed: invalid peer certificate: certificate not valid"),
            // It speaks no TLS, and takes what comes for a request.
            (form.receiver(move |_| form.ok().into()), &good, "tls"),
        ] {
            let program = Program::with_spool(&form.secure(receiver.address, &trusted.ca(), ""), spool);
            program.record(1..=5).beside_has(5);
            program.has_said_something();
            ends(&program, spool, 5);
            receiver.has_each_once([]);
            let all = program.said_so_far();
            let is_said = |text: &String| text.to_lowercase().contains(&said.to_lowercase());
            assert!(all.iter().any(is_said), "{said}: {all:?}");
            assert!(all.iter().all(|text| !text.contains("hush")), "{all:?}");
            form.next_has(program, 1..=5);
        }
    });
}

/// A receiver that wants TLS gets none.
#[test]
fn no_tls_where_tls_is_spoken_is_not_taken_for_a_yes() {
    each_spool(Form::EACH, |form, spool| {
        let authority = Authority::new();
        let setup = Setup::new(form).tls(authority.server("127.0.0.1"));
        let receiver = setup.start(move |_| form.ok().into());
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        program.record(1..=5).beside_has(5);
        program.has_said_something();
        ends(&program, spool, 5);
        receiver.has_each_once([]);
        form.next_has(program, 1..=5);
    });
}
