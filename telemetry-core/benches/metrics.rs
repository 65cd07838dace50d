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

#[divan::bench(args = [100, 2_000])]
fn snapshot(bencher: Bencher<'_, '_>, series: u64) {
    let collector = Collector::builder().ignore_env().start().expect("a collector");
    let (counter, histogram) = (collector.counter("c"), collector.histogram("h"));
    collector.scoped(|| {
        for i in 0..series / 2 {
            let value = i.to_string();
            counter.with(&[("i", &value)]).inc();
            histogram.with(&[("i", &value)]).record(i);
        }
    });
    bencher.bench(|| collector.snapshot());
}
