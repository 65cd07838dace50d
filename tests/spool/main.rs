//! What is stored on disk while a backend is away: in this process and in those after it, whatever ends them.

mod away;
mod bounds;
mod kills;
mod owners;
mod refused;

use std::path::Path;
use std::time::Instant;

use telemetry_layer::Signal;
use telemetry_layer::ledger::ExporterAccount;
use telemetry_tests::SOON;
use telemetry_tests::program::Program;

/// The signals of these tests, and their spool.
fn options(directory: &Path) -> String {
    format!("signals=spans,events&linger_ms=1&spool={}", directory.display())
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

/// Whether that holds for the accounts of both signals.
fn all(program: &Program, what: impl Fn(&ExporterAccount) -> bool) -> bool {
    [Signal::Spans, Signal::Events].iter().all(|signal| what(&program.account(*signal)))
}

/// Items of each signal that are delivered, and that are on disk.
fn delivered_and_spooled(program: &Program) -> (u64, u64) {
    let [spans, events] = [Signal::Spans, Signal::Events].map(|signal| {
        let account = program.account(signal);
        assert_eq!((account.rejected, account.dropped.total()), (0, 0));
        (account.delivered, account.spooled)
    });
    (spans.0.min(events.0), spans.1.max(events.1))
}

/// Names of the files there, but for the one with the lock.
fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != "owner");
    names.sort();
    names
}
