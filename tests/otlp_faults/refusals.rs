//! Answers that say no: to a request, to a part of it, to one item.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Receiver, Request};

use super::{PATHS, url};

/// A status, what comes with it, whether its items are sent again, and what is said.
type Case = (u16, (&'static str, &'static str), &'static str, bool, &'static str);

const CASES: [Case; 14] = [
    (400, ("x-a", "b"), "bad", false, "400 Bad Request: bad"),
    (401, ("x-a", "b"), "who is hush-hush?", true, "401 Unauthorized: who is ***?"),
    (403, ("x-a", "b"), "", true, "403 Forbidden"),
    (404, ("x-a", "b"), "", false, "404 Not Found"),
    (405, ("allow", "GET"), "", false, "405 Method Not Allowed"),
    (408, ("x-a", "b"), "", true, "408 Request Timeout"),
    (415, ("x-a", "b"), "", false, "415 Unsupported Media Type"),
    (429, ("retry-after", "Fri, 27 Nov 2020 12:00:00 GMT"), "", true, "429 Too Many Requests"),
    (429, ("retry-after", "soon"), "", true, "429 Too Many Requests"),
    (500, ("x-a", "b"), "oh", false, "500 Internal Server Error: oh"),
    (502, ("content-type", "text/html"), "<html>no</html>", true, "502 Bad Gateway"),
    (503, ("retry-after", "600"), "", true, "503 Service Unavailable"),
    (504, ("x-a", "b"), "", true, "504 Gateway Timeout"),
    (302, ("location", "http://elsewhere/"), "", false, "redirects"),
];

#[test]
fn each_status_means_what_the_specification_says() {
    std::thread::scope(|scope| {
        CASES.iter().for_each(|case| drop(scope.spawn(|| status(case))));
    });
}

fn status(&(status, header, body, again, said): &Case) {
    let receiver = Receiver::otlp(move |request| {
        let refusal = Answer::of(status).header(header.0, header.1).body(body);
        if request.number == 1 { refusal.into() } else { Act::ok() }
    });
    let program = Program::start(&format!("{}&token=hush-hush", url(receiver.address)));
    assert_eq!(program.record(1..=3).flush().is_complete(), again, "{status}");
    program.beside_has(3);
    let delivered = if again { 3 } else { 0 };
    let counts = program.alike(|account| (account.delivered, account.rejected, account.dropped.total()));
    assert_eq!(counts, (delivered, 3 - delivered, 0), "{status}");
    receiver.has_each_once(1..=delivered);
    let all = program.said();
    assert!(all[0].contains(said) && all[0].contains(&receiver.address.to_string()), "{all:?}");
    assert!(all.iter().all(|text| !text.contains("hush")), "{all:?}");
}

#[test]
fn one_signal_that_is_refused_leaves_the_others_alone() {
    let refuses = |request: &Request| {
        if request.path == PATHS[0] { Act::status(404) } else { Act::ok() }
    };
    let receiver = Receiver::otlp(refuses);
    let program = Program::start(&format!("otlp://{}", receiver.address));
    program.collector.counter("orders").add(3_u64);
    assert!(!program.record(1..=5).flush().is_complete());
    program.beside_has(5);
    assert_eq!(program.account(telemetry_layer::Signal::Spans).rejected, 5);
    assert_eq!(program.account(telemetry_layer::Signal::Events).delivered, 5);
    let metrics: Vec<_> = receiver.taken().into_iter().flat_map(|items| items.metrics).collect();
    assert!(metrics.contains(&"orders".to_owned()), "{metrics:?}");
}

#[test]
fn requests_that_are_too_large_are_halved_and_one_item_alone_is_refused() {
    let receiver = Receiver::otlp(|request| {
        let is_too_large = request.items.len() > 10 || request.items.has(7);
        if is_too_large { Act::status(413) } else { Act::ok() }
    });
    let program = Program::start(&url(receiver.address));
    assert!(!program.record(1..=100).flush().is_complete());
    program.beside_has(100);
    assert_eq!(program.alike(|account| (account.delivered, account.rejected)), (99, 1));
    receiver.has_each_once((1..=100).filter(|id| *id != 7));
    let said = program.said();
    assert!(said.iter().all(|text| text.contains("413 Payload Too Large")), "{said:?}");
}

#[test]
fn one_poisoned_item_is_found_and_all_others_arrive() {
    let receiver = Receiver::otlp(|request| if request.items.has(7) { Act::status(503) } else { Act::ok() });
    let program = Program::start(&url(receiver.address));
    program.record(1..=20);
    // Others come meanwhile, by which one sees that the receiver is there.
    let mut next = 100;
    let begin = std::time::Instant::now();
    let rejected = |signal| program.account(signal).rejected;
    let both = [telemetry_layer::Signal::Spans, telemetry_layer::Signal::Events];
    while both.map(rejected) != [1; 2] && begin.elapsed() < telemetry_tests::SOON * 3 {
        program.record([next]).collector.flush(std::time::Duration::from_millis(100));
        next += 1;
    }
    program.flush();
    program.beside_has(20 + next - 100);
    let counts = program.alike(|account| (account.rejected, account.dropped.total(), account.buffered));
    assert_eq!(counts, (1, 0, 0));
    receiver.has_each_once((1..=20).filter(|id| *id != 7).chain(100..next));
}

#[test]
fn what_a_poisoned_item_goes_with_expires_where_nothing_shows_that_the_receiver_is_there() {
    let receiver = Receiver::otlp(|request| if request.items.has(7) { Act::status(503) } else { Act::ok() });
    let program = Program::start(&format!("{}&give_up_after_ms=300", url(receiver.address)));
    assert!(program.record(1..=5).flush().is_complete());
    assert!(!program.record(6..=9).flush().is_complete());
    program.beside_has(9);
    let (delivered, lost) = program.alike(|account| (account.delivered, account.dropped));
    assert_eq!((delivered, lost.by(Reason::Expired), lost.total()), (5, 4, 4));
    receiver.has_each_once(1..=5);
}

#[test]
fn what_a_receiver_rejects_of_a_request_is_counted_and_not_sent_again() {
    for (rejected, delivered) in [(2, 3), (5, 0), (1 << 40, 0), (0, 5), (-1, 5)] {
        let receiver = Receiver::otlp(move |request| partly(request, rejected));
        let program = Program::start(&url(receiver.address));
        assert_eq!(program.record(1..=5).flush().is_complete(), delivered == 5, "{rejected}");
        program.beside_has(5);
        assert_eq!(
            program.alike(|account| (account.delivered, account.rejected)),
            (delivered, 5 - delivered)
        );
        receiver.has_each_once(1..=5);
        let said = program.said();
        assert!(said.iter().all(|text| text == "some have no name") && said.len() == 2, "{said:?}");
    }
}

fn partly(request: &Request, rejected: i64) -> Act {
    let error_message = "some have no name".to_owned();
    let body = if request.path == PATHS[0] {
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    } else {
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message };
        ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    Answer::ok().body(body).into()
}
