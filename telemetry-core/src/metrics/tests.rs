use std::sync::Arc;

use super::cell::LocalCell;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::model::{Buckets, Kind, Metric, Number};
use std::time::Duration;

fn settings(max_series: usize) -> Settings {
    Settings {
        min_level: None,
        max_series,
        max_bytes: 1 << 20,
        max_text: 1 << 13,
        expiration: Some(Duration::from_secs(10)),
        callback_timeout: Duration::from_secs(5),
    }
}

fn table(max_series: usize) -> (ManualClock, Table) {
    let hands = ManualClock::new(1_000_000);
    let table = Table::new(Arc::new(Clock::manual(&hands)), settings(max_series), Vec::new());
    (hands, table)
}

fn values(table: &Table) -> Vec<(String, String, f64)> {
    let line = |m: &Metric| (m.identity.name.to_string(), m.identity.tags.to_string(), m.number().as_f64());
    table.read().iter().map(line).collect()
}

#[test]
fn tags_in_any_order_are_one_series_and_later_ones_win() {
    let (_, table) = table(10);
    let site = Site::new(CellKind::Counter, "a", &[("b", "site"), ("z", "1")]);
    table.record(&site, &[("d", "2"), ("b", "own")], Number::Int(1));
    table.record(&site, &[("b", "own"), ("d", "2")], Number::Int(2));
    table.record(&site, &[], Number::Int(4));
    table.record(&site, &[], Number::Int(8));
    assert_eq!(
        values(&table),
        [("a".into(), "b: own, d: 2, z: 1".into(), 3.0), ("a".into(), "b: site, z: 1".into(), 12.0)]
    );
}

#[test]
fn two_sites_of_one_name_feed_one_series() {
    let (_, table) = table(10);
    let (one, two) = (Site::new(CellKind::Counter, "a", &[]), Site::new(CellKind::Counter, "a", &[]));
    for site in [&one, &two, &one] {
        table.record(site, &[], Number::Int(1));
    }
    assert_eq!(values(&table), [("a".into(), String::new(), 3.0)]);
}

#[test]
fn floats_and_whole_numbers_stay_one_series() {
    let (_, table) = table(10);
    let site = Site::new(CellKind::Counter, "a", &[]);
    table.record(&site, &[], Number::Int(i64::MAX - 1));
    assert_eq!(table.read()[0].number(), Number::Int(i64::MAX - 1), "exact while no float went in");
    table.record(&site, &[], Number::Float(0.5));
    assert_eq!(values(&table).len(), 1);
}

#[test]
fn beyond_the_cap_series_share_one_and_nothing_is_lost() {
    let (_, table) = table(3);
    let site = Site::new(CellKind::Counter, "a", &[]);
    for i in 0..100 {
        table.record(&site, &[("i", &i.to_string())], Number::Int(1));
    }
    let all = values(&table);
    assert_eq!(all.len(), 4);
    assert_eq!(all.iter().map(|v| v.2).sum::<f64>(), 100.0);
    assert!(all.iter().any(|v| v.1 == "otel.metric.overflow: true" && v.2 == 97.0), "{all:?}");
}

#[test]
fn what_no_cell_can_take_is_refused_and_counted() {
    let (_, table) = table(10);
    let (counter, histogram) =
        (Site::new(CellKind::Counter, "c", &[]), Site::new(CellKind::Histogram, "h", &[]));
    table.record(&counter, &[], Number::Int(-1));
    table.record(&counter, &[], Number::Float(f64::NAN));
    table.record(&histogram, &[], Number::Float(f64::INFINITY));
    table.record(&counter, &[("no key", "x")], Number::Int(2));
    assert_eq!((table.refused(), table.read().len()), (3, 1), "what is refused makes no series");
    assert_eq!(table.read()[0].number(), Number::Int(2), "the measurement is kept, its tag is not");
}

#[test]
fn levels_are_series_of_their_own_inside_and_one_outside() {
    let hands = ManualClock::new(0);
    let table = Table::new(
        Arc::new(Clock::manual(&hands)),
        Settings { min_level: Some(tracing_core::Level::INFO), ..settings(10) },
        Vec::new(),
    );
    for level in [tracing_core::Level::ERROR, tracing_core::Level::INFO, tracing_core::Level::DEBUG] {
        let site = Site::new(CellKind::Counter, "a", &[]).level(level);
        table.record(&site, &[], Number::Int(1));
    }
    assert_eq!(values(&table), [("a".into(), String::new(), 2.0)], "debug is below the least level");
}

#[test]
fn a_gauge_keeps_its_own_time_and_a_sum_the_time_it_was_read() {
    let (hands, table) = table(10);
    let (gauge, sum) = (Site::new(CellKind::Gauge, "g", &[]), Site::new(CellKind::Counter, "s", &[]));
    table.record(&sum, &[], Number::Int(1));
    hands.advance(Duration::from_millis(1));
    table.record(&gauge, &[], Number::Float(1.5));
    hands.advance(Duration::from_millis(1));
    let read = table.read();
    assert_eq!((read[0].time_unix_nano, read[0].start_time_unix_nano), (2_000_000, None));
    assert_eq!((read[1].time_unix_nano, read[1].start_time_unix_nano), (3_000_000, Some(1_000_000)));
}

#[test]
fn a_callback_is_asked_at_each_snapshot_and_may_panic() {
    let (_, table) = table(10);
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let queue = Site::new(CellKind::Gauge, "queue", &[]);
    table.observe(&queue, || panic!("it is replaced"));
    table.observe(&queue, move || Number::from(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    table.observe(&Site::new(CellKind::Gauge, "bad", &[]), || panic!("in a callback"));
    assert_eq!((values(&table)[0].2, values(&table)[0].2), (0.0, 1.0));
    assert_eq!(table.refused(), 2);
}

#[test]
fn a_delta_holds_what_came_since_it_was_committed() {
    let (hands, table) = table(10);
    let (counter, histogram) =
        (Site::new(CellKind::Counter, "c", &[]), Site::new(CellKind::Histogram, "h", &[]));
    let record = |n: i64| {
        table.record(&counter, &[], Number::Int(n));
        table.record(&histogram, &[], Number::Int(n));
        hands.advance(Duration::from_secs(1));
    };
    let of = |metrics: &[Metric]| -> Vec<f64> { metrics.iter().map(|m| m.number().as_f64()).collect() };
    record(1);
    let mut baseline = Baseline::joining(crate::model::Kind::SUMMED.to_vec(), &table.read());
    record(2);
    assert_eq!(of(&baseline.since(&table.read())), [2.0, 2.0], "dropped before it was committed");
    record(4);
    let now = table.read();
    let delta = baseline.since(&now);
    assert_eq!(of(&delta), [6.0, 6.0]);
    assert_eq!(delta[1].histogram().unwrap().count, 2);
    baseline.commit(&now);
    assert!(baseline.since(&table.read()).is_empty(), "nothing moved");
    record(8);
    let next = baseline.since(&table.read());
    assert_eq!(of(&next), [8.0, 8.0]);
    assert_eq!(next[0].start_time_unix_nano, Some(now[0].time_unix_nano), "windows touch");
}

#[test]
fn totals_are_exact_with_many_threads() {
    let (_, table) = table(100);
    let (counter, histogram) =
        (Site::new(CellKind::Counter, "c", &[]), Site::new(CellKind::Histogram, "h", &[]));
    std::thread::scope(|s| {
        for t in 0..8 {
            let (table, counter, histogram) = (&table, &counter, &histogram);
            s.spawn(move || {
                for i in 0..10_000u32 {
                    table.record(counter, &[], Number::Int(1));
                    table.record(counter, &[("t", ["a", "b", "c"][t % 3])], Number::Int(1));
                    table.record(histogram, &[], Number::Int(i64::from(i)));
                }
            });
        }
    });
    let read = table.read();
    let counted: f64 = read.iter().filter(|m| m.identity.name == "c").map(|m| m.number().as_f64()).sum();
    let h = read.iter().find_map(Metric::histogram).unwrap();
    assert_eq!((counted, h.count, h.sum), (160_000.0, 80_000, 8.0 * 49_995_000.0));
    assert_eq!((h.min, h.max), (Some(0.0), Some(9_999.0)));
}

#[test]
fn rates_of_levels_add_up() {
    let (hands, table) = table(10);
    for (level, n) in [(tracing_core::Level::INFO, 600), (tracing_core::Level::WARN, 60)] {
        let site = Site::new(CellKind::Meter, "m", &[]).level(level);
        table.record(&site, &[], Number::Int(n));
    }
    hands.advance(Duration::from_mins(1));
    table.tick();
    let lines = values(&table);
    assert_eq!(lines.iter().map(|l| l.2).collect::<Vec<_>>(), [660.0, 11.0, 11.0, 11.0, 11.0], "{lines:?}");
}

#[test]
fn a_delta_that_was_dropped_from_the_queue_is_part_of_the_next() {
    let (hands, table) = table(10);
    let (counter, histogram) =
        (Site::new(CellKind::Counter, "c", &[]), Site::new(CellKind::Histogram, "h", &[]));
    let mut baseline = Baseline::joining(crate::model::Kind::SUMMED.to_vec(), &table.read());
    let mut deltas: Vec<Vec<Metric>> = Vec::new();
    for n in [1, 2, 4] {
        table.record(&counter, &[], Number::Int(n));
        table.record(&histogram, &[], Number::Int(n));
        hands.advance(Duration::from_secs(1));
        let now = table.read();
        deltas.push(baseline.since(&now));
        baseline.commit(&now);
    }
    deltas[..2].iter().flatten().for_each(|dropped| baseline.restore(dropped));
    table.record(&counter, &[], Number::Int(8));
    let next = baseline.since(&table.read());
    assert_eq!(next.iter().map(|m| m.number().as_f64()).collect::<Vec<_>>(), [11.0, 3.0]);
    assert_eq!(next[1].histogram().unwrap().count, 2);
    assert_eq!(next[0].start_time_unix_nano, deltas[0][0].start_time_unix_nano);
}

#[test]
fn a_second_declaration_that_differs_is_said_once_and_loses_nothing() {
    let (_, table) = table(10);
    let first = Site::new(CellKind::Counter, "declared.twice", &[]).unit("By").at("a.rs", 1);
    let second = Site::new(CellKind::Counter, "declared.twice", &[("k", "v")]).unit("s").at("b.rs", 2);
    let third = Site::new(CellKind::Gauge, "declared.twice", &[]).at("c.rs", 3);
    for site in [&first, &second, &third, &second] {
        table.record(site, &[], Number::Int(1));
    }
    let said = crate::diagnostics::said();
    let about = |text: &str| said.iter().filter(|line| line.contains(text)).count();
    assert_eq!(about("`declared.twice`: its unit is `By` at a.rs:1 and `s` at b.rs:2"), 1, "{said:#?}");
    assert_eq!(about("its kind is `counter` at a.rs:1 and `gauge` at c.rs:3"), 1, "{said:#?}");
    assert_eq!(values(&table).iter().map(|v| v.2).sum::<f64>(), 4.0);
}

#[test]
fn what_a_metric_of_another_kind_declared_counts_for_that_kind() {
    let (_, table) = table(10);
    let first = Site::new(CellKind::Counter, "of.two.kinds", &[]).unit("By");
    let second = Site::new(CellKind::Histogram, "of.two.kinds", &[]).unit("s").buckets(&[1.0, 2.0]);
    [&first, &second].into_iter().for_each(|site| table.record(site, &[], Number::Int(1)));
    let read = table.read();
    let of = |kind| read.iter().find(|metric| metric.identity.kind == kind).unwrap();
    assert_eq!([Kind::Counter, Kind::Histogram].map(|kind| &*of(kind).identity.unit), ["By", "s"]);
    let buckets = of(Kind::Histogram).histogram().unwrap().buckets.clone();
    assert!(matches!(&buckets, Buckets::Explicit { bounds, .. } if **bounds == [1.0, 2.0]), "{buckets:?}");
}

#[test]
fn metrics_without_end_are_summed_up_too() {
    let (_, table) = table(10);
    for i in 0..100_100 {
        let site = Site::owned(CellKind::Counter, format!("m{i}").into(), "", std::panic::Location::caller());
        table.record(&site.unnumbered(), &[], Number::Int(1));
    }
    let all = values(&table);
    assert!(all.len() <= 100_001, "{}", all.len());
    assert_eq!(all.iter().map(|v| v.2).sum::<f64>(), 100_100.0);
}

#[test]
fn a_series_that_is_over_is_forgotten_once_no_thread_has_a_cell_of_it() {
    let (hands, table) = table(10);
    let (fixed, tagged) =
        (Site::new(CellKind::Counter, "fixed", &[]), Site::new(CellKind::Counter, "tagged", &[]));
    let kept = || table.read_levels(Observations::default(), true).merged(|_| true).len();
    std::thread::scope(|scope| {
        let count = || {
            table.attach(&fixed, false);
            assert!(page::add(Some(table.collector()), &fixed, 1));
            for tag in ["a", "b"] {
                table.record_tagged(&tagged, &[("t", tag)], Number::Int(1));
            }
        };
        scope.spawn(count).join().unwrap();
    });
    assert_eq!((kept(), format!("{table:?}")), (3, "Table { series: 3, .. }".to_owned()));
    hands.advance(Duration::from_secs(20));
    assert_eq!((kept(), kept()), (3, 0), "read once more, then over");
    assert_eq!(format!("{table:?}"), "Table { series: 1, .. }", "the one with a number stays");
}

#[test]
fn cells_are_read_for_their_series_wherever_these_come_to_stand() {
    const TAGS: [(&str, i64); 2] = [("x", 1), ("y", 10)];
    for names in [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"], ["b", "c", "a"]] {
        let (_, table) = table(10);
        let sites = names.map(|name| Site::new(CellKind::Counter, name, &[]));
        let worth = |at: usize, of_tag: i64| of_tag * 100_i64.pow(at as u32);
        let record = |known: usize| {
            for (at, site) in sites.iter().enumerate().take(known) {
                table.attach(site, true);
                for (tag, of_tag) in TAGS {
                    table.record_tagged(site, &[("t", tag)], Number::Int(0));
                    let add = |cell: &LocalCell| cell.add(worth(at, of_tag));
                    assert!(page::with_tagged(Some(table.collector()), site, &[("t", tag)], add));
                }
            }
        };
        // In each round one more metric, which comes before or behind the others, and two threads with cells of all.
        for known in 1..=3 {
            for _ in 0..2 {
                std::thread::scope(|scope| scope.spawn(|| record(known)).join()).unwrap();
            }
            table.read();
        }
        let of = |at: usize| {
            TAGS.map(|(tag, of_tag)| {
                (names[at].to_owned(), format!("t: {tag}"), (worth(at, of_tag) * 2 * (3 - at as i64)) as f64)
            })
        };
        let mut expected: Vec<_> = (0..3).flat_map(of).collect();
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(values(&table), expected, "{names:?}");
    }
}

#[test]
fn a_snapshot_that_somebody_keeps_is_not_written_over() {
    let (_, table) = table(10);
    let site = Site::new(CellKind::Counter, "a", &[]);
    let counted = |read: &[Metric]| read.iter().map(|m| m.number().as_f64()).sum::<f64>();
    table.record(&site, &[], Number::Int(1));
    let kept = table.read();
    table.record(&site, &[("k", "v")], Number::Int(2));
    let next = table.read();
    assert_eq!((counted(&kept), counted(&next)), (1.0, 3.0));
    drop((kept, next));
    table.observe(&Site::new(CellKind::Counter, "a", &[("j", "v")]), || Number::Int(4));
    assert_eq!([(); 3].map(|()| counted(&table.read())), [7.0; 3], "in the place of the one before");
}
