use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::Collector;
use crate::clock::{Clock, ManualClock};
use crate::collector::EventMetric;
use crate::metrics::{CellKind, Site};
use crate::model::Kind;
use tracing_core::Level;

fn collector(hands: &ManualClock) -> Collector {
    Collector::builder().ignore_env().clock(Clock::manual(hands)).start().unwrap()
}

#[test]
fn instruments_feed_the_scoped_collector_and_nobody_elses() {
    let hands = ManualClock::new(0);
    let (a, b) = (collector(&hands), collector(&hands));
    let orders = counter("orders");
    orders.inc();
    a.scoped(|| {
        orders.inc();
        b.scoped(|| orders.add(10));
        orders.inc();
        std::thread::scope(|s| s.spawn(|| orders.add(100)).join()).unwrap();
    });
    assert_eq!((a.snapshot().total("orders"), b.snapshot().total("orders")), (2.0, 10.0));
}

#[test]
fn a_handle_of_a_collector_is_bound_to_it() {
    let hands = ManualClock::new(0);
    let (a, b) = (collector(&hands), collector(&hands));
    let bound = a.counter("c");
    b.scoped(|| bound.inc());
    assert_eq!((a.snapshot().total("c"), b.snapshot().len()), (1.0, 0));
}

#[test]
fn every_instrument_keeps_what_it_is_given() {
    let hands = ManualClock::new(5);
    let c = collector(&hands);
    c.up_down_counter("open").inc();
    c.up_down_counter("open").dec();
    c.up_down_counter("open").add(-3);
    c.gauge("heat").set(21.5);
    c.gauge("depth").observe(|| 4.0);
    c.histogram("size").unit("By").record(100u64);
    c.histogram("size").record(300);
    c.meter("hits").mark(1);
    c.meter("hits").mark(2);
    let read = c.snapshot();
    assert_eq!((read.total("open"), read.total("heat"), read.total("depth")), (-3.0, 21.5, 4.0));
    let size = read.named("size").next().unwrap();
    let h = size.histogram().unwrap();
    assert_eq!((size.unit(), h.count, h.sum, h.min, h.max), ("By", 2, 400.0, Some(100.0), Some(300.0)));
    assert_eq!(read.named("hits").next().unwrap().kind(), Kind::Counter);
    assert_eq!(read.total("hits"), 3.0);
    assert!(read.named("hits.m1_rate").next().is_some_and(|m| m.kind() == Kind::Gauge && m.unit() == "1/s"));
}

#[test]
fn a_timer_measures_scopes_closures_futures_panics_and_cancellation() {
    let hands = ManualClock::new(0);
    let c = collector(&hands);
    let timer = c.timer("t");
    let pass = || hands.advance(Duration::from_secs(1));
    {
        let _guard = timer.start();
        pass();
    }
    timer.time(pass);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        timer.time(|| {
            pass();
            panic!("while it is timed")
        })
    }));
    assert!(panicked.is_err());
    let mut cancelled = Box::pin(timer.time_async(async {
        pass();
        std::future::pending::<()>().await;
    }));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::future::Future::poll(cancelled.as_mut(), &mut context).is_pending());
    drop(cancelled);
    timer.start().discard();
    timer.record(Duration::from_secs(4));
    let read = c.snapshot();
    let h = read.named("t").next().unwrap().histogram().unwrap().clone();
    assert_eq!((h.count, h.sum, h.min, h.max), (5, 8.0, Some(1.0), Some(4.0)));
    assert_eq!(read.named("t").next().unwrap().unit(), "s");
}

#[test]
fn a_running_timer_belongs_to_the_collector_it_began_with() {
    let hands = ManualClock::new(0);
    let (a, b) = (collector(&hands), collector(&hands));
    let guard = a.scoped(|| timer("t").with(&[("k", "v")]).start());
    b.scoped(|| drop(guard));
    assert_eq!((a.snapshot().total("t"), b.snapshot().len()), (1.0, 0));
    assert_eq!(a.snapshot().iter().next().unwrap().tag("k"), Some("v"));
}

#[test]
fn dynamic_tags_join_static_ones() {
    let hands = ManualClock::new(0);
    let c = collector(&hands);
    let requests = c.counter("r").tag("app", "shop").tag("status", "?");
    requests.with(&[("status", "200")]).inc();
    requests.with(&[("status", "200")]).add(2);
    requests.with(&[("status", "404"), ("route", "/")]).inc();
    requests.inc();
    let read = c.snapshot();
    let lines: Vec<String> = read.iter().map(|m| format!("{} = {}", m.own_tags(), m.number())).collect();
    assert_eq!(
        lines,
        ["app: shop, status: 200 = 3", "app: shop, route: /, status: 404 = 1", "app: shop, status: ? = 1"],
        "in the order in which they were made"
    );
}

#[test]
fn handles_made_again_and_again_are_one_series() {
    let hands = ManualClock::new(0);
    let c = collector(&hands);
    c.scoped(|| (0..1_000).for_each(|_| counter("again").tag("k", "v").inc()));
    assert_eq!((c.snapshot().len(), c.snapshot().total("again")), (1, 1_000.0));
}

#[test]
fn a_timer_may_end_on_another_thread_and_after_its_collector_was_current() {
    let (a, b) = (Collector::builder().ignore_env().start().unwrap(), Collector::builder().start().unwrap());
    let guard = a.scoped(|| {
        timer("t").time(|| ());
        timer("t").start()
    });
    std::thread::spawn(move || b.scoped(|| drop(guard))).join().unwrap();
    assert_eq!(a.snapshot().total("t"), 2.0);
    let orphan = a.scoped(|| timer("t").start());
    drop(a);
    drop(orphan);
}

#[test]
fn pages_of_ended_threads_serve_others_and_start_empty() {
    for round in 1..=50 {
        let c = Collector::builder().ignore_env().start().unwrap();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    c.scoped(|| {
                        let (counter, histogram) = (counter("pages"), histogram("pages.h"));
                        for i in 0..100 {
                            counter.inc();
                            histogram.record(i);
                            // Far from the others: it finds no bucket in a thread's own histogram.
                            histogram.record(1e-15);
                        }
                    });
                });
            }
        });
        let read = c.snapshot();
        assert_eq!((read.total("pages"), read.total("pages.h")), (300.0, 600.0), "round {round}");
        let h = read.named("pages.h").next().unwrap().histogram().unwrap();
        assert_eq!((h.min, h.max, h.buckets.zero_count()), (Some(0.0), Some(99.0), 3));
        assert!((h.sum - 3.0 * 4950.0).abs() < 1e-6);
    }
}

#[test]
fn beyond_the_memory_for_pages_cells_are_shared_and_exact() {
    let config = crate::Config { metrics_bytes: 1, ..crate::Config::default() };
    let c = Collector::builder().config(config).start().unwrap();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                c.scoped(|| {
                    for i in 0..1_000 {
                        counter("shared").inc();
                        histogram("shared.h").record(i);
                    }
                });
            });
        }
    });
    assert_eq!((c.snapshot().total("shared"), c.snapshot().total("shared.h")), (4_000.0, 4_000.0));
}

#[test]
fn without_a_collector_nothing_happens_and_nothing_fails() {
    counter("none").inc();
    gauge("none").observe(|| -> f64 { panic!("never asked") });
    timer("none").time(|| ());
    assert!(Collector::current().is_none());
}

#[test]
fn totals_are_exact_while_threads_come_and_go_and_snapshots_are_taken() {
    let c = Collector::builder().ignore_env().start().unwrap();
    let counter = Arc::new(c.counter("c"));
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for _ in 0..10 {
                    let counter = Arc::clone(&counter);
                    std::thread::spawn(move || (0..1_000).for_each(|_| counter.inc())).join().unwrap();
                }
            });
        }
        let mut last = 0.0;
        for _ in 0..100 {
            let now = c.snapshot().total("c");
            assert!(now >= last, "a counter never falls: {last} then {now}");
            last = now;
        }
    });
    assert_eq!(c.snapshot().total("c"), 80_000.0);
}

#[test]
fn an_up_down_counter_is_never_seen_out_of_its_bounds() {
    let c = Collector::builder().ignore_env().start().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            c.scoped(|| {
                let open = up_down_counter("open");
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    open.inc();
                    open.dec();
                }
            });
        });
        let seen: Vec<f64> = (0..2_000).map(|_| c.snapshot().total("open")).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(seen.iter().all(|open| (0.0..=1.0).contains(open)), "{seen:?}");
    });
}

#[test]
fn values_far_apart_share_one_cell_and_one_pair_of_values_is_two_series() {
    let c = Collector::builder().ignore_env().start().unwrap();
    c.scoped(|| {
        let (sizes, cache) = (histogram("sizes"), counter("cache"));
        for _ in 0..1_000 {
            sizes.with(&[("route", "/")]).record(1e-9);
            sizes.with(&[("route", "/")]).record(1e9);
            cache.with(&[("hit", "true")]).inc();
            cache.with(&[("miss", "true")]).inc();
        }
    });
    let read = c.snapshot();
    assert_eq!((read.total("sizes"), read.total("cache"), read.len()), (2_000.0, 2_000.0, 3), "{read:?}");
}

#[test]
fn declarations_that_differ_are_said_once_with_both_places_whichever_way_they_were_made() {
    static SITE: Site = Site::here(CellKind::Counter, "differs.site", &[]);

    let collector = collector(&ManualClock::new(0));
    let sink = collector.sink();
    let event = EventMetric {
        kind: CellKind::Gauge,
        name: "differs.event",
        unit: "",
        description: "",
        level: Level::INFO,
        place: (Some("e.rs"), Some(7)),
    };
    let mut line = 0;
    let mut declare = || {
        line = line!();
        counter("differs.unit").unit("By").inc();
        counter("differs.unit").unit("s").inc();
        histogram("differs.text").description("One.").record(1);
        collector.histogram("differs.text").description("Other.").record(1);
        timer("differs.buckets").buckets(&[1.0]).record(Duration::ZERO);
        timer("differs.buckets").buckets(&[2.0]).with(&[("k", "v")]).record(Duration::ZERO);
        gauge("differs.callback").unit("By").observe(|| 1);
        gauge("differs.callback").unit("s").set(1);
        counter("differs.late").inc();
        gauge("differs.late").observe(|| 1);
        counter("differs.point").inc();
        collector.record("differs.point", 1);
        counter("differs.event").inc();
        sink.measure(&event, &[], 1.into());
        up_down_counter("differs.site").inc();
        route::add(None, &SITE, 1.into());
    };
    (0..2).for_each(|_| collector.scoped(&mut declare));
    let here = |after| format!("{}:{}", file!(), line + after);
    let mut expected = [
        ("unit", "unit", "By", "s", here(1), here(2)),
        ("text", "description", "One.", "Other.", here(3), here(4)),
        ("buckets", "buckets", "[1.0]", "[2.0]", here(5), here(6)),
        ("callback", "unit", "By", "s", here(7), here(8)),
        ("late", "kind", "counter", "gauge", here(9), here(10)),
        ("point", "kind", "counter", "gauge", here(11), here(12)),
        ("event", "kind", "counter", "gauge", here(13), "e.rs:7".to_owned()),
        ("site", "kind", "up_down_counter", "counter", here(15), SITE.place()),
    ]
    .map(|(name, what, one, other, first, second)| {
        let is = if what == "buckets" { "are" } else { "is" };
        let counts = if what == "kind" { "both are exported" } else { "the first counts" };
        format!(
            "metric `differs.{name}`: its {what} {is} `{one}` at {first} and `{other}` at {second}; {counts}"
        )
    });
    let mut said = crate::diagnostics::said();
    said.retain(|line| line.contains("`differs."));
    said.sort();
    expected.sort();
    assert_eq!(said, expected);
    let unit_of = |collector: &Collector| {
        let metrics = collector.snapshot();
        metrics.named("differs.unit").map(|metric| metric.unit().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unit_of(&collector), ["By"]);
    // What one collector was told first is not what another is.
    let other = self::collector(&ManualClock::new(0));
    other.counter("differs.unit").unit("s").inc();
    assert_eq!(unit_of(&other), ["s"]);
}
