//! Where nobody reads what the console prints, nobody waits for it.

use std::io::{Read as _, pipe};
use std::process::Stdio;

use telemetry_tests::each;
use telemetry_tests::process::Process;

use crate::started::{numbers, program};

#[test]
fn a_stuck_reader_costs_nobody_and_what_it_does_not_read_is_counted() {
    each(["console:", "console:stderr", "console:?view=tree", "console:stderr?view=tree"], |endpoint| {
        // It is open to the end, and nobody reads it.
        let (_unread, stuck) = pipe().unwrap();
        let (mut report, says) = pipe().unwrap();
        let mut command = program("is_not_read", &[("CONSOLE", endpoint)]);
        if endpoint.starts_with("console:stderr") {
            command.stdout(says).stderr(stuck);
        } else {
            command.stdout(stuck).stderr(says);
        }
        let mut program = Process::start(command.stdin(Stdio::null()));
        drop(command);
        let mut said = String::new();
        report.read_to_string(&mut said).unwrap();
        assert!(program.0.wait().unwrap().success(), "{said}");
        let line =
            said.lines().find_map(|line| line.strip_prefix("report ")).unwrap_or_else(|| panic!("{said}"));
        let of = numbers(line);
        assert_eq!(of["dispatched"], 80_000, "{line}");
        assert!(of["dropped"] > 0, "{line}");
        assert_eq!(of["dispatched"], of["delivered"] + of["dropped"], "{line}");
    });
}
