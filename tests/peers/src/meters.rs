//! Groups 3 and 4: counters, histograms, and whole timed functions.

pub(crate) mod telemetry;

use crate::case::{Case, Entries};
use crate::{otel, spans};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use prometheus_client::metrics::{counter::Counter as PcCounter, family::Family, histogram::Histogram as PcHistogram};
use std::cell::Cell;
use std::hint::black_box as bb;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
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

// ---- limits ----

#[repr(align(128))]
#[derive(Default)]
struct Pad(AtomicU64);
static SHARDS: [Pad; 16] = [const { Pad(AtomicU64::new(0)) }; 16];
fn shard() -> &'static AtomicU64 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = const { Cell::new(usize::MAX) });
    let i = MINE.with(|m| {
        if m.get() == usize::MAX {
            m.set(NEXT.fetch_add(1, Relaxed) % 16)
        }
        m.get()
    });
    &SHARDS[i].0
}
fn shards() -> u64 {
    SHARDS.iter().map(|s| s.0.load(Relaxed)).sum()
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

// ---- set-up of each library ----

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
    counters(e);
    telemetry::counters(e);
    histograms(e);
    telemetry::histograms(e);
    timed(e);
    telemetry::timers(e);
}

fn counters(e: &mut Entries) {
    use cadence::prelude::*;
    for op in ["counter0", "counter2"] {
        e.add12(op, "limit: one AtomicU64", || {
            static A: Pad = Pad(AtomicU64::new(0));
            Case::new(FAST, |n| rep(n, |_| _ = A.0.fetch_add(1, Relaxed))).verify(|ops, _| same(A.0.load(Relaxed), ops))
        });
        e.add12(op, "limit: sharded atomic, fetch_add", || {
            Case::new(FAST, |n| rep(n, |_| _ = shard().fetch_add(1, Relaxed))).verify(|ops, _| same(shards(), ops))
        });
        e.add(op, "limit: sharded, load+store", || {
            Case::new(FAST, |n| {
                rep(n, |_| {
                    let s = shard();
                    s.store(s.load(Relaxed) + 1, Relaxed)
                })
            })
            .verify(|ops, _| same(shards(), ops))
        });
    }

    let op = "counter0";
    e.add12(op, "metrics macro, no recorder", || {
        Case::new(FAST, |n| rep(n, |_| metrics::counter!("requests").increment(1)))
    });
    e.add12(op, "metrics macro, prometheus recorder", || {
        prom_case(prom_recorder(), "requests", |n| rep(n, |_| metrics::counter!("requests").increment(1)))
    });
    e.add12(op, "metrics cached handle", || {
        let h = prom_recorder();
        let c = metrics::counter!("requests");
        prom_case(h, "requests", move |n| rep(n, |_| c.increment(1)))
    });
    e.add12(op, "prometheus-client cached", || {
        let c = PcCounter::<u64>::default();
        let d = c.clone();
        Case::new(FAST, move |n| rep(n, |_| _ = c.inc())).verify(move |ops, _| same(d.get(), ops))
    });
    e.add12(op, "prometheus cached IntCounter", || {
        let c = prometheus::register_int_counter!("requests", "help").unwrap();
        let d = c.clone();
        Case::new(FAST, move |n| rep(n, |_| c.inc())).verify(move |ops, _| same(d.get(), ops))
    });
    e.add12(op, "opentelemetry Counter::add", || {
        otel_case(|p| {
            let c = p.meter("peers").u64_counter("requests").build();
            Box::new(move |n| rep(n, |_| c.add(1, &[])))
        })
    });
    e.add12(op, "tracing-opentelemetry MetricsLayer", || {
        let v = metrics_layer();
        Case::new(1000, |n| rep(n, |_| tracing::info!(monotonic_counter.requests = 1u64))).verify(v)
    });
    e.add(op, "cadence, no-op sink", || cadence_case(|c| move |n| rep(n, |_| _ = c.count("requests", 1u64).unwrap())));

    let op = "counter2";
    e.add12(op, "metrics macro, prometheus recorder", || {
        prom_case(prom_recorder(), "requests", |n| {
            rep(n, |_| metrics::counter!("requests", "method" => "GET", "status" => "200").increment(1))
        })
    });
    e.add12(op, "metrics cached handle", || {
        let h = prom_recorder();
        let c = metrics::counter!("requests", "method" => "GET", "status" => "200");
        prom_case(h, "requests", move |n| rep(n, |_| c.increment(1)))
    });
    e.add12(op, "prometheus-client Family::get_or_create", || {
        let f = Family::<Labels, PcCounter>::default();
        let g = f.clone();
        Case::new(FAST, move |n| rep(n, |_| _ = f.get_or_create(&labels()).inc()))
            .verify(move |ops, _| same(g.get_or_create(&labels()).get(), ops))
    });
    e.add12(op, "prometheus-client cached", || {
        let f = Family::<Labels, PcCounter>::default();
        let c = f.get_or_create(&labels()).clone();
        Case::new(FAST, move |n| rep(n, |_| _ = c.inc()))
            .verify(move |ops, _| same(f.get_or_create(&labels()).get(), ops))
    });
    e.add12(op, "prometheus with_label_values", || {
        let v = prometheus::register_int_counter_vec!("requests", "help", &["method", "status"]).unwrap();
        let w = v.clone();
        Case::new(FAST, move |n| rep(n, |_| v.with_label_values(&bb(TAGS)).inc()))
            .verify(move |ops, _| same(w.with_label_values(&TAGS).get(), ops))
    });
    e.add12(op, "prometheus cached IntCounter", || {
        let v = prometheus::register_int_counter_vec!("requests", "help", &["method", "status"]).unwrap();
        let c = v.with_label_values(&TAGS);
        Case::new(FAST, move |n| rep(n, |_| c.inc())).verify(move |ops, _| same(v.with_label_values(&TAGS).get(), ops))
    });
    e.add12(op, "opentelemetry Counter::add", || {
        otel_case(|p| {
            let c = p.meter("peers").u64_counter("requests").build();
            Box::new(move |n| {
                rep(n, |_| c.add(1, &[KeyValue::new("method", bb("GET")), KeyValue::new("status", bb("200"))]))
            })
        })
    });
    e.add12(op, "tracing-opentelemetry MetricsLayer", || {
        let v = metrics_layer();
        Case::new(1000, |n| {
            rep(n, |_| tracing::info!(monotonic_counter.requests = 1u64, method = bb("GET"), status = bb("200")))
        })
        .verify(v)
    });
    e.add(op, "cadence, no-op sink", || {
        cadence_case(|c| {
            move |n| {
                rep(n, |_| {
                    c.count_with_tags("requests", 1u64)
                        .with_tag("method", bb("GET"))
                        .with_tag("status", bb("200"))
                        .send()
                })
            }
        })
    });
}

fn histograms(e: &mut Entries) {
    use cadence::prelude::*;
    for op in ["hist0", "hist2"] {
        e.add12(op, "limit: log2 buckets + sum", || {
            Case::new(FAST, |n| rep(n, |i| LOG2.record(bb(3_000_000 + (i & 15) * 4_000_000))))
                .verify(|ops, _| same(LOG2.count(), ops))
        });
    }
    let pc = || PcHistogram::new(BOUNDS);
    let pc_count = |h: PcHistogram| {
        move |ops: u64, _: u64| {
            let mut r = prometheus_client::registry::Registry::default();
            r.register("t", "t", h);
            let mut s = String::new();
            prometheus_client::encoding::text::encode(&mut s, &r).unwrap();
            same(sample(&s, "t_count"), ops)
        }
    };
    let opts = || prometheus::HistogramOpts::new("t", "t").buckets(BOUNDS.to_vec());

    let op = "hist0";
    e.add(op, "metrics macro, prometheus recorder", || {
        prom_case(prom_recorder(), "t_count", |n| rep(n, |i| metrics::histogram!("t").record(secs(i))))
    });
    e.add(op, "metrics cached handle", || {
        let h = prom_recorder();
        let c = metrics::histogram!("t");
        prom_case(h, "t_count", move |n| rep(n, |i| c.record(secs(i))))
    });
    e.add12(op, "prometheus-client cached", move || {
        let h = pc();
        let g = h.clone();
        Case::new(FAST, move |n| rep(n, |i| h.observe(secs(i)))).verify(pc_count(g))
    });
    e.add12(op, "prometheus cached Histogram", move || {
        let h = prometheus::Histogram::with_opts(opts()).unwrap();
        let g = h.clone();
        Case::new(FAST, move |n| rep(n, |i| h.observe(secs(i)))).verify(move |ops, _| same(g.get_sample_count(), ops))
    });
    e.add12(op, "opentelemetry Histogram::record", || {
        otel_case(|p| {
            let c = p.meter("peers").f64_histogram("t").with_boundaries(BOUNDS.to_vec()).build();
            Box::new(move |n| rep(n, |i| c.record(secs(i), &[])))
        })
    });
    e.add(op, "tracing-opentelemetry MetricsLayer", || {
        let v = metrics_layer();
        Case::new(1000, |n| rep(n, |i| tracing::info!(histogram.t = secs(i)))).verify(v)
    });
    e.add(op, "cadence, no-op sink", || {
        cadence_case(|c| move |n| rep(n, |i| _ = c.time("t", Duration::from_millis(bb(3 + (i & 15) * 4))).unwrap()))
    });

    let op = "hist2";
    e.add12(op, "metrics macro, prometheus recorder", || {
        prom_case(prom_recorder(), "t_count", |n| {
            rep(n, |i| metrics::histogram!("t", "method" => "GET", "status" => "200").record(secs(i)))
        })
    });
    e.add12(op, "metrics cached handle", || {
        let h = prom_recorder();
        let c = metrics::histogram!("t", "method" => "GET", "status" => "200");
        prom_case(h, "t_count", move |n| rep(n, |i| c.record(secs(i))))
    });
    e.add12(op, "prometheus-client Family::get_or_create", move || {
        let f = Family::<Labels, PcHistogram>::new_with_constructor(|| PcHistogram::new(BOUNDS));
        let g = f.get_or_create(&labels()).clone();
        Case::new(FAST, move |n| rep(n, |i| f.get_or_create(&labels()).observe(secs(i)))).verify(pc_count(g))
    });
    e.add12(op, "prometheus with_label_values", move || {
        let v = prometheus::HistogramVec::new(opts(), &["method", "status"]).unwrap();
        let w = v.clone();
        Case::new(FAST, move |n| rep(n, |i| v.with_label_values(&bb(TAGS)).observe(secs(i))))
            .verify(move |ops, _| same(w.with_label_values(&TAGS).get_sample_count(), ops))
    });
    e.add12(op, "opentelemetry Histogram::record", || {
        otel_case(|p| {
            let c = p.meter("peers").f64_histogram("t").with_boundaries(BOUNDS.to_vec()).build();
            Box::new(move |n| {
                rep(n, |i| c.record(secs(i), &[KeyValue::new("method", bb("GET")), KeyValue::new("status", bb("200"))]))
            })
        })
    });
    e.add12(op, "tracing-opentelemetry MetricsLayer", || {
        let v = metrics_layer();
        Case::new(1000, |n| rep(n, |i| tracing::info!(histogram.t = secs(i), method = bb("GET"), status = bb("200"))))
            .verify(v)
    });
    e.add(op, "cadence, no-op sink", || {
        cadence_case(|c| {
            move |n| {
                rep(n, |i| {
                    c.time_with_tags("t", Duration::from_millis(bb(3 + (i & 15) * 4)))
                        .with_tag("method", bb("GET"))
                        .with_tag("status", bb("200"))
                        .send()
                })
            }
        })
    });
}

// ---- group 4b: a whole timed call of an empty function ----

#[inline(never)]
fn body() {
    bb(())
}
#[autometrics::autometrics]
#[inline(never)]
fn f_autometrics() {
    body()
}
#[fastrace::trace]
#[inline(never)]
fn f_fastrace() {
    body()
}
#[tracing::instrument]
#[inline(never)]
fn f_instrument() {
    body()
}
#[hotpath::measure]
#[inline(never)]
fn f_hotpath() {
    body()
}

fn timed(e: &mut Entries) {
    let op = "timed fn";
    e.add12(op, "bare call", || Case::new(FAST, |n| rep(n, |_| body())));
    e.add(op, "limit: 2 x std Instant", || {
        Case::new(FAST, |n| {
            rep(n, |_| {
                let t = Instant::now();
                body();
                bb(t.elapsed());
            })
        })
    });
    e.add(op, "limit: 2 x quanta Instant", || {
        bb(quanta::Instant::now()); // calibrates, 200 ms
        Case::new(FAST, |n| {
            rep(n, |_| {
                let t = quanta::Instant::now();
                body();
                bb(t.elapsed());
            })
        })
    });
    e.add(op, "limit: 2 x quanta raw", || {
        static CLOCK: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);
        bb(CLOCK.raw());
        Case::new(FAST, |n| {
            let c = &*CLOCK;
            rep(n, |_| {
                let t = c.raw();
                body();
                bb(c.raw() - t);
            })
        })
    });
    e.add(op, "limit: 2 x fastant Instant", || {
        bb(fastant::Instant::now());
        let tsc = fastant::is_tsc_available();
        Case::new(FAST, |n| {
            rep(n, |_| {
                let t = fastant::Instant::now();
                body();
                bb(t.elapsed());
            })
        })
        .verify(move |_, _| format!("tsc: {tsc}"))
    });
    e.add(op, "limit: 2 x std Instant + log2 histogram", || {
        Case::new(FAST, |n| {
            rep(n, |_| {
                let t = Instant::now();
                body();
                LOG2.record(t.elapsed().as_nanos() as u64);
            })
        })
        .verify(|ops, _| same(LOG2.count(), ops))
    });
    e.add(op, "prometheus cached start_timer", || {
        let h = prometheus::Histogram::with_opts(prometheus::HistogramOpts::new("t", "t").buckets(BOUNDS.to_vec()))
            .unwrap();
        let g = h.clone();
        Case::new(FAST, move |n| {
            rep(n, |_| {
                let t = h.start_timer();
                body();
                t.observe_duration();
            })
        })
        .verify(move |ops, _| same(g.get_sample_count(), ops))
    });
    e.add(op, "metrics macro + Instant", || {
        prom_case(prom_recorder(), "t_count", |n| {
            rep(n, |_| {
                let t = Instant::now();
                body();
                metrics::histogram!("t", "function" => "body").record(t.elapsed());
            })
        })
    });
    e.add(op, "opentelemetry record, 2 labels + Instant", || {
        otel_case(|p| {
            let c = p.meter("peers").f64_histogram("t").with_boundaries(BOUNDS.to_vec()).build();
            Box::new(move |n| {
                rep(n, |_| {
                    let t = Instant::now();
                    body();
                    c.record(
                        t.elapsed().as_secs_f64(),
                        &[KeyValue::new("function", "body"), KeyValue::new("module", "peers")],
                    );
                })
            })
        })
    });
    e.add(op, "#[autometrics], prometheus", || {
        let s = autometrics::settings::AutometricsSettings::builder().histogram_buckets(BOUNDS.to_vec()).init();
        Case::new(1000, |n| rep(n, |_| f_autometrics())).verify(move |ops, _| {
            let m = s.prometheus_registry().gather();
            let f = m.iter().find(|f| f.name().contains("function_calls_duration")).expect("no histogram");
            same(f.get_metric()[0].get_histogram().get_sample_count(), ops)
        })
    });
    e.add(op, "#[fastrace::trace], in a root", || {
        let (n, _) = spans::fastrace_on();
        Case::new(1000, |n| {
            let root = fastrace::Span::root("request", fastrace::prelude::SpanContext::random());
            let _g = root.set_local_parent();
            rep(n, |_| f_fastrace())
        })
        .settle(fastrace::flush)
        .verify(move |ops, runs| {
            fastrace::flush();
            n.exactly(ops + runs, "spans")
        })
    });
    e.add(op, "#[tracing::instrument], no subscriber", || Case::new(FAST, |n| rep(n, |_| f_instrument())));
    e.add(op, "#[tracing::instrument], registry + empty layer", || {
        spans::empty_on();
        Case::new(10_000, |n| rep(n, |_| f_instrument())).verify(|_, _| spans::enabled())
    });
    e.add(op, "#[tracing::instrument], tracing-opentelemetry", || {
        let (p, n) = spans::otel_on(opentelemetry_sdk::trace::Sampler::AlwaysOn);
        let q = p.clone();
        Case::new(1000, |n| rep(n, |_| f_instrument())).settle(move || q.force_flush().unwrap()).verify(
            move |ops, _| {
                p.force_flush().unwrap();
                n.exactly(ops, "spans")
            },
        )
    });
    e.add(op, "#[hotpath::measure]", || {
        let out = std::env::temp_dir().join(format!("peers-hotpath-{}.json", std::process::id()));
        let g = hotpath::HotpathGuardBuilder::new("main").format(hotpath::Format::Json).output_path(&out).build();
        let g = Arc::new(std::sync::Mutex::new(Some(g)));
        let h = g.clone();
        Case::new(1000, move |n| {
            let _ = &g;
            rep(n, |_| f_hotpath())
        })
        .settle(|| std::thread::sleep(Duration::from_micros(500)))
        .verify(move |ops, _| {
            drop(h.lock().unwrap().take());
            let s = std::fs::read_to_string(&out).unwrap();
            std::fs::remove_file(&out).unwrap();
            let v: serde_json::Value = serde_json::from_str(&s).unwrap();
            let r = v["functions_timing"]["data"]
                .as_array()
                .expect("rows")
                .iter()
                .find(|r| r["name"].as_str().unwrap().contains("f_hotpath"))
                .expect("row");
            let calls = &r["calls"];
            format!("report says {calls} of {ops} calls")
        })
    });
}
