//! Group 4: histograms.

use super::{
    BOUNDS, FAST, LOG2, Labels, TAGS, cadence_case, labels, metrics_layer, otel_case, prom_case, prom_recorder, rep,
    same, sample, secs,
};
use crate::case::{Case, Entries};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use prometheus_client::metrics::{family::Family, histogram::Histogram as PcHistogram};
use std::hint::black_box as bb;
use std::time::Duration;

pub(super) fn add(e: &mut Entries) {
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
