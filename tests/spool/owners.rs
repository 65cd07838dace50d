//! A spool has one exporter, in all processes; a child that is forked off has no part in it.
#![allow(unsafe_code)] // Only C forks, and has limits.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use telemetry_tests::process::Process;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing};

use super::{all, delivered_and_spooled, options, until};

const URL: &str = "SPOOL_URL";

/// Runs one of the programs below.
fn run(name: &str, url: &str) -> Command {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["--exact", name, "--ignored", "--nocapture"]).env(URL, url);
    program
}

fn refusal(url: &str) -> String {
    Collector::builder().ignore_env().endpoint(url).start().unwrap_err().to_string()
}

#[test]
#[ignore = "run by others, as a program"]
fn has_it_until_its_input_ends() {
    let program = Program::start(&env::var(URL).unwrap());
    println!("\nhas it");
    let _ = std::io::stdin().read_line(&mut String::new());
    drop(program);
}

#[test]
fn a_second_exporter_is_refused_until_the_first_one_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let url = Form::Otlp.url(refusing(), &options(Form::Otlp, directory.path()));
    let said = format!(
        "spool={}: another exporter, of this process or of another one, writes to it",
        directory.path().display()
    );
    let first = Program::start(&url);
    first.record([1]).flush();
    assert_eq!(refusal(&url), said);
    first.collector.shutdown(SOON);
    // Another process.
    let mut other = run("owners::has_it_until_its_input_ends", &url);
    let mut other = Process::start(other.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut lines = BufReader::new(other.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "has it"));
    assert_eq!(refusal(&url), said);
    // However it ends.
    other.0.kill().unwrap();
    other.0.wait().unwrap();
    let next = Program::start(&url);
    until(&next, || delivered_and_spooled(&next, Form::Otlp).1 == 1);
}

#[test]
#[ignore = "run by another one, as a program"]
fn forks_and_goes_on() {
    let url = env::var(URL).unwrap();
    let program = Program::start(&url);
    program.record([1]).flush();
    let mut ends = [0; 2];
    // SAFETY: the array has the room that is needed.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the child only waits and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let mut byte = 0_u8;
        // SAFETY: the byte is there; the descriptors are those of the pipe.
        unsafe {
            libc::close(ends[1]);
            libc::alarm(20);
            libc::read(ends[0], (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
    }
    program.record([2]).flush();
    assert_eq!(delivered_and_spooled(&program, Form::Otlp), (0, 2));
    assert!(refusal(&url).contains("another exporter"));
    program.collector.shutdown(SOON);
    // The child is there, and does not have it.
    let next = Program::start(&url);
    until(&next, || all(&next, Form::Otlp, |account| account.recovered == 2));
    // SAFETY: these are the descriptors of the pipe, and the child.
    unsafe {
        libc::close(ends[1]);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
    println!("\nall well");
}

#[test]
fn a_child_that_is_forked_off_does_not_hold_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let url = Form::Otlp.url(refusing(), &options(Form::Otlp, directory.path()));
    let output = run("owners::forks_and_goes_on", &url).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all well"), "{said}");
}

fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: it reads the limit, and the signal is that of this process.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// Its stand-in for a full disk is the largest size that files of a process may have.
#[test]
#[ignore = "run by another one, as a program"]
fn fills_its_disk() {
    let url = env::var(URL).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let clock = ManualClock::new(now.as_nanos() as u64);
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    let collector = builder.clock(Clock::manual(&clock)).on_export(|_| ()).endpoint(&url).start().unwrap();
    let record = |id: u64| {
        let event = telemetry_layer::model::Event::new(telemetry_layer::Level::INFO, "e", 7).field("id", id);
        collector.collect_event(&event);
        collector.flush(Duration::from_millis(50))
    };
    let account = || *collector.ledger().exporter("otlp", Signal::Events).unwrap();
    let wait = |what: &dyn Fn() -> bool| {
        let begin = std::time::Instant::now();
        while !what() {
            assert!(begin.elapsed() < SOON, "{}", collector.ledger());
            collector.flush(Duration::from_millis(1));
            clock.advance(Duration::from_secs(1));
        }
    };
    record(1);
    wait(&|| account().spooled == 1);
    for (round, bytes) in [1, 100, 200].into_iter().enumerate() {
        limit(bytes);
        let id = round as u64 + 2;
        assert!(!record(id).is_complete(), "it waits in memory");
        assert_eq!((account().spooled, account().buffered, account().dropped.total()), (id - 1, 1, 0));
        limit(libc::RLIM_INFINITY);
        wait(&|| account().spooled == id);
    }
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    println!("\nall well");
}

#[test]
fn what_does_not_fit_on_the_disk_waits_in_memory_and_is_stored_later() {
    let directory = tempfile::tempdir().unwrap();
    let form = Form::Otlp;
    let address = refusing();
    let url = form.url(address, &options(form, directory.path()));
    let output = run("owners::fills_its_disk", &url).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all well"), "{said}");
    assert!(said.contains("can't be written to") && said.contains("stays in memory"), "{said}");
    let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
    let program = Program::start(&url);
    until(&program, || program.account(Signal::Events).delivered == 4);
    receiver.has(Signal::Events, (1..=4).map(|id| (id, 1)));
}
