//! Group 7: scrapes. A process makes 10,000 series and scrapes them, and each page is read back; or a thread records while
//! others scrape.

mod contenders;
mod page;
mod pulled;

pub use contenders::Contender;
pub use pulled::{Hot, PULLED, Pulled, one as pulled_one, pulled};

use crate::memory::Bytes;
use crate::timing::thread_cpu;
use crate::{child, median};
use serde_json::{Value, json};
use std::hint::black_box;

pub const SERIES: usize = 10_000;
/// Scrapes after the first one, of which the median counts.
const LATER: usize = 15;
/// Upper bounds of all histograms.
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const NAME: &str = "requests";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Text,
    OpenMetrics,
    Protobuf,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Counter, Self::Gauge, Self::Histogram];

    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counters",
            Self::Gauge => "gauges",
            Self::Histogram => "histograms, 11 buckets",
        }
    }
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text 0.0.4",
            Self::OpenMetrics => "OpenMetrics 1.0",
            Self::Protobuf => "protobuf",
        }
    }
}

/// The value that a series takes the `n`-th time.
fn value(series: usize, n: usize) -> f64 {
    BOUNDS[(series + n) % BOUNDS.len()] * 0.75
}

/// What is scraped: some series, and how.
pub struct Target {
    /// Each series takes a value: one more, that value, or that value beside others.
    record: Box<dyn Fn(usize) + Send + Sync>,
    scrape: Box<dyn Fn(Form) -> Vec<u8> + Send + Sync>,
    /// What records again and again into one of the series.
    hot: Box<dyn Fn(Hot) -> Operation + Send + Sync>,
}

/// Runs something that many times.
type Operation = Box<dyn Fn(u64)>;

impl Target {
    fn new(
        record: impl Fn(usize) + Send + Sync + 'static,
        scrape: impl Fn(Form) -> Vec<u8> + Send + Sync + 'static,
        hot: impl Fn(Hot) -> Operation + Send + Sync + 'static,
    ) -> Self {
        Self { record: Box::new(record), scrape: Box::new(scrape), hot: Box::new(hot) }
    }
}

/// What a process found out: nanoseconds of CPU time a series, and bytes a series.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// Of the first scrape, and of a later one.
    pub first: f64,
    pub later: f64,
    /// Of the page.
    pub page: f64,
    /// Allocated for the series, and what a scrape leaves behind.
    pub series: f64,
    pub kept: f64,
}

/// Makes the series and scrapes them; in a fresh process.
pub fn one(who: Contender, kind: Kind, form: Form) -> Outcome {
    let before = Bytes::now();
    let target = who.make(kind, true);
    (target.record)(0);
    let made = Bytes::now();
    let scrape = |n: usize| {
        let from = thread_cpu();
        let page = black_box((target.scrape)(form));
        let spent = (thread_cpu() - from).as_nanos() as f64;
        page::check(&page, kind, form, n);
        (spent, page.len() as f64)
    };
    let (first, page) = scrape(1);
    let scraped = Bytes::now();
    let later = (1..=LATER).map(|n| {
        (target.record)(n);
        scrape(n + 1).0
    });
    let later = median(later.collect());
    let each = |all: f64| all / SERIES as f64;
    Outcome {
        first: each(first),
        later: each(later),
        page: each(page),
        series: each(made.allocated - before.allocated),
        kept: each(scraped.allocated - made.allocated),
    }
}

/// The same in a process of its own; what went wrong where there is no outcome.
pub fn run(who: Contender, kind: Kind, form: Form) -> Result<Outcome, String> {
    let args = [who.name(), &format!("{kind:?}"), &format!("{form:?}")];
    let v = child(&["scrape-one", args[0], args[1], args[2]]);
    serde_json::from_value(v.clone()).map_err(|_| format!("{}, {}, {}: {}", args[0], args[1], args[2], v["failed"]))
}

/// What the arguments of a process of its own say.
pub fn of_arguments(who: &str, kind: &str, form: &str) -> Value {
    let kind = Kind::ALL.into_iter().find(|k| format!("{k:?}") == kind).expect("no such kind");
    let form = Form::ALL.into_iter().find(|f| format!("{f:?}") == form).expect("no such form");
    json!(one(Contender::named(who), kind, form))
}
