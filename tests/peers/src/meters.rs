//! Groups 3 and 4: counters, histograms, and whole timed functions; here what their files share: bounds, values,
//! the set-up of each library, and how its count is read back.

mod counters;
mod histograms;
pub(crate) mod telemetry;
mod timed;

use crate::case::{Case, Entries};
use crate::otel;
use std::hint::black_box as bb;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Bounds given to every bucketed histogram, seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Operations per burst for the fast ones.
const FAST: u64 = 20_000;

/// The recorded duration: it moves over the buckets.
fn secs(i: u64) -> f64 {
    bb(0.003 + (i & 15) as f64 * 0.004)
}

fn rep(n: u64, mut f: impl FnMut(u64)) {
    for i in 0..n {
        f(bb(i))
    }
}

/// Power-of-two buckets and a sum, all relaxed atomics: about the least a histogram can do.
struct Log2 {
    buckets: [AtomicU64; 64],
    sum: AtomicU64,
}
static LOG2: Log2 = Log2 { buckets: [const { AtomicU64::new(0) }; 64], sum: AtomicU64::new(0) };
impl Log2 {
    fn record(&self, ns: u64) {
        self.buckets[63 - (ns | 1).leading_zeros() as usize].fetch_add(1, Relaxed);
        self.sum.fetch_add(ns, Relaxed);
    }
    fn count(&self) -> u64 {
        self.buckets.iter().map(|b| b.load(Relaxed)).sum()
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Labels {
    method: &'static str,
    status: &'static str,
}
fn labels() -> Labels {
    Labels { method: bb("GET"), status: bb("200") }
}
const TAGS: [&str; 2] = ["GET", "200"];

fn prom_recorder() -> metrics_exporter_prometheus::PrometheusHandle {
    metrics_exporter_prometheus::PrometheusBuilder::new().set_buckets(&BOUNDS).unwrap().install_recorder().unwrap()
}
/// The value of the sample line of that name in a Prometheus text page.
fn sample(page: &str, name: &str) -> u64 {
    let l = page.lines().find(|l| l.starts_with(name) && l[name.len()..].starts_with([' ', '{'])).expect("no sample");
    l.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}
fn same(got: u64, ops: u64) -> String {
    assert_eq!(got, ops, "recorded");
    format!("{got} of {ops}")
}
fn prom_case(
    h: metrics_exporter_prometheus::PrometheusHandle,
    name: &'static str,
    run: impl Fn(u64) + Send + Sync + 'static,
) -> Case {
    let k = h.clone();
    Case::new(2000, run).settle(move || k.run_upkeep()).verify(move |ops, _| same(sample(&h.render(), name), ops))
}
fn otel_case(
    make: impl FnOnce(&opentelemetry_sdk::metrics::SdkMeterProvider) -> Box<dyn Fn(u64) + Send + Sync>,
) -> Case {
    let (p, n) = otel::metrics();
    let run = make(&p);
    Case::new(FAST, run).verify(move |ops, _| {
        p.force_flush().unwrap();
        same(n.get(), ops)
    })
}
fn metrics_layer() -> impl FnOnce(u64, u64) -> String {
    let (p, n) = otel::metrics();
    tracing_subscriber::registry().with(tracing_opentelemetry::MetricsLayer::new(p.clone())).init();
    move |ops, _| {
        p.force_flush().unwrap();
        same(n.get(), ops)
    }
}
/// cadence's NopMetricSink, but the line has to be built.
struct Drop;
impl cadence::MetricSink for Drop {
    fn emit(&self, m: &str) -> std::io::Result<usize> {
        assert!(bb(m).starts_with("app."));
        Ok(m.len())
    }
}
fn cadence_case<F: Fn(u64) + Send + Sync + 'static>(f: impl FnOnce(cadence::StatsdClient) -> F) -> Case {
    let c = cadence::StatsdClient::from_sink("app", Drop);
    Case::new(1000, f(c)).verify(|_, _| "each line checked".into())
}

pub fn add(e: &mut Entries) {
    counters::add(e);
    telemetry::counters(e);
    histograms::add(e);
    telemetry::histograms(e);
    timed::add(e);
    telemetry::timers(e);
}
