//! A program that is killed while it writes: all lines are whole but perhaps the last, and that one is gone after the next start.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use telemetry_tests::process::Process;
use tracing::{Dispatch, dispatcher, info, info_span};

use crate::trace::Trace;

const FILE: &str = "CHROME_TRACE_FILE";

fn collector(path: &Path) -> Collector {
    let url = format!("chrome-trace:{}?rotate_bytes=2000000", path.display());
    Collector::builder().ignore_env().endpoint(url).start().unwrap()
}

/// The program that is killed. It says after each batch how many spans are delivered.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = env::var_os(FILE) else { return };
    let collector = collector(Path::new(&path));
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    dispatcher::with_default(&dispatch, || {
        for round in 0_u64.. {
            for i in 500 * round..500 * (round + 1) {
                info_span!("outer", i).in_scope(|| info_span!("inner").in_scope(|| info!("done")));
            }
            assert!(collector.flush(SOON).is_complete());
            println!("{}", 500 * (round + 1));
        }
    });
}

#[test]
fn all_lines_but_the_last_are_whole_and_after_a_start_that_one_is_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let mut torn = 0;
    for run in 0..20 {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "kills::writes_until_it_is_killed", "--nocapture"]).env(FILE, &path);
        let mut process = Process::start(program.stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let mut numbers =
            lines.by_ref().filter_map(|line| line.unwrap().rsplit(' ').next()?.parse::<u64>().ok());
        // In the middle of what comes next, each time at another place.
        let mut delivered = numbers.by_ref().nth(run % 4).unwrap();
        // Nothing waits for that: it is only somewhere else each time.
        let (began, later) = (Instant::now(), Duration::from_micros(700 * run as u64));
        while began.elapsed() < later {
            std::hint::spin_loop();
        }
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        delivered = numbers.last().unwrap_or(delivered).max(delivered);

        let text = fs::read_to_string(&path).unwrap();
        let whole = &text[..=text.rfind('\n').unwrap()];
        torn += usize::from(whole.len() < text.len());
        let trace = Trace::parse(whole);
        trace.check();
        let mut found = trace.numbers();
        for n in 1..=4 {
            // Of the same run, whose file it was before.
            if let Ok(before) = fs::read_to_string(directory.path().join(format!("trace.{n}.json"))) {
                let before = Trace::parse(&before);
                if before.0[0]["pid"] == trace.0[0]["pid"] {
                    found.extend(before.numbers());
                }
            }
        }
        found.sort_unstable();
        let last = *found.last().unwrap();
        assert!(last + 1 >= delivered, "{delivered} were delivered, and {last} is the last there");

        // What the next one puts aside is whole.
        let next = collector(&path);
        next.counter("next").inc();
        assert!(next.shutdown(SOON).is_complete());
        Trace::read(&path);
        let aside = Trace::read(&path.with_file_name("trace.1.json"));
        assert_eq!(aside.numbers(), trace.numbers());
    }
    println!("{torn} of 20 were torn");

    // Wherever it is torn.
    let text = fs::read_to_string(path.with_file_name("trace.1.json")).unwrap();
    let line = text[..text.len() - 1].rfind('\n').unwrap() + 1;
    for at in (line..text.len()).step_by(7).chain([1, 20, text.find('\n').unwrap()]) {
        fs::write(&path, &text[..at]).unwrap();
        let next = collector(&path);
        next.counter("next").inc();
        assert!(next.shutdown(SOON).is_complete());
        Trace::read(&path);
        if at >= line {
            let aside = fs::read_to_string(path.with_file_name("trace.1.json")).unwrap();
            assert!(aside == text[..line], "torn at {at}");
        }
    }
}
