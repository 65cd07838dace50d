//! A `main` with an attribute begins before telemetry does. Programs are this test again, with what they say kept apart.

use std::process::Command;

use telemetry_layer::exporters::Discard;
use telemetry_layer::prelude::*;
use telemetry_tests::measured;

mod plain {
    use super::*;

    #[count_me]
    #[time_me]
    pub(super) fn main() -> Result<(), telemetry_layer::Error> {
        let _telemetry = super::builder().install()?;
        super::work();
        Ok(())
    }
}

mod at_once {
    use super::*;

    #[tokio::main(flavor = "current_thread")]
    #[time_me(outcome)]
    pub(super) async fn main() -> Result<(), telemetry_layer::Error> {
        let _telemetry = super::builder().install()?;
        super::work();
        Ok(())
    }
}

mod later {
    use super::*;

    #[count_me(outcome)]
    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn main() -> Result<(), telemetry_layer::Error> {
        let _telemetry = super::builder().install()?;
        tokio::task::yield_now().await;
        super::work();
        Ok(())
    }
}

#[time_me]
fn work() {}

fn builder() -> telemetry_layer::Builder {
    Collector::builder().ignore_env().exporter(Discard::new())
}

#[test]
#[ignore = "run by the test of what it says"]
fn runs_plain() {
    plain::main().unwrap();
}

#[test]
#[ignore = "run by the test of what it says"]
fn runs_at_once() {
    at_once::main().unwrap();
}

#[test]
#[ignore = "run by the test of what it says"]
fn runs_later() {
    later::main().unwrap();
}

#[test]
#[ignore = "run by the test of what it says"]
fn runs_without() {
    let _telemetry = builder().install().unwrap();
    work();
    measured(|| drop(plain::main()));
}

/// What a program says on standard error.
fn said_by(test: &str) -> String {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "--ignored", "--nocapture", &format!("beginning::{test}")]);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_main_that_starts_telemetry_says_that_it_is_not_measured() {
    for (program, attribute, module) in [
        ("runs_plain", "time_me", "plain"),
        ("runs_at_once", "time_me", "at_once"),
        ("runs_later", "count_me", "later"),
    ] {
        let want = format!("`#[{attribute}]` on `attributes::beginning::{module}::main` measures nothing: ");
        let said = said_by(program);
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("telemetry: ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(&want), "{said}");
    }
    assert_eq!(said_by("runs_without"), "", "what begins later is measured");
}
