//! Programs that are killed while they record, store and send.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use telemetry_layer::Signal;
use telemetry_tests::process::Process;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::Form;
use telemetry_tests::{SOON, each};

use super::{all, busy, options, until};

const URL: &str = "SPOOL_KILLED_URL";
const FIRST: &str = "SPOOL_KILLED_FIRST";
/// So many ids belong to one run.
const RUN: u64 = 1_000_000;
/// So many spans and events are flushed together.
const STEP: u64 = 50;

/// The program that is killed. It says up to which id all is delivered or on disk.
#[test]
#[ignore = "run by the other one, as a program"]
fn records_until_it_is_killed() {
    let program = Program::start(&env::var(URL).unwrap());
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    println!("\nrecords");
    for from in (first..first + RUN).step_by(STEP as usize) {
        program.record(from..from + STEP);
        assert!(program.flush().is_complete(), "{}", program.collector.ledger());
        println!("{}", from + STEP);
    }
}

/// `TELEMETRY_KILLS=1000` kills so many of each form.
#[test]
fn what_was_stored_survives_the_end_of_its_process() {
    let kills = env::var("TELEMETRY_KILLS").map_or(40, |kills| kills.parse().unwrap());
    each(
        [Form::Otlp, Form::Batches, Form::InfluxDb]
            .into_iter()
            .flat_map(|form| [(form, "on_failure"), (form, "always")]),
        |(form, mode)| {
            let directory = tempfile::tempdir().unwrap();
            let (receiver, is_up) = busy(form, |_| true);
            let options = format!("{}&spool_mode={mode}", options(form, directory.path()));
            let url = form.url(receiver.address, &options);
            let (mut promised, mut at_most) = (BTreeSet::new(), Vec::new());
            for run in 0..kills {
                let first = run * RUN + 1;
                is_up.store(run % 3 == 2, SeqCst);
                let mut program = Command::new(env::current_exe().unwrap());
                program.args(["--exact", "kills::records_until_it_is_killed", "--ignored", "--nocapture"]);
                program.env(URL, &url).env(FIRST, first.to_string());
                let mut process = Process::start(program.stdout(Stdio::piped()).stderr(Stdio::null()));
                let mut lines =
                    BufReader::new(process.0.stdout.take().unwrap()).lines().map_while(Result::ok);
                assert!(lines.any(|line| line == "records"), "run {run} does not begin");
                let mut said = lines.filter_map(|line| line.parse::<u64>().ok());
                let mut end = said.nth(run as usize % 4).expect("it records");
                // It comes back in the middle of some runs.
                is_up.fetch_xor(run % 4 == 1, SeqCst);
                // Nothing waits for that: it is only somewhere else each time.
                let (began, later) = (Instant::now(), Duration::from_micros(900 * run % 7_000));
                while began.elapsed() < later {
                    std::hint::spin_loop();
                }
                process.0.kill().unwrap();
                process.0.wait().unwrap();
                end = said.last().unwrap_or(end).max(end);
                promised.extend(first..end);
                at_most.push(first..first + RUN);
            }
            is_up.store(true, SeqCst);
            let program = Program::start(&url);
            let came = || {
                let taken = receiver.taken();
                let ids = |signal: &Signal| -> BTreeSet<u64> {
                    taken.iter().flat_map(|items| items.ids(*signal).iter().copied()).collect()
                };
                form.signals().iter().map(ids).collect::<Vec<_>>()
            };
            let begin = Instant::now();
            until(&program, || {
                assert!(begin.elapsed() < SOON);
                came().iter().all(|came| promised.is_subset(came))
            });
            for came in came() {
                assert!(
                    came.iter().all(|id| at_most.iter().any(|run| run.contains(id))),
                    "nothing is invented"
                );
            }
            until(&program, || all(&program, form, |account| account.spooled + account.buffered == 0));
            assert!(all(&program, form, |account| account.rejected + account.dropped.total() == 0));
        },
    );
}
