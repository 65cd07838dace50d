//! What instruments can do beside counting: chosen buckets, callbacks, long tasks, views, series that end.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use telemetry_layer::Level;
use telemetry_layer::clock::Clock;
use telemetry_layer::metrics::{MetricRef, Reader, Snapshot, Source, View};
use telemetry_layer::model::{Kind, Metric, Temporality};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::{ManualClock, Memory, assert_counter, assert_histogram};

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> telemetry_layer::Builder {
    Collector::builder().ignore_env()
}

fn one<'a>(metrics: &'a Snapshot, name: &'a str) -> MetricRef<'a> {
    let mut found = metrics.named(name);
    let one = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "more than one {name}");
    one
}

#[test]
fn chosen_buckets_are_exact_on_many_threads_and_after_them() {
    let collector = builder().start().unwrap();
    let sizes = collector.histogram("size").unit("By").buckets(&[10.0, 100.0]);
    let times = collector.timer("time").buckets(&[0.001, 1.0]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                collector.scoped(|| {
                    for n in 0..200 {
                        sizes.record(n);
                        sizes.with(&[("k", "v")]).record(n);
                        times.record(Duration::from_millis(n));
                    }
                });
            });
        }
    });
    let metrics = collector.snapshot();
    for metric in metrics.named("size") {
        let size = metric.histogram().unwrap();
        assert_eq!(size.bounds, [10.0, 100.0]);
        assert_eq!(size.buckets, [(0, 44), (1, 360), (2, 396)], "{}", metric.own_tags());
        assert_eq!((size.count, size.zero_count, size.min, size.max), (800, 0, Some(0.0), Some(199.0)));
    }
    assert_eq!(one(&metrics, "time").histogram().unwrap().buckets, [(0, 8), (1, 792)]);
}

#[test]
fn buckets_that_cannot_be_are_not_taken_and_nothing_else_is_lost() {
    let collector = builder().start().unwrap();
    collector.histogram("h").buckets(&[3.0, 1.0]).record(2);
    let metrics = collector.snapshot();
    assert_histogram(&metrics, "h", &[], 1, 2.0);
    assert!(one(&metrics, "h").histogram().unwrap().bounds.is_empty());
}

#[test]
fn values_below_zero_have_buckets_and_quantiles() {
    let collector = builder().start().unwrap();
    let heat = collector.histogram("heat");
    collector.scoped(|| (-100..=100).for_each(|n| heat.record(n)));
    let metrics = collector.snapshot();
    let heat = one(&metrics, "heat").histogram().unwrap();
    assert_eq!((heat.count, heat.zero_count, heat.sum), (201, 1, 0.0));
    for (share, exact) in [(0.0, -100.0), (0.25, -50.0), (0.5, 0.0), (0.75, 50.0), (1.0, 100.0)] {
        let got: f64 = heat.quantile(share).unwrap();
        assert!((got - exact).abs() <= 0.045 * f64::abs(exact), "p{share}: {got} for {exact}");
    }
}

#[test]
fn a_very_wide_histogram_is_thinned_and_keeps_its_count() {
    let collector = builder().view(View::new("narrow").max_buckets(20)).start().unwrap();
    for name in ["wide", "narrow"] {
        let histogram = collector.histogram(name);
        (-60..60).for_each(|power| histogram.record(f64::from(power).exp2()));
    }
    let metrics = collector.snapshot();
    for (name, places) in [("wide", 320), ("narrow", 20)] {
        let histogram = one(&metrics, name).histogram().unwrap();
        let (first, last) = (histogram.buckets[0].0, histogram.buckets.last().unwrap().0);
        assert!(last - first < places && histogram.scale < 3, "{name}: {first}..{last}");
        assert_eq!((histogram.count, histogram.max), (120, Some(59f64.exp2())));
    }
}

#[test]
fn what_the_system_counts_is_observed() {
    let memory = Memory::new();
    let deltas = Deltas::default();
    let collector = builder().exporter(memory.clone()).exporter(deltas.clone()).start().unwrap();
    let bytes = Arc::new(AtomicU64::new(500));
    let (read, threads) = (Arc::clone(&bytes), Arc::new(AtomicI64::new(3)));
    collector.counter("net.bytes").unit("By").tag("if", "lo").observe(move || read.load(Relaxed));
    collector.up_down_counter("threads").observe(move || threads.load(Relaxed));
    collector.gauge("load").observe(|| 0.5);
    let metrics = collector.snapshot();
    assert_counter(&metrics, "net.bytes", &[("if", "lo")], 500);
    assert_counter(&metrics, "threads", &[], 3);
    assert_counter(&metrics, "load", &[], 0.5);
    collector.flush(SECOND);
    bytes.store(700, Relaxed);
    collector.flush(SECOND);
    // The device was reset.
    bytes.store(40, Relaxed);
    collector.flush(SECOND);
    assert_counter(&collector.snapshot(), "net.bytes", &[("if", "lo")], 740);
    // The same number from another callback is not counted again.
    collector.counter("net.bytes").unit("By").tag("if", "lo").observe(|| 40);
    collector.flush(SECOND);
    assert_counter(&collector.snapshot(), "net.bytes", &[("if", "lo")], 740);
    assert_eq!(deltas.of("net.bytes"), [500.0, 200.0, 40.0]);
    assert!(memory.kept().metrics.iter().all(|m| m.temporality == Temporality::Cumulative));
}

#[test]
fn a_callback_that_hangs_or_panics_costs_the_others_nothing() {
    let collector = builder().configure(|c| c.callback_timeout = SECOND).start().unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    collector.gauge("a.first").observe(|| 1);
    collector.gauge("b.hangs").observe(move || wait.lock().unwrap().recv().map_or(2, |()| 2));
    // Not `panic!`, whose hook may write a backtrace for longer than anybody waits.
    collector.gauge("c.panics").observe(|| -> f64 { std::panic::resume_unwind(Box::new("in a callback")) });
    collector.gauge("d.last").observe(|| 4);
    let nested = collector.clone();
    collector.gauge("e.asks").observe(move || nested.snapshot().named("a.first").count());
    for _ in 0..2 {
        let metrics = collector.snapshot();
        assert_counter(&metrics, "a.first", &[], 1);
        assert_counter(&metrics, "d.last", &[], 4);
        assert_counter(&metrics, "e.asks", &[], 0);
        assert_eq!((metrics.named("b.hangs").count(), metrics.named("c.panics").count()), (0, 0));
    }
    assert_eq!(collector.ledger().refused_measurements(), 3, "late once, panicked twice");
    drop(go_on);
    let until = Instant::now() + 10 * SECOND;
    while collector.snapshot().named("b.hangs").next().is_none() {
        assert!(Instant::now() < until, "it returned, and is asked again");
    }
}

#[test]
fn long_tasks_are_seen_while_they_run() {
    let clock = ManualClock::new(0);
    let collector = builder().clock(Clock::manual(&clock)).start().unwrap();
    let import = collector.timer("import").long_task();
    let first = import.start();
    clock.advance(5 * SECOND);
    let tagged = import.with(&[("table", "users")]).start();
    let second = import.start();
    clock.advance(SECOND);
    let metrics = collector.snapshot();
    assert_counter(&metrics, "import.active", &[], 2);
    assert_counter(&metrics, "import.active.longest", &[], 6.0);
    assert_counter(&metrics, "import.active", &[("table", "users")], 1);
    assert_eq!(metrics.total("import"), 0.0, "none is over");
    drop(first);
    second.discard();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _tagged = tagged;
        panic!("cut short");
    }))
    .unwrap_err();
    let metrics = collector.snapshot();
    assert_eq!(metrics.total("import.active"), 0.0);
    assert_eq!(metrics.total("import.active.longest"), 0.0);
    assert_histogram(&metrics, "import", &[], 1, 6.0);
    assert_histogram(&metrics, "import", &[("table", "users")], 1, 1.0);
}

#[test]
fn views_rename_drop_thin_and_give_other_buckets() {
    let collector = builder()
        .view(View::new("http.*").without_tags(["user"]))
        .view(View::new("http.requests").rename("http.server.requests").description("Requests."))
        .view(View::new("noise.*").drop())
        .view(View::new("only").only_tags(["keep"]))
        .view(View::new("*.duration").buckets([0.1, 1.0]))
        .configure(|c| c.max_series = 10)
        .start()
        .unwrap();
    collector.scoped(|| {
        for user in 0..100 {
            let user = user.to_string();
            counter("http.requests").with(&[("user", &user), ("route", "/")]).inc();
            counter("noise.a").with(&[("user", &user)]).inc();
            histogram("noise.b").record(1);
            gauge("only").with(&[("keep", "1"), ("user", &user)]).set(2);
            timer("work.duration").record(Duration::from_millis(500));
        }
        gauge("noise.c").observe(|| 1);
        gauge("http.x").tag("user", "1").observe(|| 1);
    });
    let metrics = collector.snapshot();
    assert_counter(&metrics, "http.server.requests", &[("route", "/")], 100);
    assert_eq!(one(&metrics, "http.server.requests").description(), "Requests.");
    assert_counter(&metrics, "only", &[("keep", "1")], 2);
    assert_counter(&metrics, "http.x", &[], 1);
    assert_eq!(one(&metrics, "work.duration").histogram().unwrap().buckets, [(1, 100)]);
    assert!(metrics.iter().all(|m| !m.name().starts_with("noise")), "{metrics:?}");
    assert_eq!(metrics.len(), 4);
}

#[test]
fn a_wrong_view_fails_the_start_and_is_named() {
    let error = builder().view(View::new("http.*").rename("x")).start().unwrap_err().to_string();
    assert!(error.starts_with("view=http.*: many metrics can't have the one name `x`"), "{error}");
}

/// Keeps the deltas it is given.
#[derive(Clone, Default)]
struct Deltas(Memory);

impl Deltas {
    fn all(&self) -> Vec<Metric> {
        self.0.kept().metrics
    }

    fn of(&self, name: &str) -> Vec<f64> {
        self.all().iter().filter(|m| m.identity.name == name).map(|m| m.number().as_f64()).collect()
    }
}

impl Exporter for Deltas {
    fn name(&self) -> &str {
        "deltas"
    }

    fn temporality(&self, _: Kind) -> Temporality {
        Temporality::Delta
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        self.0.export(batch)
    }
}

#[derive(Clone, Default)]
struct Pull(Arc<std::sync::Mutex<Option<Source>>>);

impl Reader for Pull {
    fn name(&self) -> &str {
        "pull"
    }

    fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        *self.0.lock().unwrap() = Some(source);
        Ok(())
    }
}

fn ending() -> (ManualClock, Deltas, Collector) {
    let (clock, deltas) = (ManualClock::new(1_000_000_000), Deltas::default());
    let builder = builder().clock(Clock::manual(&clock)).exporter(deltas.clone());
    let collector = builder
        .configure(|c| {
            (c.series_expiration, c.max_series) = (Some(10 * SECOND), 3);
            // Only the test flushes.
            c.flush_interval = Duration::from_hours(1);
        })
        .start()
        .unwrap();
    (clock, deltas, collector)
}

fn flush_after(clock: &ManualClock, collector: &Collector, seconds: u32) {
    clock.advance(seconds * SECOND);
    assert!(collector.flush(10 * SECOND).is_complete());
}

#[test]
fn an_idle_series_ends_gives_its_place_to_others_and_begins_anew() {
    let (clock, deltas, collector) = ending();
    let count = |tag: &str, n: u64| collector.scoped(|| counter("c").with(&[("t", tag)]).add(n));
    for tag in ["a", "b", "c"] {
        count(tag, 5);
    }
    flush_after(&clock, &collector, 1);
    for _ in 0..12 {
        count("a", 1);
        flush_after(&clock, &collector, 1);
    }
    let metrics = collector.snapshot();
    assert_counter(&metrics, "c", &[("t", "a")], 17);
    assert_eq!(metrics.len(), 1, "b and c are over: {metrics:?}");
    for tag in ["d", "e"] {
        count(tag, 100);
    }
    count("f", 1000);
    let metrics = collector.snapshot();
    assert_counter(&metrics, "c", &[("t", "d")], 100);
    assert_counter(&metrics, "c", &[("otel.metric.overflow", "true")], 1000);
    // b is counted again: on the cell that this thread still has, or on a new one.
    count("b", 3);
    let again = clock.clone();
    flush_after(&again, &collector, 1);
    let metrics = collector.snapshot();
    assert_eq!(metrics.total("c"), 17.0 + 200.0 + 1003.0);
    // Over the whole time nothing was lost.
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 27.0 + 200.0 + 1003.0);
}

#[test]
fn a_series_that_begins_anew_says_since_when() {
    let (clock, deltas, collector) = ending();
    let (fixed, size) = (collector.counter("fixed"), collector.histogram("size"));
    collector.scoped(|| {
        fixed.add(7);
        size.record(4);
        flush_after(&clock, &collector, 1);
        let began = one(&collector.snapshot(), "fixed").start_time_unix_nano().unwrap();
        flush_after(&clock, &collector, 30);
        assert!(collector.snapshot().is_empty(), "{:?}", collector.snapshot());
        flush_after(&clock, &collector, 5);
        fixed.add(2);
        size.record(16);
        flush_after(&clock, &collector, 5);
        let metrics = collector.snapshot();
        assert_counter(&metrics, "fixed", &[], 2);
        assert_histogram(&metrics, "size", &[], 1, 16.0);
        let metric = one(&metrics, "fixed");
        let (start, end) = (metric.start_time_unix_nano().unwrap(), metric.time_unix_nano());
        assert!(start > began && end - start == 5_000_000_000, "{began}, {start}, {end}");
    });
    assert_eq!(deltas.of("fixed"), [7.0, 2.0]);
    let windows: Vec<_> =
        deltas.all().iter().map(|m| (m.start_time_unix_nano.unwrap(), m.time_unix_nano)).collect();
    assert!(windows.iter().all(|(start, end)| start < end), "{windows:?}");
}

#[test]
fn no_series_ends_before_a_reader_has_seen_it_nor_an_up_down_counter_that_is_not_0() {
    let (clock, _, collector) = ending();
    let pull = Pull::default();
    collector.reader(pull.clone()).unwrap();
    collector.scoped(|| {
        counter("c").inc();
        up_down_counter("in_flight").inc();
        gauge("g").set(1);
    });
    flush_after(&clock, &collector, 1);
    flush_after(&clock, &collector, 30);
    assert_eq!(collector.snapshot().len(), 3, "the reader has seen nothing yet");
    let source = pull.0.lock().unwrap().clone().unwrap();
    assert_eq!(source.read().len(), 3);
    flush_after(&clock, &collector, 1);
    let left = collector.snapshot();
    assert_counter(&left, "in_flight", &[], 1);
    assert_eq!((left.len(), source.read().len()), (1, 1));
    collector.scoped(|| up_down_counter("in_flight").dec());
    flush_after(&clock, &collector, 1);
    source.read();
    flush_after(&clock, &collector, 30);
    assert!(collector.snapshot().is_empty());
    collector.scoped(|| gauge("g").set(2));
    assert_counter(&collector.snapshot(), "g", &[], 2);
}

#[test]
fn the_places_of_series_that_are_over_are_free_for_others() {
    let (clock, deltas, collector) = ending();
    for round in 0..50 {
        collector.scoped(|| {
            for tag in 0..3 {
                let value = format!("{round}.{tag}");
                counter("c").with(&[("t", &value)]).inc();
            }
        });
        flush_after(&clock, &collector, 1);
        flush_after(&clock, &collector, 11);
        flush_after(&clock, &collector, 1);
    }
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 150.0);
    let overflow = |m: &Metric| m.identity.tags.get("otel.metric.overflow").is_some();
    assert!(!deltas.all().iter().any(overflow), "there was room for each round");
}

#[test]
fn a_callback_that_gives_nothing_for_once_is_not_counted_twice() {
    let deltas = Deltas::default();
    let collector = builder().exporter(deltas.clone()).start().unwrap();
    let bad = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&bad);
    collector.counter("c").observe(move || {
        assert!(read.load(Relaxed) == 0, "in a callback");
        100
    });
    for now in [0, 1, 0] {
        bad.store(now, Relaxed);
        collector.counter("other").inc();
        assert!(collector.flush(10 * SECOND).is_complete());
    }
    assert_eq!(deltas.of("c"), [100.0]);
}

#[test]
fn levels_of_one_metric_are_one_sum_for_deltas_and_end_together() {
    let (clock, deltas, collector) = ending();
    let source = Pull::default();
    collector.reader(source.clone()).unwrap();
    let source = source.0.lock().unwrap().clone().unwrap();
    let info = collector.counter("c").level(Level::INFO);
    let warn = collector.counter("c").level(Level::WARN);
    warn.add(1);
    flush_after(&clock, &collector, 1);
    info.add(100);
    flush_after(&clock, &collector, 1);
    source.read();
    warn.add(1);
    flush_after(&clock, &collector, 1);
    for _ in 0..4 {
        flush_after(&clock, &collector, 20);
    }
    assert_counter(&collector.snapshot(), "c", &[], 102);
    source.read();
    flush_after(&clock, &collector, 20);
    assert!(collector.snapshot().is_empty());
    info.add(1);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.of("c").iter().sum::<f64>(), 103.0);
}

#[test]
fn a_long_task_of_a_series_that_is_over_begins_it_anew() {
    let (clock, deltas, collector) = ending();
    let job = collector.timer("job").long_task();
    (0..10).for_each(|_| drop(job.start()));
    for _ in 0..4 {
        flush_after(&clock, &collector, 10);
    }
    assert!(collector.snapshot().is_empty());
    let running = job.start();
    flush_after(&clock, &collector, 60);
    flush_after(&clock, &collector, 60);
    assert_counter(&collector.snapshot(), "job.active", &[], 1);
    drop(running);
    for _ in 0..3 {
        flush_after(&clock, &collector, 10);
    }
    let counts: u64 = deltas.all().iter().filter_map(|m| m.histogram()).map(|h| h.count).sum();
    assert_eq!((counts, deltas.of("job.active").iter().sum::<f64>()), (11, 0.0));
}

#[test]
fn the_wall_clock_may_be_set_back_between_two_lives() {
    let (clock, deltas, collector) = ending();
    let counter = collector.counter("c");
    counter.add(100);
    flush_after(&clock, &collector, 1);
    clock.step_wall(1_000);
    flush_after(&clock, &collector, 30);
    flush_after(&clock, &collector, 30);
    counter.add(1);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.of("c"), [100.0, 1.0]);
}

#[test]
fn a_shutdown_does_not_wait_for_a_callback_beyond_its_deadline() {
    let collector = builder().configure(|c| c.callback_timeout = 60 * SECOND).start().unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    collector.gauge("slow").observe(move || wait.lock().unwrap().recv().map_or(1, |()| 1));
    let begin = Instant::now();
    collector.shutdown(Duration::from_millis(100));
    assert!(begin.elapsed() < 30 * SECOND);
    drop(go_on);
}

#[test]
fn callbacks_of_one_metric_after_a_view_are_one_sum() {
    let collector = builder().view(View::new("c").without_tags(["k"])).start().unwrap();
    collector.counter("c").tag("k", "a").observe(|| 1);
    collector.counter("c").tag("k", "b").observe(|| 2);
    collector.counter("c").add(4);
    assert_counter(&collector.snapshot(), "c", &[], 7);
}

#[test]
fn a_quantile_above_all_bounds_is_the_last_of_them_where_nobody_knows_more() {
    let (clock, deltas, collector) = ending();
    collector.histogram("h").buckets(&[1.0, 2.0]).record(50);
    flush_after(&clock, &collector, 1);
    let delta = &deltas.all()[0];
    assert!(delta.histogram().unwrap().quantile(0.99).is_some_and(|q| q > 2.0 && q <= 50.0));
    collector.histogram("h").buckets(&[1.0, 2.0]).record(60);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.all()[1].histogram().unwrap().quantile(0.99), Some(2.0));
}
