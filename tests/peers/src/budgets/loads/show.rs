//! Two tables: the rows with their verdicts, and what became of every load.

use super::{Judged, Rounds};
use crate::budgets::verdict::{Verdict, median};
use crate::export::Contender::{Floor, Otel};
use crate::export::Outcome;
use crate::report::num;

/// Prints both; the verdicts.
pub fn print(all: &[Judged]) -> Vec<Option<Verdict>> {
    println!(
        "\nWhole loads: two threads record spans of 4 fields, for 3 s, to a receiver in another process over HTTP/protobuf"
    );
    println!("(not compressed); 0 is flat out; medians of the rounds, in brackets what the median is between\n");
    println!(
        "| wanted spans a second | what | by | tracing-opentelemetry | ours | ours at most | ours / tracing-opentelemetry | rounds | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut verdicts = vec![];
    for judged in all {
        for row in judged.scenario.rows {
            let said = judged.say(row);
            let at = judged.all[0].load.at();
            print!("| {at} | {} | {} |", row.what, row.ours.name());
            match &said {
                Some(said) => println!(
                    " {} | {} | {} | {} | {} | {} |",
                    said.otel.as_deref().unwrap_or("–"),
                    said.ours,
                    said.at_most,
                    said.ratio,
                    judged.rounds,
                    said.verdict
                ),
                None => println!(" – | – | – | – | {} | FAILED |", judged.rounds),
            }
            verdicts.push(said.map(|said| said.verdict));
        }
    }
    println!(
        "\n| wanted spans a second | by | recorded a second, at least | received a second | lost | CPU ns a span, net | of that recording | of tracing-opentelemetry's | attributes | bytes a span | spans a request | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for judged in all {
        judged.all.iter().filter(|rounds| !rounds.outcomes.is_empty()).for_each(|rounds| line(judged, rounds));
    }
    let of = |judged: &Judged| {
        let outcomes = judged.all.iter().flat_map(|rounds| &rounds.outcomes);
        outcomes.map(|o| o.receiver_cpu_ns as f64 / o.received.max(1) as f64).collect::<Vec<_>>()
    };
    let receiver: Vec<f64> = all.iter().flat_map(of).filter(|ns| *ns > 0.0).collect();
    if !receiver.is_empty() {
        println!(
            "\nThe receiver reads, counts and answers; that takes {} ns of another process a span",
            num(median(receiver))
        );
    }
    verdicts
}

fn line(judged: &Judged, rounds: &Rounds) {
    let outcomes = &rounds.outcomes;
    let mid = |of: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(of).collect());
    let per = |all: u64, each: u64| all as f64 / each as f64;
    let floor = judged.all.iter().find(|rounds| rounds.load.who == Floor).map_or(&[][..], |floor| &floor.outcomes);
    let net = |of: &[Outcome], cpu: fn(&Outcome, &Outcome) -> f64| {
        let all: Vec<f64> = of.iter().zip(floor).map(|(o, f)| cpu(o, f)).collect();
        (!all.is_empty()).then(|| median(all))
    };
    let is_floor = rounds.load.who == Floor;
    let exports = |text: String| if is_floor { "–".into() } else { text };
    let some = |x: Option<f64>| x.map_or("–".into(), num);
    let otel = judged.all.iter().find(|rounds| rounds.load.who == Otel);
    let otel = otel.and_then(|otel| net(&otel.outcomes, Outcome::net_cpu));
    let cpu = net(outcomes, Outcome::net_cpu);
    println!(
        "| {} | {} | {:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
        rounds.load.at(),
        rounds.load.who.name(),
        outcomes.iter().map(Outcome::rate).fold(f64::MAX, f64::min),
        exports(format!("{:.0}", mid(&Outcome::received_rate))),
        exports(format!("{:.1}%", mid(&|o| 100.0 * per(o.lost(), o.created)))),
        if is_floor { format!("({})", num(mid(&Outcome::cpu))) } else { some(cpu) },
        if is_floor { "–".into() } else { some(net(outcomes, Outcome::net_recording)) },
        exports(some(cpu.zip(otel).map(|(cpu, otel)| cpu / otel))),
        exports(num(mid(&|o| o.attributes as f64))),
        exports(num(mid(&|o| per(o.bytes, o.received)))),
        exports(num(mid(&|o| per(o.received, o.requests)))),
        mid(&|o| o.peak_bytes as f64 / f64::from(1 << 20)),
    );
}
