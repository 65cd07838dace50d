//! Ours now and at the base commit, counted in one run with one toolchain, and the floor of each operation beside.

use super::base::Base;
use super::count;
use crate::case::Entry;
use crate::{median, report};
use std::path::Path;
use std::process::{Command, ExitCode};

/// What a row may grow by: this part of it, or as many instructions, whichever is more.
const PART: f64 = 0.01;
const INSTRUCTIONS: f64 = 4.0;

/// How far two runs of a program may be apart that does the same each time.
const SAME: f64 = 1.0;

/// An operation and who does it.
type Name = (String, String);

/// Prints the table; fails where one of ours grew by more than it may, or could not be counted.
pub fn compare(revision: Option<&str>, filter: Option<&str>, all: &[Entry]) -> ExitCode {
    let base = match Base::build(revision) {
        Ok(base) => base,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let now = std::env::current_exe().expect("this program");
    let ours_now: Vec<Name> =
        all.iter().filter(|e| e.threads == 1).map(|e| (e.op.to_string(), e.who.to_string())).collect();
    let ours_then = listed(&base.program);
    let mut names: Vec<&Name> = ours_now.iter().filter(|name| is_ours(name)).collect();
    names.extend(ours_then.iter().filter(|name| is_ours(name) && !ours_now.contains(name)));
    names.retain(|(op, who)| filter.is_none_or(|f| op.contains(f) || who.contains(f)));
    let ops: Vec<&String> = names.iter().map(|name| &name.0).collect();
    names.extend(ours_now.iter().filter(|(op, who)| ops.contains(&op) && who == report::base(op)));
    names.sort_by_key(|name| ops.iter().position(|op| **op == name.0));

    println!("Instructions per operation; base: {}", base.what);
    if let Some(why) = base.own_bench {
        println!("Today's bench does not compile with the crates of that commit ({why}): it was counted by its own,");
        println!("which may warm up differently.");
    }
    println!("\n| operation | who | base | now | difference | allowed | ok |\n|---|---|---|---|---|---|---|");
    let mut wrong = 0;
    for name in names {
        eprintln!("{}, {}", name.0, name.1);
        let of = |program, list: &[Name]| list.contains(name).then(|| settled(program, name));
        let (was, is) = std::thread::scope(|s| {
            let was = s.spawn(|| of(&base.program, &ours_then));
            let is = of(&now, &ours_now);
            (was.join().expect("it only counts"), is)
        });
        wrong += usize::from(!row(name, was, is));
    }
    println!("\n{wrong} grew by more than allowed, or could not be counted");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_ours((_, who): &Name) -> bool {
    who.starts_with("telemetry")
}

/// The cases of that program that are on one thread.
fn listed(program: &Path) -> Vec<Name> {
    let list = Command::new(program).arg("list").output().expect("a program that was just built");
    let list = String::from_utf8_lossy(&list.stdout);
    let names = list.lines().filter_map(|line| line.split_once(" 1 "));
    names.map(|(op, who)| (op.trim_end().into(), who.into())).collect()
}

/// Twice the same, or the median of three: what is sampled is different each time.
fn settled(program: &Path, (op, who): &Name) -> Result<f64, String> {
    let (a, b) = (count(program, op, who)?, count(program, op, who)?);
    if (a - b).abs() <= SAME { Ok(a) } else { Ok(median(vec![a, b, count(program, op, who)?])) }
}

/// Prints one row of the table; whether all is well with it.
fn row(name: &Name, was: Option<Result<f64, String>>, is: Option<Result<f64, String>>) -> bool {
    let show = |x: &Option<Result<f64, String>>| match x {
        Some(Ok(count)) => format!("{count:.1}"),
        Some(Err(why)) => format!("failed: {why}"),
        None => "–".into(),
    };
    let (difference, allowed, ok) = match (&was, &is) {
        (Some(Ok(was)), Some(Ok(is))) => {
            let allowed = (PART * was).max(INSTRUCTIONS);
            (format!("{:+.1}", is - was), allowed, Some(is - was <= allowed))
        }
        (None, Some(Ok(_))) => ("only now".into(), 0.0, None),
        (Some(Ok(_)), None) => ("only in the base".into(), 0.0, None),
        _ => ("–".into(), 0.0, Some(false)),
    };
    let ok = ok.filter(|_| is_ours(name));
    let (allowed, said) = match ok {
        Some(true) => (format!("{allowed:.1}"), "yes"),
        Some(false) => (format!("{allowed:.1}"), "NO"),
        None => ("–".into(), "–"),
    };
    println!("| {} | {} | {} | {} | {difference} | {allowed} | {said} |", name.0, name.1, show(&was), show(&is));
    ok != Some(false)
}
