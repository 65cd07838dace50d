//! Peer benchmark. See README.md.

mod allocations;
mod budgets;
mod case;
mod compile;
mod drain;
mod encode;
mod endure;
mod export;
mod instr;
mod machine;
mod memory;
mod meters;
mod otel;
mod placed;
mod report;
mod scrape;
mod slices;
mod soak;
mod spans;
mod spool;
mod timing;
mod wires;

use case::{Entries, Entry};
use export::{Contender, Load};
use serde_json::{Value, json};
use std::process::{Command, ExitCode};
use std::time::Duration;

fn entries() -> Entries {
    let mut e = Entries::default();
    spans::add(&mut e);
    meters::add(&mut e);
    encode::add(&mut e);
    wires::add(&mut e);
    e
}

pub fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

/// What a process of its own prints last, or why there is nothing.
fn child(args: &[&str]) -> Value {
    let o = Command::new(std::env::current_exe().unwrap()).args(args).output().unwrap();
    let s = String::from_utf8_lossy(&o.stdout);
    s.lines()
        .rev()
        .find_map(|l| serde_json::from_str::<Value>(l).ok().filter(|v| v.is_object() && o.status.success()))
        .unwrap_or_else(|| json!({"args": args, "failed": String::from_utf8_lossy(&o.stderr).lines().take(6).collect::<Vec<_>>().join(" | ")}))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let a: Vec<&str> = args.iter().map(|s| s.as_str()).collect();
    let all = entries().0;
    let find = |op: &str, who: &str, threads: &str| {
        let threads = threads.parse().expect("a number of threads");
        all.iter().find(|e| e.is(op, who, threads)).expect("no such case")
    };
    let chosen = |filter: Option<&&str>| -> Vec<&Entry> {
        all.iter().filter(|e| filter.is_none_or(|f| e.op.contains(f) || e.who.contains(f))).collect()
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match a[..] {
        ["list"] => all.iter().for_each(|e| println!("{:18} {} {}", e.op, e.threads, e.who)),
        ["one", op, who, threads] => println!("{}", timing::one(find(op, who, threads))),
        ["slices", op, who, threads] => slices::serve(find(op, who, threads)),
        ["counted", op, who] => instr::counted(find(op, who, "1")),
        ["receiver", delay, port] => {
            export::receiver::serve(Duration::from_millis(number(delay)), port.parse().expect("a port"));
        }
        ["load", who, rate, delay, ref options @ ..] => {
            let who = Contender::ALL.into_iter().find(|c| c.name() == who).expect("no such contender");
            let load = Load { who, rate: number(rate), delay_ms: number(delay) };
            println!("{}", json!(export::one(load, &options.concat())));
        }
        // Interleaved: round by round, every case once, each in a process of its own.
        ["bench", rounds, ref rest @ ..] => {
            for r in 0..rounds.parse::<u32>().unwrap() {
                for e in chosen(rest.first()) {
                    let mut v = child(&["one", e.op, e.who, &e.threads.to_string()]);
                    v["round"] = r.into();
                    println!("{v}");
                }
            }
        }
        ["instr", "--lines", ref rest @ ..] => {
            for e in chosen(rest.first()).iter().filter(|e| e.threads == 1) {
                println!("{}", instr::line(e));
            }
        }
        ["instr", "--base", revision, ref rest @ ..] => {
            return instr::compare(Some(revision), rest.first().copied(), &all);
        }
        ["instr", ref rest @ ..] => return instr::compare(None, rest.first().copied(), &all),
        ["budgets", group] if budgets::has(group) => return budgets::run(group, budgets::ROUNDS, &all),
        ["budgets", group, rounds] if budgets::has(group) => {
            return budgets::run(group, rounds.parse().expect("a number of rounds"), &all);
        }
        ["compile"] => return compile::run(compile::ROUNDS),
        ["compile", rounds] => return compile::run(rounds.parse().expect("a number of rounds")),
        ["allocations", ref rest @ ..] => {
            let cases: Vec<&Entry> = chosen(rest.first()).into_iter().filter(|e| e.threads == 1).collect();
            allocations::print(&cases, |e| child(&["allocations-one", e.op, e.who]));
        }
        ["allocations-one", op, who] => println!("{}", allocations::one(find(op, who, "1"))),
        ["drain", "kinds", rounds] => println!("{}", drain::run_kinds(rounds.parse().expect("a number"))),
        ["drain", exporters, rounds] => {
            println!("{}", drain::run(number(exporters) as usize, number(rounds) as usize));
        }
        ["scrape-one", who, kind, form] => println!("{}", scrape::of_arguments(who, kind, form)),
        ["pulled-one", who, hot] => println!("{}", json!(scrape::pulled_one(who, hot))),
        ["commit-one", kind] => println!("{}", json!(spool::commit_one(kind))),
        ["replay-one", delay] => println!("{}", json!(spool::replay_one(number(delay)))),
        ["endure"] => return endure::run(endure::SPANS),
        ["endure", spans] => return endure::run(number(spans)),
        ["endure-one", exporter, fault, spans] => println!("{}", json!(endure::one(exporter, fault, number(spans)))),
        ["soak"] => return soak::run(soak::SECONDS),
        ["soak", seconds] => return soak::run(number(seconds)),
        ["memory"] => memory::print(),
        ["memory-one", kind] => println!("{}", memory::one(kind)),
        ["report", ref files @ ..] => print!("{}", report::markdown(files)),
        _ => {
            eprintln!("usage: peers list | one OP WHO THREADS | bench ROUNDS [FILTER] | budgets GROUP [ROUNDS]");
            eprintln!(
                "             | instr [--base REV] [FILTER] | instr --lines [FILTER] | compile [ROUNDS] | memory"
            );
            eprintln!(
                "             | allocations [FILTER] | drain EXPORTERS|kinds ROUNDS | load WHO RATE DELAY_MS [OPTIONS]"
            );
            eprintln!("             | endure [SPANS] | soak [SECONDS] | report FILE...");
            eprintln!("groups of budgets: {}", budgets::groups().join(", "));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
