//! The group `spool`: in each round, each kind of commit and each replay, in processes of their own.

use super::verdict::{Spread, Verdict, median};
use crate::child;
use crate::machine::Machine;
use crate::report::num;
use crate::spool::{Committed, KINDS, Replayed};
use serde::de::DeserializeOwned;

pub const GROUP: &str = "spool";

/// What storing may cost, by what a plain `write` and `fdatasync` of the same bytes does.
const MOST_BY_PLAIN: f64 = 1.2;
/// How long sending what is stored may take, by what sending it straight does: the first body goes alone, to see whether somebody is
/// there.
const MOST_BY_WIRE: f64 = 1.05;
/// Of the receiver, before each answer. One that only counts, on the same machine, is no wire: what it is sent is shown.
const DELAYS_MS: [u64; 3] = [0, 1, 5];
const SHOWN: usize = 1;

#[derive(Default)]
pub struct Judged {
    commits: Vec<Vec<Committed>>,
    replays: Vec<Vec<Replayed>>,
    rounds: usize,
    /// In which the machine was busy with other work.
    busy: usize,
    pub failed: Vec<String>,
}

/// What of a commit is judged: by what it is named, and the ratio.
const PARTS: [(&str, fn(&Committed) -> f64); 2] =
    [("CPU time", |c| c.ratio), ("bytes written for each kept", |c| c.written / c.plain_written)];

impl Judged {
    /// Rounds of all, and then of those that are open.
    pub fn measure(group: &str, rounds: usize, patience: usize) -> Self {
        if group != GROUP {
            return Self::default();
        }
        let mut this = Self {
            commits: KINDS.map(|_| vec![]).into(),
            replays: DELAYS_MS.map(|_| vec![]).into(),
            ..Self::default()
        };
        for round in 1..=rounds * patience {
            eprintln!("round {round} of the spool");
            this.round(round <= rounds);
            if round >= rounds && !this.verdicts().into_iter().flatten().any(Verdict::is_open) {
                break;
            }
        }
        this
    }

    fn round(&mut self, all: bool) {
        let machine = Machine::before();
        let is_open: Vec<bool> =
            self.verdicts().into_iter().map(|verdict| all || verdict.is_none_or(Verdict::is_open)).collect();
        let (of_commits, of_replays) = is_open.split_at(PARTS.len() * KINDS.len());
        let of_replays = [&[all; SHOWN], of_replays].concat();
        for ((kind, all), is_open) in KINDS.iter().zip(&mut self.commits).zip(of_commits.chunks(PARTS.len())) {
            if is_open.contains(&true) {
                all.extend(keep::<Committed>(&["commit-one", kind.name], &mut self.failed));
            }
        }
        for ((delay, all), is_open) in DELAYS_MS.iter().zip(&mut self.replays).zip(of_replays) {
            if is_open {
                all.extend(keep::<Replayed>(&["replay-one", &delay.to_string()], &mut self.failed));
            }
        }
        self.rounds += 1;
        self.busy += usize::from(machine.is_busy());
    }

    fn verdicts(&self) -> Vec<Option<Verdict>> {
        let commits = self.commits.iter().flat_map(|all| PARTS.map(|(_, part)| self.judge(all, part, MOST_BY_PLAIN)));
        let replays = self.replays[SHOWN..].iter().map(|all| self.judge(all, Replayed::ratio, MOST_BY_WIRE));
        commits.chain(replays).map(|judged| judged.map(|judged| judged.1)).collect()
    }

    fn judge<T>(&self, all: &[T], ratio: fn(&T) -> f64, at_most: f64) -> Option<(Spread, Verdict)> {
        let ratio = Spread::of(Some(all.iter().map(ratio).collect::<Vec<_>>()).filter(|all| !all.is_empty())?);
        Some((ratio, Verdict::of(&ratio, at_most, 2 * self.busy > self.rounds)))
    }

    /// Prints the tables; what became of each row.
    pub fn print(&self) -> Vec<Option<Verdict>> {
        if self.commits.is_empty() {
            return vec![];
        }
        println!(
            "What storing costs: the thread of the spool beside a plain `write` and `fdatasync` of the same bodies\n"
        );
        println!(
            "| stored at once | of a span | bodies a commit | CPU ns a span | plain | bytes written for each kept | dirty pages, by plain |"
        );
        println!("|---|---|---|---|---|---|---|");
        for (kind, all) in KINDS.iter().zip(&self.commits).filter(|(_, all)| !all.is_empty()) {
            let of = |part: fn(&Committed) -> f64| median(all.iter().map(part).collect());
            println!(
                "| {} | {:.0} bytes | {:.1} | {} | {} | {:.4} | {:.3} |",
                kind.name,
                of(|c| c.span_bytes),
                of(|c| c.together),
                num(of(|c| c.ours)),
                num(of(|c| c.plain)),
                of(|c| c.written),
                of(|c| c.pages / c.plain_pages),
            );
        }
        println!("\n| stored at once | what | spool / plain | at most | rounds | verdict |");
        println!("|---|---|---|---|---|---|");
        for (kind, all) in KINDS.iter().zip(&self.commits) {
            for (what, part) in PARTS {
                print_row(&[kind.name, what], self.judge(all, part, MOST_BY_PLAIN), MOST_BY_PLAIN, all.len());
            }
        }
        println!(
            "\nWhat it takes to send it again, in ms for {:.0} MiB: by the process that stored it, and by one that has to find it;",
            self.replays.iter().flatten().map(|r| r.bytes as f64 / f64::from(1 << 20)).next().unwrap_or(0.0)
        );
        println!("the same bodies sent straight by the same client; by bare sockets\n");
        println!(
            "| receiver waits | bodies | this process | the next | straight | sockets | spool / straight | at most | rounds | verdict |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for (at, (delay, all)) in DELAYS_MS.iter().zip(&self.replays).enumerate() {
            let of = |part: fn(&Replayed) -> f64| match &**all {
                [] => "–".into(),
                all => num(1000.0 * median(all.iter().map(part).collect())),
            };
            let times = [of(|r| r.same), of(|r| r.next), of(|r| r.straight), of(|r| r.sockets)].join(" | ");
            let cells = [format!("{delay} ms | {}", all.first().map_or(0, |first| first.bodies)), times].join(" | ");
            let judged = self.judge(all, Replayed::ratio, MOST_BY_WIRE);
            match judged.filter(|_| at < SHOWN) {
                Some((ratio, _)) => println!("| {cells} | {ratio} | – | {} | – |", all.len()),
                None => print_row(&[&cells], judged, MOST_BY_WIRE, all.len()),
            }
        }
        println!();
        self.verdicts()
    }
}

fn print_row(cells: &[&str], judged: Option<(Spread, Verdict)>, at_most: f64, rounds: usize) {
    let (ratio, verdict) = judged.unzip();
    let ratio = ratio.map_or("–".into(), |ratio| ratio.to_string());
    let verdict = verdict.map_or("FAILED".into(), |verdict| verdict.to_string());
    println!("| {} | {ratio} | {at_most} | {rounds} | {verdict} |", cells.join(" | "));
}

/// What that process came to.
fn keep<T: DeserializeOwned>(args: &[&str], failed: &mut Vec<String>) -> Option<T> {
    let printed = child(args);
    let outcome = serde_json::from_value(printed.clone()).ok();
    if outcome.is_none() {
        failed.push(format!("{}: {}", args.join(" "), printed["failed"]));
    }
    outcome
}
