//! A scenario's rounds, and the verdicts on its rows.

use super::{Ask, Rounds, Row, Scenario};
use crate::budgets::verdict::{Spread, Verdict, median};
use crate::export::Contender::{self, Floor, Otel};
use crate::export::Outcome;
use crate::machine::Machine;
use crate::report::num;

/// So much of the rate that was wanted is that rate.
const REACHED: f64 = 0.97;
/// Rounds of loads that are only shown.
const SHOWN: usize = 3;

pub struct Judged {
    pub scenario: &'static Scenario,
    /// Of those that are judged and of those that are shown.
    pub all: Vec<Rounds>,
    pub rounds: usize,
    /// In which the machine was busy with other work.
    busy: usize,
    pub failed: Vec<String>,
}

/// A row with what it says: the numbers that it compares and how it fares.
pub struct Said {
    /// Of tracing-opentelemetry, where that is part of it.
    pub otel: Option<String>,
    pub ours: String,
    pub at_most: String,
    pub ratio: String,
    pub verdict: Verdict,
}

impl Judged {
    pub fn new(scenario: &'static Scenario) -> Self {
        let all = scenario.judged.iter().chain(scenario.shown);
        let all = all.map(|who| Rounds { load: scenario.load(*who), outcomes: vec![] }).collect();
        Self { scenario, all, rounds: 0, busy: 0, failed: vec![] }
    }

    /// One more round, every second one backwards.
    pub fn round(&mut self) {
        let machine = Machine::before();
        let judged = self.scenario.judged.len();
        let loads = if self.rounds < SHOWN { self.all.len() } else { judged };
        let mut order: Vec<usize> = (0..loads).collect();
        if self.rounds % 2 == 1 {
            order.reverse();
        }
        for at in order {
            match self.all[at].load.run() {
                Ok(outcome) => self.all[at].outcomes.push(outcome),
                Err(why) => self.failed.push(why),
            }
        }
        self.rounds += 1;
        self.busy += usize::from(machine.is_busy());
    }

    /// Whether more rounds could say more.
    pub fn is_open(&self) -> bool {
        self.scenario.rows.iter().any(|row| self.say(row).is_some_and(|said| said.verdict.is_open()))
    }

    fn of(&self, who: Contender) -> &[Outcome] {
        self.all.iter().find(|rounds| rounds.load.who == who).map_or(&[], |rounds| &rounds.outcomes)
    }

    /// None where one of its loads failed.
    pub fn say(&self, row: &Row) -> Option<Said> {
        let (ours, otel, floor) = (self.of(row.ours), self.of(Otel), self.of(Floor));
        let whole = |outcomes: &[Outcome]| outcomes.len() == self.rounds;
        let lost: u64 = ours.iter().map(Outcome::lost).sum();
        if !whole(ours) || self.rounds == 0 {
            return None;
        }
        let disturbed = 2 * self.busy > self.rounds;
        let exact = |n: u64| if n == 0 { Verdict::Met } else { Verdict::NotMet };
        let count = |n: u64| Said {
            otel: None,
            ours: n.to_string(),
            at_most: "0".into(),
            ratio: "–".into(),
            verdict: exact(n),
        };
        let mut needed = vec![ours];
        let mut said = match row.ask {
            Ask::CpuOfOtel(at_most) => {
                needed.extend([otel, floor]);
                if !needed.iter().all(|outcomes| whole(outcomes)) {
                    return None;
                }
                let net = |of: &[Outcome]| of.iter().zip(floor).map(|(o, f)| o.net_cpu(f)).collect::<Vec<_>>();
                let (ours, otel) = (net(ours), net(otel));
                let ratio = Spread::of(ours.iter().zip(&otel).map(|(ours, otel)| ours / otel).collect());
                let verdict = Verdict::of(&ratio, at_most, disturbed);
                Said {
                    at_most: num(at_most * median(otel.clone())),
                    otel: Some(num(median(otel))),
                    ours: num(median(ours)),
                    ratio: format!("{ratio}, at most {at_most}"),
                    verdict: if lost > 0 { Verdict::NotMet } else { verdict },
                }
            }
            Ask::TimesOtel(times) => {
                needed.push(otel);
                if !whole(otel) {
                    return None;
                }
                let rates = |of: &[Outcome]| of.iter().map(Outcome::received_rate).collect::<Vec<_>>();
                let (ours, otel) = (rates(ours), rates(otel));
                let pairs = || ours.iter().zip(&otel);
                let ratio = Spread::of(pairs().map(|(ours, otel)| ours / otel).collect());
                // The same the other way round, where less is better.
                let inverse = Spread::of(pairs().map(|(ours, otel)| otel / ours).collect());
                let verdict = Verdict::of(&inverse, 1.0 / times, disturbed);
                Said {
                    at_most: format!("at least {}", num(times * median(otel.clone()))),
                    otel: Some(num(median(otel))),
                    ours: num(median(ours)),
                    ratio: format!("{ratio}, at least {times}"),
                    verdict,
                }
            }
            Ask::NoneLost => count(lost),
            Ask::EachLossCounted => {
                let uncounted = |o: &Outcome| o.lost().abs_diff(o.said_lost.unwrap_or(0));
                count(ours.iter().map(uncounted).sum())
            }
            Ask::Peak(mib) => {
                let peaks = Spread::of(ours.iter().map(|o| o.peak_bytes as f64 / f64::from(1 << 20)).collect());
                Said {
                    otel: None,
                    ours: num(peaks.median),
                    at_most: num(mib),
                    ratio: "–".into(),
                    verdict: Verdict::of(&peaks, mib, false),
                }
            }
        };
        let rate = self.scenario.rate as f64;
        if needed.iter().any(|outcomes| outcomes.iter().any(|o| o.rate() < REACHED * rate)) {
            said.verdict = Verdict::RateNotReached;
        }
        Some(said)
    }
}
