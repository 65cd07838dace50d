//! What measuring costs: `cargo bench -p telemetry-core`. The same beside other libraries is in `tests/peers`.

use std::sync::LazyLock;

use divan::{Bencher, black_box};
use telemetry_core::{Collector, Guard, counter, histogram, timer, up_down_counter};

static TELEMETRY: LazyLock<Guard> =
    LazyLock::new(|| Collector::builder().ignore_env().install().expect("the only global collector"));

fn main() {
    LazyLock::force(&TELEMETRY);
    divan::main();
}

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn counter_by_handle(bencher: Bencher<'_, '_>) {
    let counter = counter("bench.counter").tag("a", "x").tag("b", "y");
    bencher.bench(|| counter.inc());
}

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn up_down_counter_by_handle(bencher: Bencher<'_, '_>) {
    let counter = up_down_counter("bench.up_down_counter");
    bencher.bench(|| counter.inc());
}

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn counter_with_two_dynamic_tags(bencher: Bencher<'_, '_>) {
    let counter = counter("bench.tagged");
    bencher.bench(|| counter.with(black_box(&[("method", "GET"), ("status", "200")])).inc());
}

#[divan::bench(threads = [1, 2], sample_size = 10_000)]
fn histogram_by_handle(bencher: Bencher<'_, '_>) {
    let histogram = histogram("bench.histogram");
    bencher.bench(|| histogram.record(black_box(0.003)));
}

#[divan::bench(sample_size = 10_000)]
fn counter_made_for_one_measurement(bencher: Bencher<'_, '_>) {
    bencher.bench(|| counter("bench.made").inc());
}

#[divan::bench(sample_size = 10_000)]
fn timer_guard(bencher: Bencher<'_, '_>) {
    let timer = timer("bench.timer");
    bencher.bench(|| drop(timer.start()));
}

/// With one dynamic tag. What makes so many is not timed.
fn series(kind: &str, series: u64) -> Collector {
    let mut config = telemetry_core::Config::default();
    config.max_series = 20_000;
    let collector = Collector::builder().config(config).ignore_env().start().expect("a collector");
    collector.scoped(|| {
        for i in 0..series {
            let (value, n) = (i.to_string(), i % 100 + 1);
            let tags = [("i", &*value)];
            match kind {
                "counter" => collector.counter("c").with(&tags).add(n),
                "gauge" => collector.gauge("g").with(&tags).set(n),
                _ => collector.histogram("h").buckets(&BOUNDS).with(&tags).record(n),
            }
        }
    });
    collector
}

const BOUNDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 100.0];
const KINDS: [&str; 3] = ["counter", "gauge", "histogram"];

#[divan::bench(args = KINDS)]
fn snapshot_of_10_000_series(bencher: Bencher<'_, '_>, kind: &str) {
    let collector = series(kind, 10_000);
    bencher.bench(|| collector.snapshot());
}

#[divan::bench(args = KINDS)]
fn first_snapshot_of_10_000_series(bencher: Bencher<'_, '_>, kind: &str) {
    bencher.with_inputs(|| series(kind, 10_000)).bench_values(|collector| (collector.snapshot(), collector));
}
