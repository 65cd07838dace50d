//! Group 3: counters.

use super::{FAST, Labels, TAGS, cadence_case, labels, metrics_layer, otel_case, prom_case, prom_recorder, rep, same};
use crate::case::{Case, Entries};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use prometheus_client::metrics::{counter::Counter as PcCounter, family::Family};
use std::cell::Cell;
use std::hint::black_box as bb;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

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

pub(super) fn add(e: &mut Entries) {
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
