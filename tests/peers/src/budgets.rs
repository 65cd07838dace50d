//! The budgets of the design: each row of it measured in this run, ours beside its reference.
//!
//! A row is met when ours divided by the reference, both medians of this run, is at most what the two numbers of
//! the design give. The reference is the limit where there is one, else the best peer. To add a group, add rows.

use crate::case::Entry;
use crate::report::num;
use crate::spans::FLOOR;
use crate::{child, median};
use std::process::ExitCode;

pub const ROUNDS: usize = 7;

/// A case of the bench.
#[derive(Clone, Copy, PartialEq)]
struct Measure {
    op: &'static str,
    who: &'static str,
    /// Calls of functions that the limit does not make: as many bare calls are subtracted.
    calls: u8,
}

const fn inline(op: &'static str, who: &'static str) -> Measure {
    Measure { op, who, calls: 0 }
}
const fn called(op: &'static str, who: &'static str) -> Measure {
    Measure { op, who, calls: 1 }
}

const BARE_CALL: Measure = inline("timed fn", "bare call");

/// Nanoseconds in the design's table; what counts is their ratio.
struct Budget {
    threads: usize,
    reference: f64,
    ours: f64,
}

const fn budget(threads: usize, reference: f64, ours: f64) -> Budget {
    Budget { threads, reference, ours }
}

struct Row {
    group: &'static str,
    what: &'static str,
    budgets: &'static [Budget],
    limit: Option<Measure>,
    peers: &'static [Measure],
    /// Peers that the design's numbers leave out: shown where they are better, but no reference.
    others: &'static [Measure],
    /// tracing-opentelemetry, only to be shown.
    otel: Option<Measure>,
    /// Ours while nobody empties the buffers, only to be shown: each record goes to memory that was never used.
    undrained: Option<Measure>,
    /// Each of these has to meet the budget: how it is done, and its case.
    ours: &'static [(&'static str, Measure)],
}

const COUNTER: [Budget; 2] = [budget(1, 1.8, 1.2), budget(2, 12.8, 1.2)];
const HISTOGRAM: [Budget; 2] = [budget(1, 4.4, 4.0), budget(2, 41.0, 4.0)];

const ROWS: &[Row] = &[
    Row {
        group: "metrics",
        what: "macro or instrument, no collector",
        budgets: &[budget(1, 3.0, 1.0)],
        limit: None,
        // The disabled macro of a span, whose 3 ns the design compares with.
        peers: &[inline("span0 root", "no subscriber")],
        others: &[
            inline("counter0", "metrics macro, no recorder"),
            // Its body is a function too.
            Measure { op: "timed fn", who: "#[tracing::instrument], no subscriber", calls: 2 },
        ],
        otel: None,
        undrained: None,
        ours: &[
            ("attribute", called("counter0", "telemetry, #[count_me], no collector")),
            ("macro", inline("counter0", "telemetry, count!, no collector")),
            ("handle", inline("counter0", "telemetry, handle, no collector")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, no tags",
        budgets: &COUNTER,
        limit: Some(inline("counter0", "limit: one AtomicU64")),
        peers: &[
            inline("counter0", "metrics cached handle"),
            inline("counter0", "prometheus-client cached"),
            inline("counter0", "prometheus cached IntCounter"),
            inline("counter0", "opentelemetry Counter::add"),
        ],
        others: &[],
        otel: Some(inline("counter0", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("attribute", called("counter0", "telemetry, #[count_me]")),
            ("macro", inline("counter0", "telemetry, count!")),
            ("handle", inline("counter0", "telemetry, handle")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, 2 static tags",
        budgets: &COUNTER,
        limit: Some(inline("counter2", "limit: one AtomicU64")),
        peers: &[
            inline("counter2", "metrics cached handle"),
            inline("counter2", "prometheus-client cached"),
            inline("counter2", "prometheus cached IntCounter"),
        ],
        others: &[],
        otel: Some(inline("counter2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("attribute", called("counter2", "telemetry, #[count_me]")),
            ("macro", inline("counter2", "telemetry, count!")),
            ("handle", inline("counter2", "telemetry, handle")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, 2 dynamic tags",
        budgets: &[budget(1, 11.0, 15.0), budget(2, 107.0, 20.0)],
        limit: None,
        peers: &[
            inline("counter2", "metrics macro, prometheus recorder"),
            inline("counter2", "prometheus-client Family::get_or_create"),
            inline("counter2", "prometheus with_label_values"),
            inline("counter2", "opentelemetry Counter::add"),
        ],
        others: &[],
        otel: Some(inline("counter2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("macro", inline("counter2", "telemetry, count!, dynamic tags")),
            ("handle.with", inline("counter2", "telemetry, handle.with, dynamic tags")),
        ],
    },
    Row {
        group: "metrics",
        what: "histogram, no tags",
        budgets: &HISTOGRAM,
        limit: Some(inline("hist0", "limit: log2 buckets + sum")),
        peers: &[
            inline("hist0", "prometheus-client cached"),
            inline("hist0", "prometheus cached Histogram"),
            inline("hist0", "opentelemetry Histogram::record"),
        ],
        others: &[],
        otel: Some(inline("hist0", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[("handle", inline("hist0", "telemetry, handle"))],
    },
    Row {
        group: "metrics",
        what: "histogram, 2 static tags",
        budgets: &HISTOGRAM,
        limit: Some(inline("hist2", "limit: log2 buckets + sum")),
        peers: &[
            inline("hist2", "metrics cached handle"),
            inline("hist2", "prometheus-client Family::get_or_create"),
            inline("hist2", "prometheus with_label_values"),
            inline("hist2", "opentelemetry Histogram::record"),
        ],
        others: &[],
        otel: Some(inline("hist2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[("handle", inline("hist2", "telemetry, handle"))],
    },
    Row {
        group: "metrics",
        what: "timer with outcome, no span",
        budgets: &[budget(1, 19.2, 32.0)],
        limit: Some(inline("timed fn", "limit: 2 x quanta raw")),
        peers: &[
            called("timed fn", "#[hotpath::measure]"),
            called("timed fn", "#[fastrace::trace], in a root"),
            called("timed fn", "#[autometrics], prometheus"),
            inline("timed fn", "prometheus cached start_timer"),
        ],
        others: &[],
        otel: None,
        undrained: None,
        ours: &[("attribute", called("timed fn", "telemetry, #[time_me(span = false, outcome)]"))],
    },
    Row {
        group: "spans",
        what: "sampled root span, 4 fields",
        budgets: &[budget(1, 62.0, 120.0), budget(2, 96.0, 175.0)],
        limit: Some(inline("span4 root", FLOOR)),
        peers: SPAN4_PEERS,
        others: &[],
        otel: Some(inline("span4 root", "tracing-opentelemetry, batch")),
        undrained: Some(inline("span4 root", "telemetry, undrained")),
        ours: &[("layer", inline("span4 root", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "sampled child span, 4 fields",
        budgets: &[budget(1, 104.0, 165.0)],
        limit: Some(inline("span4 child3", FLOOR)),
        peers: &[inline("span4 child3", "fastrace"), inline("span4 child3", "emit, null emitter")],
        others: &[],
        otel: Some(inline("span4 child3", "tracing-opentelemetry, batch")),
        undrained: Some(inline("span4 child3", "telemetry, undrained")),
        ours: &[("layer", inline("span4 child3", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "span not kept, 4 fields, root",
        budgets: &[budget(1, 62.0, 75.0)],
        limit: Some(inline("span4 root", FLOOR)),
        peers: &[],
        others: &[],
        otel: Some(inline("span4 root", "tracing-opentelemetry, ratio 0.01")),
        undrained: None,
        ours: &[("layer", inline("span4 root", "telemetry, ratio 0.01"))],
    },
    Row {
        group: "spans",
        what: "span not kept, 4 fields, child",
        budgets: &[budget(1, 104.0, 130.0)],
        limit: Some(inline("span4 child3", FLOOR)),
        peers: &[],
        others: &[],
        otel: Some(inline("span4 child3", "tracing-opentelemetry, ratio 0.01")),
        undrained: None,
        ours: &[("layer", inline("span4 child3", "telemetry, ratio 0.01"))],
    },
    Row {
        group: "spans",
        what: "event of 3 fields inside a span",
        budgets: &[budget(1, 89.0, 50.0)],
        limit: None,
        peers: &[inline("event3", "fastrace, span events"), inline("event3", "emit, null emitter")],
        others: &[],
        otel: Some(inline("event3", "tracing-opentelemetry, as span events")),
        undrained: None,
        ours: &[("layer", inline("event3", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "#[time_me] with a sampled span",
        budgets: &[budget(1, 65.0, 130.0)],
        limit: Some(inline("span0 root", FLOOR)),
        peers: &[called("timed fn", "#[fastrace::trace], in a root")],
        others: &[],
        otel: None,
        undrained: None,
        ours: &[("attribute", called("timed fn", "telemetry, #[time_me]"))],
    },
];

const SPAN4_PEERS: &[Measure] = &[
    inline("span4 root", "fastrace"),
    inline("span4 root", "emit, null emitter"),
    inline("span4 root", "sentry-tracing, rate 1.0"),
    inline("span4 root", "tracing-chrome, args"),
    inline("span4 root", "fmt json, span close"),
];

/// The lines of all rows that are done by an attribute.
const MACROS: &str = "macros";
const BY_ATTRIBUTE: &str = "attribute";

impl Row {
    /// Which of ours belong to that group: how it is done, and its case.
    fn ours_in(&self, group: &str) -> impl Iterator<Item = &(&'static str, Measure)> {
        let whole = self.group == group;
        self.ours.iter().filter(move |(by, _)| whole || group == MACROS && *by == BY_ATTRIBUTE)
    }

    fn cases(&self, group: &str) -> impl Iterator<Item = Measure> {
        let ours = self.ours_in(group).map(|(_, m)| m);
        let all: Vec<_> = self
            .limit
            .iter()
            .chain(self.peers)
            .chain(self.others)
            .chain(&self.otel)
            .chain(&self.undrained)
            .chain(ours)
            .copied()
            .collect();
        let bare = all.iter().any(|m| m.calls > 0).then_some(BARE_CALL);
        all.into_iter().chain(bare)
    }
}

pub fn groups() -> Vec<&'static str> {
    let mut all: Vec<_> = ROWS.iter().map(|row| row.group).collect();
    all.dedup();
    all.push(MACROS);
    all
}

pub fn has(group: &str) -> bool {
    groups().contains(&group)
}

/// What the rounds of the cases gave.
struct Results<'a> {
    rounds: usize,
    cases: Vec<(&'a Entry, Vec<f64>)>,
    failed: Vec<String>,
    /// On two threads, and of these, preempted too often to contend.
    together: usize,
    disturbed: usize,
}

impl<'a> Results<'a> {
    /// Measures what the rows need: round by round, every case once, each in a process of its own.
    fn measure(group: &str, rows: &[&Row], rounds: usize, all: &'a [Entry]) -> Self {
        let needed = |e: &Entry| {
            let is = |row: &&Row| {
                let threads = row.budgets.iter().any(|b| b.threads == e.threads);
                threads && row.cases(group).any(|m| e.is(m.op, m.who, e.threads))
            };
            rows.iter().any(is)
        };
        let mut cases: Vec<_> = all.iter().filter(|e| needed(e)).map(|e| (e, vec![])).collect();
        let (mut failed, mut together, mut disturbed) = (vec![], 0, 0);
        for round in 1..=rounds {
            eprintln!("round {round} of {rounds}: {} cases", cases.len());
            for (e, ns) in &mut cases {
                let v = child(&["one", e.op, e.who, &e.threads.to_string()]);
                together += usize::from(e.threads > 1);
                disturbed += usize::from(v["disturbed"] == true);
                match v["ns"].as_f64() {
                    Some(x) => ns.push(x),
                    None => failed.push(format!("{}, {}, {} threads: {}", e.op, e.who, e.threads, v["failed"])),
                }
            }
        }
        Self { rounds, cases, failed, together, disturbed }
    }

    /// The median, less the bare calls in it; none if a round of it failed or it is not there.
    fn ns(&self, m: Measure, threads: usize) -> Option<f64> {
        let median_of = |m: Measure| {
            let (_, ns) = self.cases.iter().find(|(e, _)| e.is(m.op, m.who, threads))?;
            (!ns.is_empty() && ns.len() == self.rounds).then(|| median(ns.clone()))
        };
        let ns = median_of(m)?;
        if m.calls == 0 { Some(ns) } else { Some(ns - f64::from(m.calls) * median_of(BARE_CALL)?) }
    }
}

/// Prints the table; fails where a row is not met.
pub fn run(group: &str, rounds: usize, all: &[Entry]) -> ExitCode {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.ours_in(group).next().is_some()).collect();
    let results = Results::measure(group, &rows, rounds, all);
    println!("ns/op, medians of {rounds} rounds\n");
    println!(
        "| operation | threads | by | limit | best peer | tracing-opentelemetry | ours | undrained | ours at most | \
         ours / reference | at most | met |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let (mut met, mut lines) = (0, 0);
    for row in rows {
        for budget in row.budgets {
            for (by, ours) in row.ours_in(group) {
                lines += 1;
                met += usize::from(line(row, budget, by, *ours, &results));
            }
        }
    }
    println!("\n{met} of {lines} are met");
    if results.disturbed > 0 {
        println!(
            "{} of {} results on two threads are of threads that other work preempted: they contended less than \
             they should, so repeat this on a quieter machine",
            results.disturbed, results.together
        );
    }
    for failed in &results.failed {
        println!("FAILED: {failed}");
    }
    if met == lines && results.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line; whether its budget is met.
fn line(row: &Row, budget: &Budget, by: &str, ours: Measure, results: &Results) -> bool {
    let ns = |m: Measure| results.ns(m, budget.threads);
    let show = |x: Option<f64>| x.map_or("–".into(), num);
    let best_of = |peers: &[Measure]| {
        let measured = peers.iter().filter_map(|m| Some((ns(*m)?, *m)));
        measured.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (best, other) = (best_of(row.peers), best_of(row.others));
    let other = other.filter(|other| best.is_none_or(|best| other.0 < best.0));
    let named = |(x, m): (f64, Measure)| format!("{} ({}: {})", num(x), m.op, m.who);
    let peer = match (best, other) {
        (Some(best), Some(other)) => format!("{}; not in the design: {}", named(best), named(other)),
        (best, other) => best.or(other).map_or("–".into(), named),
    };
    let limit = row.limit.and_then(ns);
    let reference = if row.limit.is_some() { limit } else { best.map(|b| b.0) };
    let (at_most, mine) = (budget.ours / budget.reference, ns(ours));
    let ratio = mine.zip(reference).map(|(mine, reference)| mine / reference);
    let met = ratio.is_some_and(|ratio| ratio <= at_most);
    println!(
        "| {} | {} | {by} | {} | {peer} | {} | {} | {} | {} | {} | {at_most:.3} | {} |",
        row.what,
        budget.threads,
        show(limit),
        show(row.otel.and_then(ns)),
        show(mine),
        show(row.undrained.and_then(ns)),
        show(reference.map(|reference| reference * at_most)),
        ratio.map_or("–".into(), |ratio| format!("{ratio:.3}")),
        if met { "yes" } else { "no" },
    );
    met
}
