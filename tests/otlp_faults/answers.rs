//! Answers that say nothing useful.

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Receiver};

use super::url;

#[test]
fn a_yes_is_a_yes_whatever_comes_with_it() {
    let html = || Answer::of(200).header("content-type", "text/html");
    for answer in [
        html().body("<html>welcome</html>"),
        html().body(vec![b'x'; 9 << 20]),
        Answer::of(200).header("content-type", "application/json").body("{\"partialSuccess\":{}}"),
        Answer::ok().body(vec![0xff; 20]),
        Answer::ok().body(vec![0; 9 << 20]),
        Answer::of(202),
        Answer::of(204),
        // Says that nothing was rejected in 5 bytes, of which one came.
        Answer::ok().body([0x0a, 5, 8]),
    ] {
        let head = answer.headers.clone();
        let receiver = Receiver::otlp(move |_| answer.clone().into());
        let program = Program::start(&url(receiver.address));
        assert!(program.record(1..=5).flush().is_complete(), "{head}");
        assert!(program.record(6..=9).flush().is_complete(), "{head}");
        program.beside_has(9);
        receiver.has_each_once(1..=9);
        assert!(program.said().iter().all(|text| text.len() < 400), "{head}");
    }
}

/// Nobody knows what it says, so the request is made again.
#[test]
fn bytes_that_are_no_http_are_no_answer() {
    let long = "x".repeat(1 << 20).into_bytes();
    for garbage in [b"\xff\xfe\x00 nothing\r\n\r\n".to_vec(), b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), long] {
        let receiver =
            Receiver::otlp(
                move |request| {
                    if request.number == 1 { Act::Close(garbage.clone()) } else { Act::ok() }
                },
            );
        let program = Program::start(&url(receiver.address));
        program.record(1..=5).beside_has(5);
        assert!(program.flush().is_complete());
        // Taken twice, as the answer was lost.
        receiver.has_spans((1..=5).map(|id| (id, 2)));
        let said = program.said();
        assert!(said.iter().all(|text| text.len() < 400), "{said:?}");
        assert!(said[0].contains(&receiver.address.to_string()), "{said:?}");
    }
}

#[test]
fn a_refusal_may_be_of_any_size() {
    let receiver = Receiver::otlp(|request| {
        let huge = Answer::of(503).body("full ".repeat(2 << 20));
        if request.number == 1 { huge.into() } else { Act::ok() }
    });
    let program = Program::start(&url(receiver.address));
    assert!(program.record(1..=5).flush().is_complete());
    receiver.has_each_once(1..=5);
    let said = program.said();
    assert!(said[0].contains("503 Service Unavailable: full full") && said[0].len() < 400, "{said:?}");
}
