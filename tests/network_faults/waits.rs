//! Receivers that let one wait, and that ask to be waited for.

use std::time::{Duration, Instant};

use telemetry_layer::Signal;
use telemetry_tests::SOON;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Fault, Form, Gate, Wait};
use telemetry_tests::spool::Spool;

use super::ending::FOR_EVER;
use super::spools::{Speaks, each_spool, gives_up};
use super::table::{Needs, forms};

#[test]
fn a_request_without_an_answer_ends_with_its_time_out_and_is_made_again() {
    each_spool(Form::EACH, |form, spool| {
        let receiver =
            form.receiver(
                move |request| {
                    if request.number == 1 { Act::Hang(Vec::new()) } else { form.ok().into() }
                },
            );
        let program = Program::with_spool(&form.url(receiver.address, "timeout_ms=3000"), spool);
        program.record(1..=5).beside_has(5);
        assert!(program.delivers());
        receiver.has_each_once(1..=5);
        let said = program.said();
        assert!(said[0].contains("no answer within the time-out"), "{said:?}");
    });
}

/// Also the exporter beside, long before the time-out.
#[test]
fn what_hangs_holds_up_no_other_signal() {
    each_spool(forms(Needs::Signals), |form, spool| {
        let receiver = form.receiver(move |request| {
            if request.signal == Signal::Spans { Act::Hang(Vec::new()) } else { form.ok().into() }
        });
        let program =
            Program::with_spool(&form.url(receiver.address, &format!("{FOR_EVER}&{}", Form::ALL)), spool);
        program.collector.counter("orders").add(3_u64);
        program.record(1..=5).beside_has(5);
        receiver.wait_for(Signal::Spans, 1);
        receiver.wait_for(Signal::Events, 1);
        let metrics = receiver.wait_for(Signal::Metrics, 1);
        assert!(metrics[0].0.items.metrics.contains(&"orders".to_owned()), "{metrics:?}");
        receiver.has(Signal::Events, (1..=5).map(|id| (id, 1)));
        receiver.has(Signal::Spans, []);
        program.collector.shutdown(Duration::from_millis(200));
    });
}

#[test]
fn a_slow_answer_is_waited_for() {
    each_spool(Form::EACH, |form, spool| {
        let gate = Gate::default();
        let waits = gate.clone();
        let receiver = form.receiver(move |request| match request.number {
            1 => Act::AnswerWhen(waits.clone(), form.ok()),
            _ => Act::AnswerInBits(form.ok()),
        });
        let program = Program::with_spool(&form.url(receiver.address, FOR_EVER), spool);
        program.record(1..=5).beside_has(5);
        form.signals().iter().for_each(|signal| drop(receiver.wait_for(*signal, 1)));
        assert_eq!((program.alike(|account| account.delivered), program.waiting()), (0, 5));
        gate.open();
        assert!(program.delivers());
        assert!(program.record(6..=9).delivers());
        receiver.has_each_once(1..=9);
        assert_eq!(program.said(), Vec::<String>::new());
    });
}

#[test]
fn a_wait_that_the_receiver_asks_for_is_kept() {
    let seconds = || Wait::Seconds(2);
    let cases: [(Fault, fn() -> Wait); 4] = [
        (Fault::Limited, seconds),
        (Fault::Busy, seconds),
        (Fault::Limited, Wait::date),
        (Fault::Busy, Wait::date),
    ];
    let cases = Form::EACH.into_iter().flat_map(|form| cases.map(|case| (form, case)));
    each_spool(cases, |(form, (fault, wish)), spool| {
        let receiver = form.receiver(move |request| {
            let busy = form.refusal(fault, "not now", Some(wish()));
            if request.number == 1 { busy.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        program.record(1..=5).beside_has(5);
        for signal in form.signals() {
            let seen = receiver.wait_for(*signal, 2);
            // One second is what is kept in any case, also while somebody waits.
            let wait = seen[1].1.duration_since(seen[0].1);
            assert!(wait >= Duration::from_millis(900), "{wait:?}");
        }
        assert!(program.delivers());
        receiver.has_each_once(1..=5);
        let said = program.said();
        assert!(said[0].contains("not now"), "{said:?}");
    });
}

/// A program does not end later for it: it asks once more or, where it has a spool, leaves that to the next one.
#[test]
fn a_wait_of_ten_minutes_is_not_kept_by_a_shutdown() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(move |request| {
            let busy = form.refusal(Fault::Busy, "not now", Some(Wait::Seconds(600)));
            if request.number == 1 { busy.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        program.record(1..=5).beside_has(5);
        receiver.wait_for(form.signals()[0], 1);
        let begin = Instant::now();
        assert!(program.collector.shutdown(SOON).is_complete());
        assert!(begin.elapsed() < SOON);
        if spool == Spool::Off {
            receiver.has_each_once(1..=5);
        }
        let next = program.next(&form.url(receiver.address, ""));
        next.iter().for_each(|next| assert!(next.delivers()));
        receiver.has_each_once(1..=5);
    });
}

#[test]
fn without_a_wish_it_is_tried_again_until_it_is_given_up() {
    each_spool(
        Form::EACH.into_iter().flat_map(|form| [Fault::Limited, Fault::Busy].map(|fault| (form, fault))),
        |(form, fault), spool| {
            if form.then(fault, None) == telemetry_tests::receiver::Then::Never {
                return;
            }
            let receiver = form.receiver(move |_| form.refusal(fault, "never", None).into());
            let program = Program::with_spool(&form.url(receiver.address, "give_up_after_ms=5000"), spool);
            program.record(1..=5).beside_has(5);
            gives_up(&program, spool, 5);
            receiver.wait_for(form.signals()[0], 2);
            receiver.has_each_once([]);
            program.collector.shutdown(SOON);
            form.next_has(program, 1..=5);
        },
    );
}
