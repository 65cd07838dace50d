//! The group `scrape`: in each round, each contender scrapes 10,000 series of each kind in each form, in processes of their own,
//! and a thread records while others scrape.

use super::verdict::{Spread, Verdict, median};
use crate::machine::Machine;
use crate::report::num;
use crate::scrape::{self, Contender, Form, Hot, Kind, Outcome, PULLED, Pulled, SERIES};

pub const GROUP: &str = "scrape";

/// What recording may cost while somebody scrapes, by what it costs while they scrape something else.
const MOST_BY_OTHER: f64 = 1.05;
/// Rounds of what is only shown.
const SHOWN: usize = 3;

/// Of one kind in one form: what each contender came to, round by round.
struct Case {
    kind: Kind,
    form: Form,
    all: Vec<(Contender, Vec<Option<Outcome>>)>,
}

/// Of one operation.
struct Hots {
    hot: Hot,
    all: Vec<(Contender, Vec<Option<Pulled>>)>,
}

#[derive(Default)]
pub struct Judged {
    cases: Vec<Case>,
    hots: Vec<Hots>,
    rounds: usize,
    /// In which the machine was busy with other work.
    busy: usize,
    pub failed: Vec<String>,
}

/// What of an outcome is judged.
const PARTS: [(&str, fn(&Outcome) -> f64); 2] = [("first", |o| o.first), ("later", |o| o.later)];

impl Case {
    fn of(&self, who: Contender) -> &[Option<Outcome>] {
        self.all.iter().find(|all| all.0 == who).map_or(&[], |all| &all.1)
    }

    fn median(&self, who: Contender, part: fn(&Outcome) -> f64) -> Option<f64> {
        let all: Vec<f64> = self.of(who).iter().flatten().map(part).collect();
        (!all.is_empty()).then(|| median(all))
    }

    /// The one of the peers that costs least.
    fn best(&self, part: fn(&Outcome) -> f64) -> Option<Contender> {
        let peers = [Contender::PrometheusClient, Contender::MetricsExporter];
        let all = peers.into_iter().filter_map(|who| Some((who, self.median(who, part)?)));
        all.min_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0)
    }

    /// Ours by that.
    fn ratio(&self, part: fn(&Outcome) -> f64) -> Option<Spread> {
        let rounds = self.of(Contender::Ours).iter().zip(self.of(self.best(part)?));
        let ratios = rounds.map(|(ours, best)| Some(part(ours.as_ref()?) / part(best.as_ref()?)));
        ratios.collect::<Option<Vec<f64>>>().filter(|all| !all.is_empty()).map(Spread::of)
    }
}

impl Judged {
    /// Rounds of all, and then of those that are open.
    pub fn measure(group: &str, rounds: usize, patience: usize) -> Self {
        if group != GROUP {
            return Self::default();
        }
        let has = |form: Form| Contender::ALL.into_iter().filter(move |who| who.has(form)).map(|who| (who, vec![]));
        let forms = |kind| Form::ALL.map(|form| Case { kind, form, all: has(form).collect() });
        let bare = || Contender::ALL.into_iter().filter(|who| *who != Contender::OursDefault);
        let mut this = Self {
            cases: Kind::ALL.into_iter().flat_map(forms).collect(),
            hots: PULLED.map(|hot| Hots { hot, all: bare().map(|who| (who, vec![])).collect() }).into(),
            ..Self::default()
        };
        for round in 1..=rounds * patience {
            eprintln!("round {round} of scrapes");
            this.round(round, round <= rounds);
            if round >= rounds && !this.is_open() {
                break;
            }
        }
        this
    }

    fn round(&mut self, round: usize, all: bool) {
        let machine = Machine::before();
        let disturbed = 2 * self.busy > self.rounds;
        let mut failed = vec![];
        let mut keep = |outcome: Result<_, String>| outcome.map_err(|why| failed.push(why)).ok();
        for case in &mut self.cases {
            let is_open =
                PARTS.iter().any(|(_, part)| verdict(case.ratio(*part), 1.0, disturbed).is_none_or(|v| v.is_open()));
            if !all && !is_open {
                continue;
            }
            // Every second round backwards.
            let mut order: Vec<usize> = (0..case.all.len()).collect();
            if round.is_multiple_of(2) {
                order.reverse();
            }
            for at in order {
                let (who, outcomes) = &mut case.all[at];
                if *who != Contender::OursDefault || round <= SHOWN {
                    outcomes.push(keep(scrape::run(*who, case.kind, case.form)));
                }
            }
        }
        let mut keep = |outcome: Result<_, String>| outcome.map_err(|why| failed.push(why)).ok();
        for hots in &mut self.hots {
            let is_open = verdict(hots.ratio(), MOST_BY_OTHER, disturbed).is_none_or(|v| v.is_open());
            for (who, outcomes) in hots.all.iter_mut().filter(|_| all || is_open) {
                if *who == Contender::Ours || round == 1 {
                    outcomes.push(keep(scrape::pulled(*who, hots.hot)));
                }
            }
        }
        self.failed.extend(failed);
        self.rounds += 1;
        self.busy += usize::from(machine.is_busy());
    }

    fn verdicts(&self) -> impl Iterator<Item = Option<Verdict>> {
        let disturbed = 2 * self.busy > self.rounds;
        let parts = |case: &Case| PARTS.map(|(_, part)| verdict(case.ratio(part), 1.0, disturbed));
        let hots = self.hots.iter().map(move |hots| verdict(hots.ratio(), MOST_BY_OTHER, disturbed));
        self.cases.iter().flat_map(parts).collect::<Vec<_>>().into_iter().chain(hots)
    }

    fn is_open(&self) -> bool {
        self.verdicts().any(|verdict| verdict.is_some_and(Verdict::is_open))
    }

    /// Prints the tables; what became of each row.
    pub fn print(&self) -> Vec<Option<Verdict>> {
        if self.cases.is_empty() {
            return vec![];
        }
        let disturbed = 2 * self.busy > self.rounds;
        println!(
            "ns of CPU time a series, of {SERIES}: snapshot and page; ours with the labels and families that the others have\n"
        );
        println!(
            "| series | form | scrape | prometheus-client | metrics-exporter-prometheus | ours | all by default | ours / best peer, at most 1 | rounds | verdict |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        let show = |x: Option<f64>| x.map_or("–".into(), num);
        for case in &self.cases {
            for (name, part) in PARTS {
                let ns = |who| show(case.median(who, part));
                let ratio = case.ratio(part);
                println!(
                    "| {} | {} | {name} | {} | {} | {} | {} | {} | {} | {} |",
                    case.kind.name(),
                    case.form.name(),
                    ns(Contender::PrometheusClient),
                    ns(Contender::MetricsExporter),
                    ns(Contender::Ours),
                    ns(Contender::OursDefault),
                    ratio.map_or("–".into(), |ratio| ratio.to_string()),
                    case.of(Contender::Ours).len(),
                    verdict(ratio, 1.0, disturbed).map_or("FAILED".into(), |v| v.to_string()),
                );
            }
        }
        println!("\nBytes a series: allocated for it, left by the first scrape, and of the page in text\n");
        println!("| series | by | allocated | left by a scrape | page |");
        println!("|---|---|---|---|---|");
        for case in self.cases.iter().filter(|case| case.form == Form::Text) {
            for (who, _) in &case.all {
                let of = |part| show(case.median(*who, part));
                let (series, kept, page) = (of(|o| o.series), of(|o| o.kept), of(|o| o.page));
                println!("| {} | {} | {series} | {kept} | {page} |", case.kind.name(), who.name());
            }
        }
        println!(
            "\nns of CPU time an operation of a thread that records while ten others scrape: what it records into, another"
        );
        println!("page of as many series, nothing\n");
        println!(
            "| operation | by | this | another | nothing | this / nothing | this / another, at most {MOST_BY_OTHER} | scrapes a round | verdict |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for hots in &self.hots {
            for (who, all) in &hots.all {
                let of = |part: fn(&Pulled) -> f64| {
                    let all: Vec<f64> = all.iter().flatten().map(part).collect();
                    (!all.is_empty()).then(|| median(all))
                };
                let is_ours = *who == Contender::Ours;
                let by_other =
                    if is_ours { hots.ratio().map(|ratio| ratio.to_string()) } else { of(|p| p.by_other).map(num) };
                let verdict = verdict(hots.ratio(), MOST_BY_OTHER, disturbed);
                println!(
                    "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                    hots.hot.name(),
                    who.name(),
                    show(of(|p| p.this)),
                    show(of(|p| p.other)),
                    show(of(|p| p.idle)),
                    show(of(|p| p.by_idle)),
                    by_other.unwrap_or("–".into()),
                    show(of(|p| p.scrapes as f64)),
                    if is_ours { verdict.map_or("FAILED".into(), |v| v.to_string()) } else { "–".into() },
                );
            }
        }
        println!();
        self.verdicts().collect()
    }
}

impl Hots {
    /// Ours while somebody scrapes it, by the same while they scrape something else.
    fn ratio(&self) -> Option<Spread> {
        let ours = &self.all.iter().find(|all| all.0 == Contender::Ours)?.1;
        let ratios: Option<Vec<f64>> = ours.iter().map(|pulled| Some(pulled.as_ref()?.by_other)).collect();
        ratios.filter(|all| !all.is_empty()).map(Spread::of)
    }
}

fn verdict(ratio: Option<Spread>, at_most: f64, disturbed: bool) -> Option<Verdict> {
    ratio.map(|ratio| Verdict::of(&ratio, at_most, disturbed))
}
