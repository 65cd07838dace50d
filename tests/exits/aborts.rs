//! The same where panics abort, in a program that is built so.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use telemetry_tests::each;
use telemetry_tests::receiver::silent;

use super::{RUNTIMES, ended};

/// Builds it, where it is not built yet.
fn aborting() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "-p", "aborting", "--profile", "abort", "--message-format", "json"]);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}");
    let said = String::from_utf8(built.stdout).unwrap();
    let mut said = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    said.find_map(|said| said["executable"].as_str().map(PathBuf::from)).expect("a program")
}

fn run(program: &PathBuf, args: &[&str]) -> Output {
    Command::new(program).args(args).env_clear().output().unwrap()
}

#[test]
fn a_panic_that_aborts_ends_the_collector_first() {
    let program = aborting();
    let cases = RUNTIMES.into_iter().flat_map(|runtime| [(runtime, true), (runtime, false)]);
    each(cases, |(runtime, has_spool)| {
        let (_listener, address) = silent();
        let address = address.to_string();
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().to_str().unwrap();
        let args = if has_spool { &[runtime, &address, spool][..] } else { &[runtime, &address] };
        let (code, signal, said) = ended(&run(&program, args));
        assert_eq!((code, signal), (None, Some(libc::SIGABRT)), "{said}");
        assert!(said.contains("on purpose"), "{said}");
        if has_spool {
            assert!(!said.contains("lost"), "{said}");
            let sent = run(&program, &["sends", &address, spool]);
            let sent = String::from_utf8(sent.stdout).unwrap();
            // What it said of the panic is the last one.
            let all: BTreeSet<_> =
                (1..=100).map(|id| format!("event {id}")).chain(["panicked".into()]).collect();
            assert_eq!((sent.lines().count(), sent.lines().map(String::from).collect()), (101, all));
        } else {
            assert!(
                said.contains("exporter lines: lost 101 events: not delivered by the deadline"),
                "{said}"
            );
            assert_eq!(said.matches("101 items were lost").count(), 1, "{said}");
        }
    });
}
