//! The slices of one row: in each round a fresh process for each case, which take turns on the same core, so that
//! what disturbs one of them disturbs the next as well.

use super::rows::{BARE_CALL, Measure};
use super::verdict::median;
use crate::case::Entry;
use crate::slices::Process;
use crate::timing::Ns;

/// Undisturbed pairs that a round wants, and the turns that it takes at most to have them.
const PAIRS: usize = 21;
const TURNS: usize = 63;
/// Slices a round of what is only shown.
const SHOWN: usize = 9;

type Name = (&'static str, &'static str);

/// All slices of one case: for each round, one a turn.
struct Slices {
    name: Name,
    rounds: Vec<Vec<Ns>>,
}

#[derive(Default)]
pub struct Paired {
    cases: Vec<Slices>,
    pub rounds: usize,
    /// Cases that did not do what they should have.
    pub failed: Vec<String>,
    /// Rounds in which other work kept coming in between.
    pub disturbed: usize,
}

impl Paired {
    /// One round: those that are judged in turns, forth and back, then those that are only shown.
    pub fn round(&mut self, judged: &[&Entry], lines: &[Line], shown: &[&Entry]) {
        let start = |entries: &[&Entry]| entries.iter().map(|e| (Process::start(e), vec![])).collect::<Vec<_>>();
        let mut cases = start(judged);
        for turn in 1..=TURNS {
            if turn % 2 == 0 {
                cases.iter_mut().for_each(take);
            } else {
                cases.iter_mut().rev().for_each(take);
            }
            let whole = |line: &Line| {
                let of = |m: &Measure| judged.iter().position(|e| e.op == m.op && e.who == m.who);
                let of: Vec<usize> = line.iter().filter_map(of).collect();
                (0..turn).filter(|i| of.iter().all(|c| cases[*c].1.get(*i).is_some_and(Ns::is_whole))).count()
            };
            if turn >= PAIRS && lines.iter().all(|line| whole(line) >= PAIRS) {
                break;
            }
            self.disturbed += usize::from(turn == TURNS);
        }
        self.end(judged, cases);
        let mut cases = start(shown);
        for _ in 0..SHOWN {
            cases.iter_mut().for_each(take);
        }
        self.end(shown, cases);
        self.rounds += 1;
    }

    fn end(&mut self, entries: &[&Entry], cases: Vec<(Process, Vec<Ns>)>) {
        for (e, (process, slices)) in entries.iter().zip(cases) {
            let ended = process.end();
            let slices = if ended.is_ok() { slices } else { vec![] };
            if let Err(why) = ended {
                self.failed.push(format!("{}, {}, {} threads: {why}", e.op, e.who, e.threads));
            }
            let name = (e.op, e.who);
            match self.cases.iter_mut().find(|c| c.name == name) {
                Some(case) => case.rounds.push(slices),
                None => self.cases.push(Slices { name, rounds: vec![slices] }),
            }
        }
    }

    /// Whether most of it was disturbed. Then ours looks worse than it is: it waits for its buffers to be drained, while
    /// other work takes its caches, and what contends with another thread contends less.
    pub fn is_disturbed(&self) -> bool {
        2 * self.disturbed > self.rounds
    }

    fn slices(&self, m: Measure) -> Option<&Slices> {
        self.cases.iter().find(|c| c.name == (m.op, m.who))
    }

    /// The median of the slices that were disturbed least, less the bare calls in it; none if it is not there.
    pub fn ns(&self, m: Measure) -> Option<f64> {
        let of = |m| {
            let slices = |round: &Vec<Ns>| least_disturbed(round.iter().map(|ns| (ns.disturbance(), ns.cpu)).collect());
            let all: Vec<f64> = self.slices(m)?.rounds.iter().flat_map(slices).collect();
            (!all.is_empty()).then(|| median(all))
        };
        let bare = if m.calls == 0 { 0.0 } else { f64::from(m.calls) * of(BARE_CALL)? };
        Some(of(m)? - bare)
    }

    /// For each round the median of ours divided by the reference, both of the same turn, over the turns that were
    /// disturbed least; none where a case failed.
    pub fn ratios(&self, ours: Measure, reference: Measure) -> Option<Vec<f64>> {
        let (a, b) = (self.slices(ours)?, self.slices(reference)?);
        let bare = self.slices(BARE_CALL);
        let of_round = |round: usize| {
            let (a, b) = (a.rounds.get(round)?, b.rounds.get(round)?);
            let bare = bare.and_then(|bare| bare.rounds.get(round));
            let mut turns: Vec<(f64, f64)> = vec![];
            for (turn, (a, b)) in a.iter().zip(b).enumerate() {
                let mut disturbance = a.disturbance().max(b.disturbance());
                let mut less = 0.0;
                if ours.calls + reference.calls > 0 {
                    let bare = bare?.get(turn)?;
                    disturbance = disturbance.max(bare.disturbance());
                    less = bare.cpu;
                }
                let ratio = (a.cpu - f64::from(ours.calls) * less) / (b.cpu - f64::from(reference.calls) * less);
                turns.push((disturbance, ratio));
            }
            let ratios = least_disturbed(turns);
            (ratios.len() == PAIRS).then(|| median(ratios))
        };
        (0..self.rounds).map(of_round).collect()
    }
}

/// The cases whose slices of one turn are compared.
pub type Line = Vec<Measure>;

/// Of numbers with how disturbed they are, as many as a round wants.
fn least_disturbed(mut all: Vec<(f64, f64)>) -> Vec<f64> {
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().take(PAIRS).map(|one| one.1).collect()
}

fn take((process, slices): &mut (Process, Vec<Ns>)) {
    slices.extend(process.slice());
}
