//! Answers over HTTP/1.1 that say nothing useful.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer};

use super::spools::each_spool;
use super::table::{Needs, forms};

#[test]
fn a_yes_is_a_yes_whatever_comes_with_it() {
    let html = || Answer::of(200).header("content-type", "text/html");
    let protobuf = || Answer::of(200).header("content-type", "application/x-protobuf");
    let json = || Answer::of(200).header("content-type", "application/json");
    let answers = [
        html().body("<html>welcome</html>"),
        html().body(vec![b'x'; 9 << 20]),
        json().body("{\"partialSuccess\":{}}"),
        json().body("{\"partialSuccess\":[[{}], 5"),
        json().body("null"),
        protobuf().body(vec![0xff; 20]),
        protobuf().body(vec![0; 9 << 20]),
        Answer::of(202),
        Answer::of(204),
        // Says that nothing was rejected in 5 bytes, of which one came.
        protobuf().body([0x0a, 5, 8]),
    ];
    each_spool(forms(Needs::Http1), |form, spool| {
        for answer in answers.clone() {
            let head = format!("{} {:?}", answer.status, answer.headers);
            let receiver = form.receiver(move |_| answer.clone().into());
            let program = Program::with_spool(&form.url(receiver.address, ""), spool);
            assert!(program.record(1..=5).delivers(), "{head}");
            assert!(program.record(6..=9).delivers(), "{head}");
            program.beside_has(9);
            receiver.has_each_once(1..=9);
            assert!(program.said().iter().all(|text| text.len() < 400), "{head}");
        }
    });
}

/// The status says that all was taken: nothing comes twice.
#[test]
fn an_answer_that_breaks_off_after_its_status_is_an_answer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\x0a";
    each_spool(forms(Needs::Http1), |form, spool| {
        for end in [Act::Close, Act::Hang] {
            let receiver = form.receiver(move |_| end(head.into()));
            let program = Program::with_spool(&form.url(receiver.address, ""), spool);
            assert!(program.record(1..=5).delivers());
            receiver.has_each_once(1..=5);
        }
    });
}

/// Nobody knows what it says, so the request is made again.
#[test]
fn bytes_that_are_no_http_are_no_answer() {
    let long = "x".repeat(1 << 20).into_bytes();
    each_spool(forms(Needs::Http1), |form, spool| {
        for garbage in
            [b"\xff\xfe\x00 nothing\r\n\r\n".to_vec(), b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), long.clone()]
        {
            let receiver = form.receiver(move |request| {
                if request.number == 1 { Act::Close(garbage.clone()) } else { form.ok().into() }
            });
            let program = Program::with_spool(&form.url(receiver.address, ""), spool);
            program.record(1..=5).beside_has(5);
            assert!(program.delivers());
            // Taken twice, as the answer was lost.
            receiver.has(form.signals()[0], (1..=5).map(|id| (id, 2)));
            let said = program.said();
            assert!(said.iter().all(|text| text.len() < 400), "{said:?}");
            assert!(said[0].contains(&receiver.address.to_string()), "{said:?}");
        }
    });
}

#[test]
fn a_refusal_may_be_of_any_size() {
    each_spool(forms(Needs::Http1), |form, spool| {
        let receiver = form.receiver(move |request| {
            let huge = Answer::of(503).body("full ".repeat(2 << 20));
            if request.number == 1 { huge.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        assert!(program.record(1..=5).delivers());
        receiver.has_each_once(1..=5);
        let said = program.said();
        assert!(said[0].contains("503 Service Unavailable: full full") && said[0].len() < 400, "{said:?}");
    });
}
