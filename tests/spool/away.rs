//! Backends that are away, hang and come back.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing, silent};
use telemetry_tests::{SOON, each};

use super::{all, busy, delivered_and_spooled, files, options, two_store_all, until};

#[test]
fn what_is_recorded_while_the_backend_is_away_comes_when_it_is_back() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let address = refusing();
        let program = Program::start(&form.url(address, &options(form, directory.path())));
        for first in [1, 101, 201] {
            program.record(first..first + 100);
            assert!(program.flush().is_complete(), "what is stored is not lost");
        }
        assert_eq!(delivered_and_spooled(&program, form), (0, 300));
        assert_eq!(program.alike(|account| account.buffered), 0);
        let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
        until(&program, || delivered_and_spooled(&program, form) == (300, 0));
        // What is fresh does not take the way over the disk.
        program.record(301..=310);
        assert!(program.flush().is_complete());
        assert_eq!(delivered_and_spooled(&program, form), (310, 0));
        receiver.has_each_once(1..=310);
        assert!(program.collector.shutdown(SOON).is_complete());
        assert!(files(directory.path()).is_empty(), "{:?}", files(directory.path()));
    });
}

#[test]
fn the_next_process_sends_what_this_one_could_not() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let address = refusing();
        let url = form.url(address, &options(form, directory.path()));
        two_store_all(&url);
        let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
        let program = Program::start(&url);
        until(&program, || delivered_and_spooled(&program, form) == (200, 0));
        assert_eq!(program.alike(|account| (account.accepted, account.recovered)), (0, 200));
        receiver.has_each_once(1..=200);
    });
}

/// Nothing is left in memory when the deadline comes.
#[test]
fn a_backend_that_hangs_at_the_end_costs_nothing() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let (listener, address) = silent();
        let url = form.url(address, &options(form, directory.path()));
        let program = Program::start(&url);
        program.record(1..=200);
        let report = program.collector.shutdown(Duration::from_secs(2));
        assert!(report.is_complete() && report.late().is_empty(), "{report}");
        assert_eq!(delivered_and_spooled(&program, form), (0, 200));
        drop(listener);
        let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
        let program = Program::start(&url);
        until(&program, || delivered_and_spooled(&program, form) == (200, 0));
        receiver.has_each_once(1..=200);
    });
}

#[test]
fn with_always_all_is_on_disk_before_it_is_sent() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let (receiver, is_up) = busy(form, |_| true);
        let options = format!("{}&spool_mode=always", options(form, directory.path()));
        let program = Program::start(&form.url(receiver.address, &options));
        program.record(1..=100);
        assert!(program.flush().is_complete());
        assert_eq!(delivered_and_spooled(&program, form), (0, 100));
        is_up.store(true, SeqCst);
        program.record(101..=200);
        until(&program, || delivered_and_spooled(&program, form) == (200, 0));
        // All of it, as the backend takes it.
        program.record(201..=300);
        assert!(program.collector.shutdown(SOON).is_complete());
        assert_eq!(delivered_and_spooled(&program, form), (300, 0));
        receiver.has_each_once(1..=300);
        assert!(files(directory.path()).is_empty());
    });
}

/// A body that always fails is refused for itself, and holds up no other.
#[test]
fn a_stored_body_that_always_fails_is_given_up_when_others_get_through() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let (receiver, is_up) = busy(form, |request| !request.items.has(7));
        let options = format!("{}&max_items=10", options(form, directory.path()));
        let program = Program::start(&form.url(receiver.address, &options));
        for id in 1..=20 {
            program.record([id]);
            assert!(program.flush().is_complete());
        }
        assert_eq!(delivered_and_spooled(&program, form), (0, 20));
        is_up.store(true, SeqCst);
        let (mut next, begin) = (100, Instant::now());
        while !all(&program, form, |account| account.rejected == 1) {
            assert!(begin.elapsed() < SOON, "{}", program.collector.ledger());
            program.record([next]).hand_over();
            next += 1;
        }
        program.drain();
        receiver.has_each_once((1..=20).filter(|id| *id != 7).chain(100..next));
    });
}
