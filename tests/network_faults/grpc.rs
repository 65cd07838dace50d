//! What only gRPC has: codes, streams that end by themselves, and answers that are none of gRPC.

use telemetry_layer::Signal;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Form, REFUSED_STREAM};
use telemetry_tests::spool::Spool;

use super::spools::each_spool;

const FORM: Form = Form::OtlpGrpc;

/// A code, its name, and whether its items are sent again.
const CODES: [(u32, &str, bool); 17] = [
    (1, "CANCELLED", true),
    (2, "UNKNOWN", false),
    (3, "INVALID_ARGUMENT", false),
    (4, "DEADLINE_EXCEEDED", true),
    (5, "NOT_FOUND", false),
    (6, "ALREADY_EXISTS", false),
    (7, "PERMISSION_DENIED", true),
    (8, "RESOURCE_EXHAUSTED", false),
    (9, "FAILED_PRECONDITION", false),
    (10, "ABORTED", true),
    (11, "OUT_OF_RANGE", true),
    (12, "UNIMPLEMENTED", false),
    (13, "INTERNAL", false),
    (14, "UNAVAILABLE", true),
    (15, "DATA_LOSS", true),
    (16, "UNAUTHENTICATED", true),
    (4711, "UNKNOWN", false),
];

/// Whether the code comes instead of an answer or behind one.
#[test]
fn each_code_means_what_the_specification_says() {
    each_spool(
        CODES.into_iter().flat_map(|case| [(case, false), (case, true)]),
        |((code, name, again), has_body), spool| {
            let refusal = Answer::grpc(code, "what a pity");
            refused(
                if has_body { refusal.body([0; 5]) } else { refusal },
                again,
                &format!("{name}: what a pity"),
                spool,
            );
        },
    );
}

#[test]
fn what_a_proxy_answers_in_plain_http_counts_as_its_status() {
    let plain = |status: u16| Answer::of(status).header("content-type", "text/plain").body("who?");
    each_spool(
        [
            (400, false, "400 Bad Request: who?"),
            (401, true, "401 Unauthorized: who?"),
            (403, true, "403 Forbidden: who?"),
            (404, false, "404 Not Found: who?"),
            (429, true, "429 Too Many Requests: who?"),
            (500, false, "500 Internal Server Error: who?"),
            (502, true, "502 Bad Gateway: who?"),
            (503, true, "503 Service Unavailable: who?"),
            (504, true, "504 Gateway Timeout: who?"),
        ],
        |(status, again, said), spool| refused(plain(status), again, said, spool),
    );
}

/// A page of a server for people.
#[test]
fn a_yes_that_is_not_one_of_grpc_is_no_yes() {
    each_spool([FORM], |_, spool| {
        let page = Answer::of(200).header("content-type", "text/html").body("<html>welcome</html>");
        let receiver = FORM.receiver(move |_| page.clone().into());
        let program = Program::with_spool(&FORM.url(receiver.address, ""), spool);
        assert!(!program.record(1..=3).delivers());
        assert_eq!(program.alike(|account| (account.delivered, account.rejected)), (0, 3));
        let all = program.said();
        assert!(all[0].contains("the answer is not one of gRPC"), "{all:?}");
    });
}

#[test]
fn a_yes_is_a_yes_whatever_its_message_is() {
    each_spool([FORM], |_, spool| {
        let messages = [vec![0xff; 20], vec![0; 9000], vec![0x0a, 5, 8]].map(|message| FORM.yes(message));
        // Frames that are none, one that is compressed, and some that break off.
        let frames: [&[u8]; 5] = [&[], &[7], &[1, 0, 0, 0, 2, 3, 3], &[0, 0, 0, 0, 9, 3], &[0xff; 9]];
        for answer in messages.into_iter().chain(frames.map(|frame| FORM.ok().body(frame))) {
            let said = format!("{:?}", answer.body);
            let receiver = FORM.receiver(move |_| answer.clone().into());
            let program = Program::with_spool(&FORM.url(receiver.address, ""), spool);
            assert!(program.record(1..=5).delivers(), "{said}");
            receiver.has_each_once(1..=5);
        }
    });
}

/// Nobody knows whether it was taken.
#[test]
fn an_answer_without_a_status_is_none() {
    each_spool([FORM], |_, spool| {
        let receiver = FORM.receiver(|request| {
            let without = Answer { trailers: Vec::new(), ..FORM.ok() };
            if request.number == 1 { without.into() } else { FORM.ok().into() }
        });
        let program = Program::with_spool(&FORM.url(receiver.address, ""), spool);
        assert!(program.record(1..=5).delivers());
        receiver.has(Signal::Spans, (1..=5).map(|id| (id, 2)));
        let all = program.said();
        assert!(all[0].contains("the answer ended without a status"), "{all:?}");
    });
}

/// The connection stays. What was refused without a look at it is the only one that was not taken.
#[test]
fn a_stream_that_is_reset_is_made_again() {
    const INTERNAL_ERROR: u32 = 2;
    const CANCEL: u32 = 8;
    const ENHANCE_YOUR_CALM: u32 = 11;
    each_spool([REFUSED_STREAM, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM], |code, spool| {
        let receiver =
            FORM.receiver(
                move |request| if request.number == 1 { Act::ResetStream(code) } else { FORM.ok().into() },
            );
        let program = Program::with_spool(&FORM.url(receiver.address, ""), spool);
        assert!(program.record(1..=5).delivers());
        let times = if code == REFUSED_STREAM { 1 } else { 2 };
        [Signal::Spans, Signal::Events]
            .iter()
            .for_each(|signal| receiver.has(*signal, (1..=5).map(|id| (id, times))));
        assert_eq!(program.alike(|account| account.delivered), 5);
        let seen = receiver.seen(Signal::Spans);
        assert!(seen.iter().all(|(request, _)| request.connection == seen[0].0.connection), "{seen:?}");
    });
}

/// The first request is answered so.
fn refused(refusal: Answer, again: bool, said: &str, spool: Spool) {
    let receiver = FORM.receiver(
        move |request| {
            if request.number == 1 { refusal.clone().into() } else { FORM.ok().into() }
        },
    );
    let program = Program::with_spool(&FORM.url(receiver.address, ""), spool);
    assert_eq!(program.record(1..=3).delivers(), again);
    program.beside_has(3);
    let delivered = if again { 3 } else { 0 };
    assert_eq!(program.alike(|account| (account.delivered, account.rejected)), (delivered, 3 - delivered));
    receiver.has_each_once(1..=delivered);
    let all = program.said();
    assert!(all[0].contains(said) && all[0].contains(&receiver.address.to_string()), "{all:?}");
}
