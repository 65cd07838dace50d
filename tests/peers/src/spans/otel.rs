//! tracing-opentelemetry, and the appender that makes log records of events; paced, so that nothing is dropped, and
//! "unpaced", without a flush.

use super::{EVENT3, OPS, PER_SPAN, event3, otel_on, span4};
use crate::case::{Case, Count, Entries};
use crate::otel;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::Sampler;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub(super) fn add(e: &mut Entries) {
    for (op, f, each, extra) in OPS {
        e.add(op, "tracing-opentelemetry, batch", move || {
            let (p, n) = otel_on(Sampler::AlwaysOn);
            let q = p.clone();
            Case::new(1000, f).settle(move || q.force_flush().unwrap()).verify(move |ops, runs| {
                p.force_flush().unwrap();
                n.exactly(each * ops + extra * runs, "spans")
            })
        });
        e.add(op, "tracing-opentelemetry, batch, lean", move || {
            let (p, n) = otel::traces(Sampler::AlwaysOn);
            let l = tracing_opentelemetry::layer()
                .with_tracer(p.tracer("peers"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_context_activation(false);
            tracing_subscriber::registry().with(l).init();
            let q = p.clone();
            Case::new(1000, f).settle(move || q.force_flush().unwrap()).verify(move |ops, runs| {
                p.force_flush().unwrap();
                n.exactly(each * ops + extra * runs, "spans")
            })
        });
        e.add(op, "tracing-opentelemetry, batch, unpaced", move || {
            let (p, n) = otel_on(Sampler::AlwaysOn);
            Case::new(1000, f).verify(move |ops, runs| {
                p.force_flush().unwrap();
                assert!(n.get() > 0);
                format!("{:.0}% of spans kept", 100.0 * n.get() as f64 / (each * ops + extra * runs) as f64)
            })
        });
        e.add(op, "tracing-opentelemetry, ratio 0.01", move || {
            let (p, n) = otel_on(Sampler::TraceIdRatioBased(0.01));
            let q = p.clone();
            Case::new(1000, f).settle(move || q.force_flush().unwrap()).verify(move |ops, runs| {
                p.force_flush().unwrap();
                // for child3 the trace, hence the decision, is one per burst
                assert!(n.get() > 0 || runs < 1000 && extra > 0);
                format!("{:.2}% of spans kept", 100.0 * n.get() as f64 / (each * ops + extra * runs) as f64)
            })
        });
    }
    e.add("span4 root", "tracing-opentelemetry, batch, in memory", || {
        let x = opentelemetry_sdk::trace::InMemorySpanExporter::default();
        let p = opentelemetry_sdk::trace::SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_batch_exporter(x.clone())
            .build();
        tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(p.tracer("peers"))).init();
        let n = Count::default();
        let m = n.clone();
        let take = move || {
            p.force_flush().unwrap();
            m.add(x.get_finished_spans().unwrap().len() as u64);
            x.reset();
        };
        let t = std::rc::Rc::new(take);
        let u = t.clone();
        Case::new(1000, span4).settle(move || t()).verify(move |ops, _| {
            u();
            n.exactly(ops, "spans")
        })
    });
}

pub(super) fn add_events(e: &mut Entries) {
    for (who, paced) in [("otel appender, batch logs", true), ("otel appender, batch logs, unpaced", false)] {
        e.add(EVENT3, who, move || {
            let (p, n) = otel::logs();
            let l = opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(&p);
            tracing_subscriber::registry().with(l).init();
            let q = p.clone();
            Case::new(1000, event3)
                .settle(move || {
                    if paced {
                        q.force_flush().unwrap()
                    }
                })
                .verify(move |ops, _| {
                    p.force_flush().unwrap();
                    if paced {
                        return n.exactly(ops, "logs");
                    }
                    assert!(n.get() > 0);
                    format!("{:.0}% of logs kept", 100.0 * n.get() as f64 / ops as f64)
                })
        });
    }
    e.add(EVENT3, "tracing-opentelemetry, as span events", || {
        let (p, n) = otel_on(Sampler::AlwaysOn);
        let q = p.clone();
        Case::new(1000, event3).settle(move || q.force_flush().unwrap()).verify(move |ops, _| {
            p.force_flush().unwrap();
            n.exactly(ops / PER_SPAN, "spans of 100 events")
        })
    });
}
