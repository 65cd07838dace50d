//! The rows of group `export` that are whole loads: rounds of them, all in turn, and what each row says of its rounds.
//!
//! A load that did not reach its rate says nothing: then its row has no number.

mod judge;
mod show;

pub use judge::Judged;
pub use show::print;

use crate::export::Contender::{self, Fastrace, Floor, Otel, OtelLarge, Ours, OursPressed};
use crate::export::{Load, Outcome};

/// The group that they are in, beside the rows for encoding.
pub const GROUP: &str = "export";

/// Loads whose outcomes are compared.
pub struct Scenario {
    pub rate: u64,
    pub delay_ms: u64,
    /// Those that a verdict needs, in each round; and those that are only shown, in the first ones.
    judged: &'static [Contender],
    shown: &'static [Contender],
    pub rows: &'static [Row],
}

/// What is asked of a scenario.
pub struct Row {
    pub what: &'static str,
    pub ours: Contender,
    pub ask: Ask,
}

#[derive(Clone, Copy)]
pub enum Ask {
    /// CPU time a span less that of the floor, divided by the same of tracing-opentelemetry: at most that. Nothing is lost.
    CpuOfOtel(f64),
    /// Spans a second that come to the receiver: at least so many times as many as of tracing-opentelemetry.
    TimesOtel(f64),
    NoneLost,
    /// What did not come is in the ledger.
    EachLossCounted,
    /// The most that is resident, in MiB.
    Peak(f64),
}

const fn at_rate(rate: u64, rows: &'static [Row]) -> Scenario {
    Scenario { rate, delay_ms: 0, judged: &[Floor, Otel, Ours], shown: &[OtelLarge, Fastrace], rows }
}

const fn row(what: &'static str, ours: Contender, ask: Ask) -> Row {
    Row { what, ours, ask }
}

pub const SCENARIOS: &[Scenario] = &[
    at_rate(20_000, &[row("CPU ns a span, net of the floor", Ours, Ask::CpuOfOtel(0.10))]),
    at_rate(100_000, &[row("CPU ns a span, net of the floor", Ours, Ask::CpuOfOtel(0.10))]),
    at_rate(200_000, &[row("CPU ns a span, net of the floor", Ours, Ask::CpuOfOtel(0.10))]),
    Scenario {
        rate: 500_000,
        delay_ms: 0,
        judged: &[Ours],
        shown: &[Floor, Otel, OtelLarge, Fastrace],
        rows: &[row("spans lost", Ours, Ask::NoneLost)],
    },
    Scenario {
        rate: 100_000,
        delay_ms: 50,
        judged: &[Ours],
        shown: &[Floor, Otel, OtelLarge, Fastrace],
        rows: &[row("spans lost", Ours, Ask::NoneLost)],
    },
    Scenario {
        rate: 0,
        delay_ms: 0,
        judged: &[Otel, OursPressed, Ours],
        shown: &[Floor, OtelLarge, Fastrace],
        rows: &[
            row("received a second", OursPressed, Ask::TimesOtel(15.0)),
            row("spans lost", OursPressed, Ask::NoneLost),
            row("peak memory, MiB", OursPressed, Ask::Peak(64.0)),
            row("spans lost that no ledger has", Ours, Ask::EachLossCounted),
        ],
    },
];

/// What one load came to, round by round.
pub struct Rounds {
    pub load: Load,
    pub outcomes: Vec<Outcome>,
}

impl Scenario {
    fn load(&self, who: Contender) -> Load {
        Load { who, rate: self.rate, delay_ms: self.delay_ms }
    }
}
