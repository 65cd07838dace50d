//! Group 4b: a whole timed call of an empty function.

use super::{BOUNDS, FAST, LOG2, otel_case, prom_case, prom_recorder, rep, same};
use crate::case::{Case, Entries};
use crate::spans;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use std::hint::black_box as bb;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

#[inline(never)]
pub(super) fn body() {
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

pub(super) fn add(e: &mut Entries) {
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
