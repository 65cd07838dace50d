//! Models: what threads do to each other in pages and tables, in many orders.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p telemetry-core --lib shuttle`; `SHUTTLE_RUNS` is how many orders each tries.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use shuttle::thread;

use super::{Baseline, CellKind, Observations, Settings, Site, Table, page};
use crate::clock::{Clock, ManualClock};
use crate::model::{Kind, Metric, Number};

fn check(model: impl Fn() + Send + Sync + 'static) {
    let runs = std::env::var("SHUTTLE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2_000);
    // Pages serve one model after the other.
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    shuttle::check_random(model, runs);
}

fn table(max_bytes: usize) -> (ManualClock, Arc<Table>) {
    let hands = ManualClock::new(1_000_000_000);
    let settings = Settings {
        min_level: None,
        max_series: 10,
        max_bytes,
        max_text: 1 << 13,
        expiration: Some(Duration::from_secs(1)),
        callback_timeout: Duration::from_secs(1),
    };
    (hands.clone(), Arc::new(Table::new(Arc::new(Clock::manual(&hands)), settings, Vec::new())))
}

static FIXED: Site = Site::new(CellKind::Counter, "fixed", &[]);
static TAGGED: Site = Site::new(CellKind::Counter, "tagged", &[]);

/// What an instrument does: its own cell, or the shared one and then its own.
fn count(table: &Table, n: u8) {
    if !page::add(Some(table.collector()), &FIXED, n.into()) {
        table.attach(&FIXED, false);
        table.record(&FIXED, &[], Number::Int(n.into()));
    }
}

fn count_tagged(table: &Table, tag: &str, n: u8) {
    let tags = [("t", tag)];
    if !page::with_tagged(Some(table.collector()), &TAGGED, &tags, |cell| cell.add(n.into())) {
        table.attach(&TAGGED, true);
        table.record_tagged(&TAGGED, &tags, Number::Int(n.into()));
    }
}

fn total(metrics: &[Metric], name: &str) -> f64 {
    metrics.iter().filter(|m| m.identity.name == name).map(|m| m.number().as_f64()).sum()
}

/// Starts `threads` that each do `work` and end.
fn spawn(table: &Arc<Table>, threads: usize, work: fn(&Table, usize)) -> Vec<thread::JoinHandle<()>> {
    let spawn = |at| {
        let table = Arc::clone(table);
        thread::spawn(move || {
            work(&table, at);
            page::forget_current();
        })
    };
    (0..threads).map(spawn).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn totals_only_grow_while_threads_come_and_go_and_are_exact_at_the_end() {
    for bytes in [1 << 20, 1] {
        check(move || {
            let (_, table) = table(bytes);
            let threads = spawn(&table, 2, |table, at| {
                for _ in 0..3 {
                    count(table, 1);
                    count_tagged(table, ["a", "b"][at], 1);
                }
            });
            let mut before = (0.0, 0.0);
            for _ in 0..3 {
                let read = table.read();
                let now = (total(&read, "fixed"), total(&read, "tagged"));
                assert!(before.0 <= now.0 && before.1 <= now.1, "{now:?} after {before:?}");
                before = now;
            }
            join(threads);
            let read = table.read();
            assert_eq!((total(&read, "fixed"), total(&read, "tagged")), (6.0, 6.0));
        });
    }
}

#[test]
fn two_who_read_at_once_fold_in_nothing_twice() {
    check(|| {
        let (_, table) = table(1 << 20);
        let work = |table: &Table, _| {
            // The first one is shared.
            for _ in 0..2 {
                count(table, 1);
                count_tagged(table, "a", 1);
            }
        };
        join(spawn(&table, 1, work));
        let threads = spawn(&table, 1, work);
        let readers = spawn(&table, 2, |table, at| {
            if at == 0 {
                table.read();
            } else {
                table.tidy();
            }
        });
        join(threads);
        join(readers);
        let read = table.read();
        assert_eq!((total(&read, "fixed"), total(&read, "tagged")), (4.0, 4.0));
    });
}

#[test]
fn a_page_that_serves_another_collector_brings_nothing_along() {
    check(|| {
        let (_, one) = table(1 << 20);
        let (_, two) = table(1 << 20);
        join(spawn(&one, 1, |table, _| {
            count(table, 2);
            count(table, 3)
        }));
        let late = spawn(&one, 1, |table, _| {
            count(table, 3);
            count(table, 4)
        });
        let other = spawn(&two, 2, |table, _| {
            count(table, 1);
            count(table, 1)
        });
        one.read();
        join(late);
        let got = total(&one.read(), "fixed");
        drop(one);
        join(other);
        assert_eq!((got, total(&two.read(), "fixed")), (12.0, 4.0));
    });
}

#[test]
fn series_end_while_threads_count_and_the_deltas_lose_nothing() {
    for bytes in [1 << 20, 1] {
        check(move || {
            let (hands, table) = table(bytes);
            let threads = spawn(&table, 2, |table, at| {
                for tag in ["a", "b", "a"] {
                    count_tagged(table, tag, 1);
                    count(table, 1);
                    if at == 0 {
                        thread::yield_now();
                    }
                }
            });
            let mut baseline = Baseline::joining(Kind::SUMMED.to_vec(), &[]);
            let last_read = table.add_source();
            let mut given = (0.0, 0.0);
            let mut flush = || {
                hands.advance(Duration::from_secs(2));
                let levels = table.read_levels(Observations::default(), true);
                let now = levels.merged(|_| true);
                let delta = baseline.since(&now);
                given = (given.0 + total(&delta, "fixed"), given.1 + total(&delta, "tagged"));
                baseline.commit(&now);
                last_read.fetch_max(levels.at().raw(), Relaxed);
                given
            };
            for _ in 0..4 {
                flush();
            }
            join(threads);
            flush();
            assert_eq!(flush(), (6.0, 6.0));
        });
    }
}
