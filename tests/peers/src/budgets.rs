//! The budgets of the design: each row of it measured in this run, ours beside its reference.
//!
//! A verdict is that of paired ratios: in each round ours and the reference, each a process, take turns of a few
//! milliseconds on the same core. While a verdict is open, there are more rounds.

mod loads;
mod paired;
mod rows;
mod scrapes;
mod sizes;
mod spools;
mod verdict;

use crate::case::Entry;
use crate::machine::Machine;
use crate::report::num;
use paired::Paired;
pub use rows::groups;
use rows::{Budget, Measure, ROWS, Row};
use std::process::ExitCode;
pub use verdict::median;
use verdict::{Spread, Verdict};

/// Rounds of each row.
pub const ROUNDS: usize = 7;
/// As many times as many while a verdict is open.
const PATIENCE: usize = 4;

pub fn has(group: &str) -> bool {
    groups().contains(&group)
}

/// A row on so many threads, and what its slices gave.
struct Judged<'a> {
    group: &'a str,
    row: &'static Row,
    budget: &'static Budget,
    paired: Paired,
}

impl<'a> Judged<'a> {
    fn measure(group: &'a str, row: &'static Row, budget: &'static Budget, rounds: usize, all: &[Entry]) -> Self {
        let entries = |wanted: Vec<Measure>| -> Vec<&Entry> {
            wanted.iter().filter_map(|m| all.iter().find(|e| e.is(m.op, m.who, budget.threads))).collect()
        };
        let (judged, shown) = (entries(row.judged(group)), entries(row.shown(group)));
        let mut this = Self { group, row, budget, paired: Paired::default() };
        for round in 1..=rounds * PATIENCE {
            let lines = row.ours_in(group).map(|(_, ours)| this.line(*ours)).collect::<Vec<_>>();
            this.paired.round(&judged, &lines, if round <= rounds { &shown } else { &[] });
            let open = |(_, ours): &(&str, Measure)| this.verdict(*ours).is_some_and(|v| v.1.is_open());
            if round >= rounds && !row.ours_in(group).any(open) {
                break;
            }
        }
        this
    }

    /// The best of those, and its time.
    fn best(&self, of: &[Measure]) -> Option<(f64, Measure)> {
        let measured = of.iter().filter_map(|m| Some((self.paired.ns(*m)?, *m)));
        measured.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// What has to be undisturbed in the same turn: ours, and what it is compared with, as far as that is known.
    fn line(&self, ours: Measure) -> paired::Line {
        let mut line = vec![ours];
        match self.best(self.row.references()) {
            Some((_, best)) => line.push(best),
            None => line.extend(self.row.references()),
        }
        if line.iter().any(|m| m.calls > 0) {
            line.push(rows::BARE_CALL);
        }
        line
    }

    fn verdict(&self, ours: Measure) -> Option<(Spread, Verdict)> {
        let (_, reference) = self.best(self.row.references())?;
        let ratio = Spread::of(self.paired.ratios(ours, reference)?);
        Some((ratio, Verdict::of(&ratio, self.budget.at_most(), self.paired.is_disturbed())))
    }

    /// Prints one line; how its budget fares, if it could be measured.
    fn print(&self, by: &str, ours: Measure) -> Option<Verdict> {
        let ns = |m: Measure| self.paired.ns(m);
        let show = |x: Option<f64>| x.map_or("–".into(), num);
        let (best, other) = (self.best(self.row.peers), self.best(self.row.others));
        let other = other.filter(|other| best.is_none_or(|best| other.0 < best.0));
        let named = |(x, m): (f64, Measure)| format!("{} ({}: {})", num(x), m.op, m.who);
        let peer = match (best, other) {
            (Some(best), Some(other)) => format!("{}; not in the design: {}", named(best), named(other)),
            (best, other) => best.or(other).map_or("–".into(), named),
        };
        let reference = self.best(self.row.references()).map(|best| best.0);
        let at_most = self.budget.at_most();
        let verdict = self.verdict(ours);
        println!(
            "| {} | {} | {by} | {} | {peer} | {} | {} | {} | {} | {} | {at_most:.3} | {} | {} |",
            self.row.what,
            self.budget.threads,
            show(self.row.limit.and_then(ns)),
            show(self.row.otel.and_then(ns)),
            show(ns(ours)),
            show(self.row.undrained.and_then(ns)),
            show(reference.map(|reference| reference * at_most)),
            verdict.map_or("–".into(), |v| v.0.to_string()),
            self.paired.rounds,
            verdict.map_or("FAILED".into(), |v| v.1.to_string()),
        );
        verdict.map(|v| v.1)
    }
}

/// The whole loads of the group that has them: rounds of all, then of those that are open.
fn measure_loads(group: &str, rounds: usize) -> Vec<loads::Judged> {
    let wanted = if group == loads::GROUP { loads::SCENARIOS } else { &[] };
    let mut all: Vec<_> = wanted.iter().map(loads::Judged::new).collect();
    for round in 1..=rounds * PATIENCE {
        for judged in all.iter_mut().filter(|judged| round <= rounds || judged.is_open()) {
            eprintln!("round {round}, {}", judged.all[0].load.at());
            judged.round();
        }
    }
    all
}

/// Prints the tables; fails where a row is not met.
pub fn run(group: &str, rounds: usize, all: &[Entry]) -> ExitCode {
    let machine = Machine::before();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.ours_in(group).next().is_some()).collect();
    let mut judged = vec![];
    for row in rows {
        for budget in row.budgets {
            eprintln!("{}, {} threads", row.what, budget.threads);
            judged.push(Judged::measure(group, row, budget, rounds, all));
        }
    }
    let loads = measure_loads(group, rounds);
    let scrapes = scrapes::Judged::measure(group, rounds, PATIENCE);
    let spools = spools::Judged::measure(group, rounds, PATIENCE);
    println!("ns/op; medians of at least {rounds} rounds; in brackets what the median is between\n");
    if !judged.is_empty() {
        println!(
            "| operation | threads | by | limit | best peer | tracing-opentelemetry | ours | undrained | ours at most | \
         ours / reference | at most | rounds | verdict |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    }
    let mut verdicts = vec![];
    for one in &judged {
        verdicts.extend(one.row.ours_in(one.group).map(|(by, ours)| one.print(by, *ours)));
    }
    if !loads.is_empty() {
        verdicts.extend(loads::print(&loads));
    }
    verdicts.extend(scrapes.print());
    verdicts.extend(spools.print());
    verdicts.extend(sizes::print(group));
    let count = |verdict| verdicts.iter().filter(|v| **v == Some(verdict)).count();
    let (at_the_limit, unclear) = (count(Verdict::AtTheLimit), count(Verdict::Unclear));
    let met = count(Verdict::Met) + at_the_limit;
    println!("\n{met} of {} are met, {at_the_limit} of them at the limit; {unclear} are unclear", verdicts.len());
    machine.print();
    let disturbed: usize = judged.iter().map(|one| one.paired.disturbed).sum();
    if disturbed > 0 {
        let rounds: usize = judged.iter().map(|one| one.paired.rounds).sum();
        println!("In {disturbed} of {rounds} rounds of slices other work kept coming in between");
    }
    let failed = judged.iter().flat_map(|one| &one.paired.failed);
    let failed = failed.chain(loads.iter().flat_map(|one| &one.failed));
    let failed: Vec<&String> = failed.chain(&scrapes.failed).chain(&spools.failed).collect();
    failed.iter().for_each(|failed| println!("FAILED: {failed}"));
    if met == verdicts.len() && failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
