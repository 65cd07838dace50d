//! What is stored on disk while a backend is away: in this process and in those after it, whatever ends them.

mod away;
mod bounds;
mod changed;
mod kills;
mod owners;
mod refused;
mod streams;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use telemetry_layer::ledger::ExporterAccount;
use telemetry_tests::SOON;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Fault, Form, Receiver, Request};

/// The signals of these tests, and their spool.
fn options(form: Form, directory: &Path) -> String {
    let signals: Vec<&str> = form.signals().iter().map(|signal| signal.name()).collect();
    format!("signals={}&linger_ms=1&spool={}", signals.join(","), directory.display())
}

/// A receiver that takes nothing before what comes with it is set, and then only such requests.
fn busy(form: Form, takes: impl Fn(&Request) -> bool + Send + Sync + 'static) -> (Receiver, Arc<AtomicBool>) {
    let is_up = Arc::new(AtomicBool::new(false));
    let is_up_too = Arc::clone(&is_up);
    let receiver = form.receiver(move |request| {
        if is_up_too.load(SeqCst) && takes(request) {
            form.ok().into()
        } else {
            Act::Answer(form.refusal(Fault::Busy, "not now", None))
        }
    });
    (receiver, is_up)
}

/// Flushes until that holds.
#[track_caller]
fn until(program: &Program, what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < SOON, "{}", program.collector.ledger());
        program.hand_over();
    }
}

/// Whether that holds for the accounts of all signals.
fn all(program: &Program, form: Form, what: impl Fn(&ExporterAccount) -> bool) -> bool {
    form.signals().iter().all(|signal| what(&program.account(*signal)))
}

/// Items of each signal that are delivered, and that are on disk.
fn delivered_and_spooled(program: &Program, form: Form) -> (u64, u64) {
    let of = form.signals().iter().map(|signal| {
        let account = program.account(*signal);
        assert_eq!((account.rejected, account.dropped.total()), (0, 0));
        (account.delivered, account.spooled)
    });
    of.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))).unwrap_or_default()
}

/// Two processes, one after the other, each of which stores 100 items of each signal: all that it has.
fn two_store_all(url: &str) {
    for ids in [1..=100, 101..=200] {
        let program = Program::start(url);
        program.record(ids);
        assert!(program.collector.shutdown(SOON).is_complete());
        assert_eq!(program.alike(|account| account.accepted), 100);
        assert_eq!(program.alike(|account| account.spooled - account.recovered), 100);
    }
}

/// Names of the files there, but for the one with the lock.
fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != "owner");
    names.sort();
    names
}
