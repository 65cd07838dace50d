//! Answers that say no: to a request, to a part of it, to one item.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use telemetry_layer::Signal;
use telemetry_tests::SOON;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Fault, Form, Receiver, Then, Wait};
use telemetry_tests::spool::Spool;

use super::spools::{each_spool, gives_up};
use super::table::{Needs, forms};

#[test]
fn each_fault_means_what_the_specification_says() {
    let of = |form| {
        Fault::EACH
            .into_iter()
            .flat_map(move |fault| [None, Some(Wait::Seconds(1))].map(|wait| (form, fault, wait)))
    };
    each_spool(Form::EACH.into_iter().flat_map(of), |(form, fault, wait), spool| {
        let then = form.then(fault, wait);
        // What is stored can't be made smaller any more.
        let is_whole = spool == Spool::Always && then == Then::Smaller;
        let then = if is_whole { Then::Never } else { then };
        let receiver = form.receiver(move |request| {
            let refusal = form.refusal(fault, "who is hush-hush?", wait);
            if request.number == 1 { refusal.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, "token=hush-hush"), spool);
        assert_eq!(program.record(1..=3).delivers(), then != Then::Never);
        program.beside_has(3);
        let delivered = if then == Then::Never { 0 } else { 3 };
        let counts = program.alike(|account| (account.delivered, account.rejected, account.dropped.total()));
        assert_eq!(counts, (delivered, 3 - delivered, 0));
        receiver.has_each_once(1..=delivered);
        if then == Then::Smaller {
            assert!(receiver.seen(form.signals()[0])[1..].iter().all(|(request, _)| request.items.len() < 3));
        }
        let all = program.said();
        assert!(all[0].contains("who is ***?") && all[0].contains(&receiver.address.to_string()), "{all:?}");
        assert!(all.iter().all(|text| !text.contains("hush")), "{all:?}");
    });
}

/// A status, what comes with it, whether its items are sent again, and what is said.
type Case = (u16, (&'static str, &'static str), &'static str, bool, &'static str);

const STATUSES: [Case; 13] = [
    (400, ("x-a", "b"), "bad", false, "400 Bad Request: bad"),
    (401, ("x-a", "b"), "who is hush-hush?", true, "401 Unauthorized: who is ***?"),
    (403, ("x-a", "b"), "", true, "403 Forbidden"),
    (404, ("x-a", "b"), "", false, "404 Not Found"),
    (405, ("allow", "GET"), "", false, "405 Method Not Allowed"),
    (408, ("x-a", "b"), "", true, "408 Request Timeout"),
    (415, ("x-a", "b"), "", false, "415 Unsupported Media Type"),
    (429, ("retry-after", "Fri, 27 Nov 2020 12:00:00 GMT"), "", true, "429 Too Many Requests"),
    (429, ("retry-after", "soon"), "", true, "429 Too Many Requests"),
    (502, ("content-type", "text/html"), "<html>no</html>", true, "502 Bad Gateway"),
    (503, ("retry-after", "600"), "", true, "503 Service Unavailable"),
    (504, ("x-a", "b"), "", true, "504 Gateway Timeout"),
    (302, ("location", "http://elsewhere/"), "", false, "redirects"),
];

#[test]
fn each_status_of_http_is_named() {
    let cases = forms(Needs::Http1).flat_map(|form| STATUSES.map(|case| (form, case)));
    each_spool(cases, |(form, case), spool| {
        let (status, header, body, again, said) = case;
        let receiver = form.receiver(move |request| {
            let refusal = Answer::of(status).header(header.0, header.1).body(body);
            if request.number == 1 { refusal.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, "token=hush-hush"), spool);
        assert_eq!(program.record(1..=3).delivers(), again);
        let delivered = if again { 3 } else { 0 };
        assert_eq!(
            program.alike(|account| (account.delivered, account.rejected)),
            (delivered, 3 - delivered)
        );
        receiver.has_each_once(1..=delivered);
        let all = program.said();
        assert!(all[0].contains(said) && all[0].contains(&receiver.address.to_string()), "{all:?}");
    });
}

#[test]
fn one_signal_that_is_refused_leaves_the_others_alone() {
    each_spool(forms(Needs::Signals), |form, spool| {
        let receiver = form.receiver(move |request| {
            let no = form.refusal(Fault::Unknown, "no spans here", None);
            if request.signal == Signal::Spans { no.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, Form::ALL), spool);
        program.collector.counter("orders").add(3_u64);
        assert!(!program.record(1..=5).delivers());
        program.beside_has(5);
        assert_eq!(program.account(Signal::Spans).rejected, 5);
        assert_eq!(program.account(Signal::Events).delivered, 5);
        receiver.wait_for(Signal::Metrics, 1);
        let metrics: Vec<_> = receiver.taken().into_iter().flat_map(|items| items.metrics).collect();
        assert!(metrics.contains(&"orders".to_owned()), "{metrics:?}");
    });
}

#[test]
fn requests_that_are_too_large_are_halved_and_one_item_alone_is_refused() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(move |request| {
            let is_too_large = request.items.len() > 10 || request.items.has(7);
            let no = form.refusal(Fault::TooLarge, "too much", None);
            if is_too_large { no.into() } else { form.ok().into() }
        });
        let program = Program::with_spool(&form.url(receiver.address, few(spool)), spool);
        assert!(!program.record(1..=100).delivers());
        program.beside_has(100);
        for signal in form.signals() {
            // What is stored can't be halved, and is refused with all that is in it.
            let refused = if spool == Spool::Always { with_7(&receiver, *signal) } else { vec![7] };
            let account = program.account(*signal);
            let (delivered, rejected) = (100 - refused.len() as u64, refused.len() as u64);
            assert_eq!((account.delivered, account.rejected), (delivered, rejected));
            receiver.has(*signal, (1..=100).filter(|id| !refused.contains(id)).map(|id| (id, 1)));
        }
        let said = program.said();
        assert!(said.iter().all(|text| text.contains("too much")), "{said:?}");
    });
}

/// What has been learned of the size of its requests holds for what is stored, too.
#[test]
fn a_receiver_that_has_said_how_much_it_takes_and_is_busy_then_gets_all() {
    each_spool(Form::EACH, |form, spool| {
        // What is stored for Librato, which alone knows how many items go into a request, has all of this test.
        if (form, spool) == (Form::Librato, Spool::Always) {
            return;
        }
        let is_busy = AtomicBool::new(true);
        let receiver = form.receiver(move |request| {
            if request.items.len() > 10 {
                form.refusal(Fault::TooLarge, "too much", None).into()
            } else if request.signal == form.signals()[0] && is_busy.swap(false, SeqCst) {
                form.refusal(Fault::Busy, "not now", None).into()
            } else {
                form.ok().into()
            }
        });
        let program = Program::with_spool(&form.url(receiver.address, few(spool)), spool);
        assert!(program.record(1..=100).delivers());
        receiver.has_each_once(1..=100);
    });
}

#[test]
fn one_poisoned_item_is_found_and_all_others_arrive() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(move |request| poisoned(form, request.items.has(7)));
        let program = Program::with_spool(&form.url(receiver.address, ""), spool);
        if spool == Spool::Off {
            program.record(1..=20);
        } else {
            // What is stored is given up whole.
            (1..=20).for_each(|id| drop(program.record([id]).flush()));
        }
        // Others come meanwhile, by which one sees that the receiver is there.
        let mut next = 100;
        let begin = Instant::now();
        let rejected = |signal| program.account(signal).rejected;
        while form.signals().iter().any(|signal| rejected(*signal) != 1) && begin.elapsed() < SOON * 3 {
            program.record([next]).collector.flush(Duration::from_millis(100));
            if spool.is_on() {
                program.drain_to(1);
            }
            next += 1;
        }
        program.drain();
        program.beside_has(20 + next - 100);
        let counts = program.alike(|account| (account.rejected, account.dropped.total(), account.buffered));
        assert_eq!(counts, (1, 0, 0));
        receiver.has_each_once((1..=20).filter(|id| *id != 7).chain(100..next));
    });
}

#[test]
fn what_a_poisoned_item_goes_with_expires_where_nothing_shows_that_the_receiver_is_there() {
    each_spool(Form::EACH, |form, spool| {
        let receiver = form.receiver(move |request| poisoned(form, request.items.has(7)));
        let program = Program::with_spool(&form.url(receiver.address, "give_up_after_ms=300"), spool);
        assert!(program.record(1..=5).delivers());
        gives_up(program.record(6..=9), spool, 4);
        program.beside_has(9);
        assert_eq!(program.alike(|account| account.delivered), 5);
        receiver.has_each_once(1..=5);
    });
}

/// Where all is stored, as much as the receiver takes at once.
fn few(spool: Spool) -> &'static str {
    if spool == Spool::Always { "max_items=10" } else { "" }
}

/// The ids in the only request that has the item 7, and in others that have more than it takes.
fn with_7(receiver: &Receiver, signal: Signal) -> Vec<u64> {
    let seen = receiver.seen(signal).into_iter().map(|(request, _)| request.items);
    let refused = seen.filter(|items| items.len() > 10 || items.has(7));
    refused.flat_map(|items| items.ids(signal).to_vec()).collect()
}

fn poisoned(form: Form, is_in_it: bool) -> Act {
    if is_in_it { form.refusal(Fault::Busy, "it hurts", None).into() } else { form.ok().into() }
}

#[test]
fn what_a_receiver_rejects_of_a_request_is_counted_and_not_sent_again() {
    each_spool(forms(Needs::Parts), |form, spool| {
        for (rejected, delivered) in [(2, 3), (5, 0), (1 << 40, 0), (0, 5), (-1, 5)] {
            let signal = form.signals()[0];
            if rejected <= 0 && form.partly(signal, rejected, "").is_none() {
                continue;
            }
            let receiver = form.receiver(move |request| {
                let partly = form.partly(request.signal, rejected, "some have no name");
                partly.expect("it can be said").into()
            });
            let program = Program::with_spool(&form.url(receiver.address, ""), spool);
            assert_eq!(program.record(1..=5).delivers(), delivered == 5, "{rejected}");
            program.beside_has(5);
            let counts = program.alike(|account| (account.delivered, account.rejected));
            assert_eq!(counts, (delivered, 5 - delivered));
            receiver.has_each_once(1..=5);
            let said = program.said();
            let is_said = |text: &String| text.contains("some have no name");
            assert!(said.iter().all(is_said) && said.len() == form.signals().len(), "{said:?}");
        }
    });
}
