//! What instruments can do beside counting: chosen buckets, callbacks, long tasks, views, series that end.

mod callbacks;
mod endings;
mod histograms;
mod numbers;

use std::sync::Arc;
use std::time::Duration;

use telemetry_layer::clock::Clock;
use telemetry_layer::clock::ManualClock;
use telemetry_layer::metrics::{MetricRef, Reader, Snapshot, Source, View};
use telemetry_layer::model::{Kind, Metric, Temporality};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::{Memory, assert_counter, assert_histogram};

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
fn what_a_metric_declares_first_holds_for_all_of_its_series() {
    let collector = builder().start().unwrap();
    collector.histogram("size").unit("By").description("of bodies").with(&[("a", "1")]).record(1);
    collector.histogram("size").unit("ms").description("other").with(&[("a", "2")]).record(2);
    collector.counter("n").unit("By").with(&[("a", "1")]).inc();
    collector.counter("n").with(&[("a", "2")]).inc();
    let metrics = collector.snapshot();
    let said: Vec<_> = metrics.named("size").map(|metric| (metric.unit(), metric.description())).collect();
    assert_eq!(said, [("By", "of bodies"); 2]);
    assert!(metrics.named("n").all(|metric| metric.unit() == "By"));
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
    assert!(one(&metrics, "work.duration").histogram().unwrap().by_upper_bound().eq([(1.0, 100)]));
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
