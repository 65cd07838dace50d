//! Receivers that let one wait, and that ask to be waited for.

use std::time::{Duration, Instant, SystemTime};

use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Gate, Receiver};

use super::{PATHS, url};

#[test]
fn a_request_without_an_answer_ends_with_its_time_out_and_is_made_again() {
    let receiver =
        Receiver::otlp(|request| if request.number == 1 { Act::Hang(Vec::new()) } else { Act::ok() });
    let program = Program::start(&format!("{}&timeout_ms=2000", url(receiver.address)));
    program.record(1..=5).beside_has(5);
    assert!(program.flush().is_complete());
    receiver.has_each_once(1..=5);
    let said = program.said();
    assert!(said[0].contains("no answer within the time-out"), "{said:?}");
}

/// Also the exporter beside, long before the time-out.
#[test]
fn what_hangs_holds_up_no_other_signal() {
    let receiver =
        Receiver::otlp(|request| if request.path == PATHS[0] { Act::Hang(Vec::new()) } else { Act::ok() });
    let program = Program::start(&format!("otlp://{}?timeout_ms=3600000", receiver.address));
    program.collector.counter("orders").add(3_u64);
    program.record(1..=5).beside_has(5);
    receiver.wait_for(PATHS[0], 1);
    receiver.wait_for(PATHS[1], 1);
    let metrics = receiver.wait_for("/v1/metrics", 1);
    assert!(metrics[0].0.items.metrics.contains(&"orders".to_owned()), "{metrics:?}");
    receiver.has_logs((1..=5).map(|id| (id, 1)));
    receiver.has_spans([]);
    program.collector.shutdown(Duration::from_millis(200));
}

#[test]
fn a_slow_answer_is_waited_for() {
    let gate = Gate::default();
    let waits = gate.clone();
    let receiver = Receiver::otlp(move |request| match request.number {
        1 => Act::AnswerWhen(waits.clone(), Answer::ok()),
        _ => Act::AnswerInBits(Answer::ok()),
    });
    let program = Program::start(&url(receiver.address));
    program.record(1..=5).beside_has(5);
    PATHS.iter().for_each(|path| drop(receiver.wait_for(path, 1)));
    assert_eq!(program.alike(|account| (account.delivered, account.buffered)), (0, 5));
    gate.open();
    assert!(program.flush().is_complete());
    assert!(program.record(6..=9).flush().is_complete());
    receiver.has_each_once(1..=9);
    assert_eq!(program.said(), Vec::<String>::new());
}

#[test]
fn a_wait_that_the_receiver_asks_for_is_kept() {
    // In whole seconds, so at least two are left.
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    let seconds = || "2".to_owned();
    let cases: [(u16, fn() -> String); 4] = [(429, seconds), (503, seconds), (429, date), (503, date)];
    for (status, wish) in cases {
        let receiver = Receiver::otlp(move |request| {
            let busy = Answer::of(status).header("retry-after", &wish());
            if request.number == 1 { busy.into() } else { Act::ok() }
        });
        let program = Program::start(&url(receiver.address));
        program.record(1..=5).beside_has(5);
        for path in PATHS {
            let seen = receiver.wait_for(path, 2);
            // One second is what is kept in any case, also while somebody waits.
            let wait = seen[1].1.duration_since(seen[0].1);
            assert!(wait >= Duration::from_millis(900), "{status}: {wait:?}");
        }
        assert!(program.flush().is_complete());
        receiver.has_each_once(1..=5);
        let said = program.said();
        assert!(said[0].contains(&format!("answered {status} ")), "{said:?}");
    }
}

/// A program does not end later for it.
#[test]
fn a_wait_of_ten_minutes_is_not_kept_by_a_shutdown() {
    let receiver = Receiver::otlp(|request| {
        let busy = Answer::of(503).header("retry-after", "600");
        if request.number == 1 { busy.into() } else { Act::ok() }
    });
    let program = Program::start(&url(receiver.address));
    program.record(1..=5).beside_has(5);
    receiver.wait_for(PATHS[0], 1);
    let begin = Instant::now();
    assert!(program.collector.shutdown(telemetry_tests::SOON).is_complete());
    assert!(begin.elapsed() < telemetry_tests::SOON);
    receiver.has_each_once(1..=5);
}

#[test]
fn without_a_wish_it_is_tried_again_until_it_is_given_up() {
    for status in [429, 503] {
        let receiver = Receiver::otlp(move |_| Act::status(status));
        let program = Program::start(&format!("{}&give_up_after_ms=2000", url(receiver.address)));
        program.record(1..=5).beside_has(5);
        assert!(!program.flush().is_complete());
        let (delivered, lost) = program.alike(|account| (account.delivered, account.dropped));
        assert_eq!((delivered, lost.by(Reason::Expired), lost.total()), (0, 5, 5));
        assert!(receiver.seen(PATHS[0]).len() > 1);
        receiver.has_each_once([]);
    }
}
