//! What a page for Prometheus costs without its snapshot: `cargo bench -p telemetry-core --features prometheus --bench
//! prometheus`. In each form 10,000 series with 2 tags, or 1,000 histograms of 31 bounds; the first page of a collector, and
//! every later one.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use telemetry_core::__private::prometheus::source_of;
use telemetry_core::exporters::Prometheus;
use telemetry_core::metrics::{Reader as _, Source};
use telemetry_core::model::{Kind, Metric, Resource, Tags};
use telemetry_core::{Collector, Error};

const FORMS: [&str; 3] = ["", "application/openmetrics-text;version=1.0.0", PROTOBUF];
const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

fn main() {
    divan::main();
}

fn resource() -> Resource {
    Resource::new(Tags::new(), "bench").expect("a name")
}

fn tags(n: u64) -> Tags {
    let mut tags = Tags::new();
    let all = [
        ("method", ["GET", "PUT", "POST", "DELETE"][n as usize % 4].to_owned()),
        ("route", format!("/orders/{n}")),
    ];
    all.into_iter().for_each(|(key, value)| tags.insert(key, value).expect("a tag"));
    tags
}

/// Of 20 names, half of them counters.
fn numbers() -> Source {
    let mut all: Vec<Metric> = (0..10_000_u64)
        .map(|n| {
            let kind = if n % 2 == 0 { Kind::Counter } else { Kind::Gauge };
            let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 60);
            let name = format!("shop.orders.of.kind.{:02}", n % 20);
            let mut metric = Metric::new(kind, name, value, 1).tags(tags(n));
            metric.start_time_unix_nano = (kind == Kind::Counter).then_some(1_700_000_000_123_456_789);
            metric
        })
        .collect();
    all.sort_by(|a, b| {
        let (a, b) = (&a.identity, &b.identity);
        (&a.name, a.kind, &a.tags).cmp(&(&b.name, b.kind, &b.tags))
    });
    source_of(all, resource())
}

fn histograms() -> Result<Source, Error> {
    let collector = Collector::builder().ignore_env().endpoint("discard:").start()?;
    for n in 0..1_000_u64 {
        let tags = tags(n);
        let tags: Vec<_> = tags.iter().collect();
        let histogram = collector.histogram("request.duration").unit("s");
        let histogram = histogram.with(&tags);
        (1..=50_u64).for_each(|i| histogram.record((i * i * (n + 1)) as f64 * 1e-6));
    }
    let all = collector
        .snapshot()
        .iter()
        .map(|metric| metric.to_metric())
        .filter(|m| m.histogram().is_some())
        .collect();
    Ok(source_of(all, resource()))
}

fn later(bencher: Bencher<'_, '_>, source: Source, accept: &str, series: usize) {
    let page = Prometheus::new();
    page.clone().attach(source).expect("the first one");
    let _ = black_box(page.respond(accept, ""));
    bencher.counter(ItemsCount::new(series)).bench_local(|| page.respond(accept, ""));
}

fn first(bencher: Bencher<'_, '_>, source: &Source, accept: &str, series: usize) {
    let made = || {
        let page = Prometheus::new();
        page.clone().attach(source.clone()).expect("the first one");
        page
    };
    bencher
        .counter(ItemsCount::new(series))
        .with_inputs(made)
        .bench_local_values(|page| (page.respond(accept, ""), page));
}

#[divan::bench(args = 0..3)]
fn numbers_later(bencher: Bencher<'_, '_>, form: usize) {
    later(bencher, numbers(), FORMS[form], 10_000);
}

#[divan::bench(args = 0..3)]
fn numbers_first(bencher: Bencher<'_, '_>, form: usize) {
    first(bencher, &numbers(), FORMS[form], 10_000);
}

#[divan::bench(args = 0..3)]
fn histograms_later(bencher: Bencher<'_, '_>, form: usize) {
    later(bencher, histograms().expect("a collector"), FORMS[form], 1_000);
}

#[divan::bench(args = 0..3)]
fn histograms_first(bencher: Bencher<'_, '_>, form: usize) {
    first(bencher, &histograms().expect("a collector"), FORMS[form], 1_000);
}
