//! What recording costs a thread while ten others scrape what it records into. Beside it: while they scrape another page, which
//! takes as much of the machine and shares nothing with it, and while they wait.

use super::{Contender, Form, Kind, Target};
use crate::timing::{pin, thread_cpu};
use crate::{child, median};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const SCRAPERS: u64 = 10;
/// Turns, each of which has a slice of each way.
const TURNS: usize = 9;
const SLICE: Duration = Duration::from_millis(20);
const BURST: u64 = 1000;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hot {
    Counter,
    TaggedCounter,
    Histogram,
}

pub const PULLED: [Hot; 3] = [Hot::Counter, Hot::TaggedCounter, Hot::Histogram];

impl Hot {
    pub fn name(self) -> &'static str {
        match self {
            Hot::Counter => "counter, by handle",
            Hot::TaggedCounter => "counter, 2 dynamic tags",
            Hot::Histogram => "histogram, by handle",
        }
    }

    fn kind(self) -> Kind {
        if self == Hot::Histogram { Kind::Histogram } else { Kind::Counter }
    }
}

/// Nanoseconds of CPU time an operation; and the medians of what turns say of the one by the other.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Pulled {
    pub idle: f64,
    pub other: f64,
    pub this: f64,
    pub by_idle: f64,
    pub by_other: f64,
    /// Scrapes of the page that it records into, while that was measured.
    pub scrapes: u64,
}

/// What the scrapers do.
const IDLE: usize = 0;
const OTHER: usize = 1;
const THIS: usize = 2;
const END: usize = 3;

fn scrape(targets: &[Target; 2], way: &AtomicUsize, done: &[AtomicU64; 3]) {
    pin(0);
    loop {
        let now = way.load(SeqCst);
        match now {
            IDLE => std::thread::sleep(Duration::from_millis(1)),
            OTHER | THIS => drop((targets[now - 1].scrape)(Form::Text)),
            _ => return,
        }
        done[now].fetch_add(1, SeqCst);
    }
}

/// Measures it, in a fresh process.
pub fn one(who: &str, hot: &str) -> Pulled {
    let hot = PULLED.into_iter().find(|h| format!("{h:?}") == hot).expect("no such operation");
    let who = Contender::named(who);
    let targets = [who.make(hot.kind(), false), who.make(hot.kind(), true)];
    targets.iter().for_each(|target| (target.record)(0));
    let run = (targets[1].hot)(hot);
    let (way, done) = (AtomicUsize::new(IDLE), [const { AtomicU64::new(0) }; 3]);
    let (turns, scrapes) = std::thread::scope(|s| {
        for _ in 0..SCRAPERS {
            s.spawn(|| scrape(&targets, &way, &done));
        }
        pin(1);
        let slice = |now: usize| {
            way.store(now, SeqCst);
            // What they did before is over then.
            let enough = done[now].load(SeqCst) + SCRAPERS;
            while done[now].load(SeqCst) < enough {
                std::thread::sleep(Duration::from_millis(1));
            }
            run(BURST);
            let (from, before, mut ops) = (thread_cpu(), done[now].load(SeqCst), 0);
            while thread_cpu() - from < SLICE {
                run(BURST);
                ops += BURST;
            }
            ((thread_cpu() - from).as_nanos() as f64 / ops as f64, done[now].load(SeqCst) - before)
        };
        let mut scrapes = 0;
        let turns: Vec<[f64; 3]> = (0..TURNS)
            .map(|turn| {
                let ways = if turn % 2 == 0 { [IDLE, OTHER, THIS] } else { [THIS, OTHER, IDLE] };
                let mut all = [0.0; 3];
                for way in ways {
                    let (ns, done) = slice(way);
                    all[way] = ns;
                    scrapes += if way == THIS { done } else { 0 };
                }
                all
            })
            .collect();
        way.store(END, SeqCst);
        (turns, scrapes)
    });
    let of = |f: &dyn Fn(&[f64; 3]) -> f64| median(turns.iter().map(f).collect());
    Pulled {
        idle: of(&|t| t[IDLE]),
        other: of(&|t| t[OTHER]),
        this: of(&|t| t[THIS]),
        by_idle: of(&|t| t[THIS] / t[IDLE]),
        by_other: of(&|t| t[THIS] / t[OTHER]),
        scrapes,
    }
}

/// The same in a process of its own.
pub fn pulled(who: Contender, hot: Hot) -> Result<Pulled, String> {
    let v: Value = child(&["pulled-one", who.name(), &format!("{hot:?}")]);
    serde_json::from_value(v.clone()).map_err(|_| format!("{}, {}: {}", who.name(), hot.name(), v["failed"]))
}
