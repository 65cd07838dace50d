//! Spans that are open, in more memory than there is for them.

use telemetry_layer::Signal;
use telemetry_layer::ledger::Reason;
use telemetry_layer::model::TraceContext;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Memory;
use telemetry_layer::with_remote_parent;
use telemetry_tests::SOON;
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{error, info_span};

use crate::{MIB, alone, peak, small};

fn collector() -> (Collector, Memory) {
    let memory = Memory::default();
    let builder = Collector::builder().ignore_env().configure(small).on_export(|_| ());
    let builder =
        builder.configure(|config| (config.max_text_bytes, config.buffer_bytes) = (8 << 10, 64 << 20));
    (builder.exporter(memory.clone()).start().unwrap(), memory)
}

fn full(collector: &Collector) -> u64 {
    collector.ledger().signal(Signal::Spans).dropped.by(Reason::OpenSpansFull)
}

#[test]
fn fields_of_open_spans_take_so_much_and_no_more() {
    let _alone = alone();
    let (collector, memory) = collector();
    let layer = TelemetryLayer::new(&collector);
    let list = layer.open_spans();
    let text = "k".repeat(8_000);
    let text = text.as_str();
    with_default(tracing_subscriber::registry().with(layer), || {
        let (most, open) = peak(|| {
            let fat = |_| info_span!(parent: None, "fat", a = text, b = text, c = text, d = text);
            (0..2_000).map(fat).collect::<Vec<_>>()
        });
        // `tracing` itself keeps some of each span too.
        assert!(most < 8 * MIB, "{most} bytes");
        let kept = list.list().len();
        assert!((70..100).contains(&kept), "{kept} spans of 32 KiB in 3 MiB");
        let child = info_span!(parent: &open[1_999], "child");
        let ids = (open[1_999].span_id(), open[1_999].trace_id());
        assert_eq!((child.trace_id(), ids.1.is_some()), (ids.1, true), "what is lost is still a parent");
        drop((child, open));
        assert_eq!(full(&collector), 2_000 - kept as u64);
        // There is room again.
        drop(info_span!("again", a = text, b = text));
    });
    let report = collector.shutdown(SOON);
    assert!(!report.is_complete() && report.ledger().balances(), "{report}");
    assert!(report.to_string().contains("dropped by open_spans_full: 1"), "{report}");
    let kept = memory.kept();
    assert!(kept.span("again").fields.len() == 2 && kept.span("child").parent_span_id.is_some());
}

#[test]
fn what_comes_late_counts_too() {
    let _alone = alone();
    let (collector, _) = collector();
    let text = "k".repeat(8_000);
    let layer = TelemetryLayer::new(&collector);
    let list = layer.open_spans();
    with_default(tracing_subscriber::registry().with(layer), || {
        let (most, mut open) = peak(|| {
            let open: Vec<_> = (0..1_000)
                .map(|_| info_span!(parent: None, "late", a = Empty, b = Empty, otel.name = Empty, error = Empty))
                .collect();
            for span in &open {
                span.record("a", &text).record("b", &text).record("otel.name", &text).record("error", &text);
            }
            open
        });
        assert!(most < 8 * MIB, "{most} bytes");
        let kept = list.list().len();
        assert!((50..500).contains(&kept), "{kept}");
        // Those that are lost hold nothing: where another one ends there is room.
        drop(open.remove(0));
        let more = info_span!(parent: None, "more", a = text.as_str());
        assert!(list.list().iter().any(|span| span.name == "more"));
        drop((more, open));
    });
    assert!(full(&collector) > 500 && full(&collector) < 1_000);
    assert!(collector.shutdown(SOON).ledger().balances());
}

#[test]
fn why_they_failed_counts_too() {
    let _alone = alone();
    let (collector, _) = collector();
    let text = "k".repeat(8_000);
    with_default(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)), || {
        let fail = |_| {
            let span = info_span!(parent: None, "failed");
            span.in_scope(|| error!(error = text.as_str()));
            span
        };
        // Their events are taken away meanwhile.
        let rounds = |n| {
            collector.flush(SOON);
            (0..100).map(move |_| n).map(fail).collect::<Vec<_>>()
        };
        let (most, open) = peak(|| (0..20).flat_map(rounds).collect::<Vec<_>>());
        assert!(full(&collector) == 0 && most < 24 * MIB, "{most} bytes");
        drop(open);
    });
    assert!(full(&collector) > 1_000);
    assert!(collector.shutdown(SOON).ledger().balances());
}

#[test]
fn the_number_of_open_spans_is_bounded_by_their_bytes_alone() {
    let _alone = alone();
    let (collector, _) = collector();
    with_default(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)), || {
        for _ in 0..2 {
            let open: Vec<_> = (0..30_000).map(|n| info_span!(parent: None, "small", n)).collect();
            drop(open);
        }
    });
    let ledger = collector.shutdown(SOON).ledger().clone();
    let spans = ledger.signal(Signal::Spans);
    let lost = spans.dropped.by(Reason::OpenSpansFull);
    assert!((20_000..48_000).contains(&lost), "{ledger}");
    assert_eq!((spans.recorded, spans.dropped.total()), (60_000, lost), "{ledger}");
}

#[test]
fn baggage_of_open_requests_takes_so_much_and_no_more() {
    let _alone = alone();
    let (collector, _memory) = collector();
    let layer = TelemetryLayer::new(&collector);
    let text = format!("a={}", "v".repeat(8_000));
    let headers = |name: &str| match name {
        "traceparent" => Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        "baggage" => Some(text.as_str()),
        _ => None,
    };
    with_default(tracing_subscriber::registry().with(layer), || {
        let request = |_| with_remote_parent(TraceContext::extract(headers), || info_span!("request"));
        let (most, open) = peak(|| (0..5_000).map(request).collect::<Vec<_>>());
        assert!(most < 12 * MIB, "{most} bytes");
        assert!(full(&collector) > 0);
        drop(open);
    });
    assert!(collector.shutdown(SOON).ledger().balances());
}
